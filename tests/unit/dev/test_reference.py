"""The reference pages and the config section of Pulumi.yaml are what the code generates."""

import re
from typing import Any

import click
import pytest

from bluegreen.cli.main import cli
from bluegreen.release.config_keys import COLOR, ENVIRONMENT, ONE_COLOR, Key
from dev import reference
from tests.unit.program import ROOT

CONTEXT = click.Context(cli)
PARAMETERS = [
    (name, parameter)
    for name in cli.list_commands(CONTEXT)
    for command in [cli.get_command(CONTEXT, name)]
    if command is not None
    for parameter in command.params
]


@pytest.mark.parametrize("name", reference.FILES)
def test_a_generated_file_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == reference.FILES[name](), f"{name} differs from the code: run make docs"


@pytest.mark.parametrize("key", [*ENVIRONMENT, *COLOR, *ONE_COLOR], ids=lambda key: key.name)
def test_a_key_is_described_in_a_sentence_with_its_unit(key: Key[Any]) -> None:
    assert re.fullmatch(r"[A-Z].{20,}\.", key.description)
    assert "in seconds" in key.description or not key.name.endswith("Seconds")
    page = reference.config_page()
    assert f"| `{key.name}` | {reference.shape(key)} |" in page


@pytest.mark.parametrize(("name", "parameter"), PARAMETERS, ids=[f"{name} {parameter.name}" for name, parameter in PARAMETERS])
def test_an_option_or_argument_is_described_in_a_sentence(name: str, parameter: click.Parameter) -> None:
    described: Any = parameter  # options and arguments have a help text; the class of both does not say so
    assert re.fullmatch(r"[A-Z].{10,}\.", described.help or ""), f"{name} {parameter.name}"
