"""Which source of a manifest the options of `deploy` name."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from bluegreen.cli.main import cli
from bluegreen.cli.sources import Source, Tool, taken

NONE = {"manifest": None, "kustomize": None, "helm": None, "values": ()}


def test_an_option_names_the_tool_and_leaves_the_other_arguments() -> None:
    arguments = {**NONE, "helm": "chart", "values": (Path("a.yaml"),), "image": "2.0"}
    assert taken(arguments) == Source(tool=Tool.HELM, target="chart", values=(Path("a.yaml"),))
    assert arguments == {"image": "2.0"}
    assert taken(dict(NONE)) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "Give --image, or a manifest"),
        (["--manifest", "a", "--helm", "b"], "Give one of"),
        (["--kustomize", "a", "-f", "b"], "--values is for --helm"),
    ],
)
def test_a_wrong_use_is_one_clear_error(options: list[str], words: str) -> None:
    ran = CliRunner().invoke(cli, ["deploy", "green", "--stack", "prod", *options])
    assert ran.exit_code == 2
    assert words in ran.output
