"""Every `bluegreen` that a page or a pipeline shows as a line of its own is one that the command takes."""

import re
import shlex
from pathlib import Path

import click
import pytest

from bluegreen.cli.main import cli
from tests.cluster import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples" / "pipelines").rglob("*.yml"))]

_SHOWN = re.compile(r"^\s+(?:- |run: |\$ )?(?:bin/)?bluegreen (.*)", re.MULTILINE)


def shown(page: Path) -> list[str]:
    """What follows the name of the command, without comments and redirections, as a shell would have filled it in."""
    lines = _SHOWN.findall(page.read_text().replace("\\\n", " "))
    return [re.split(r"  +#| > ", line)[0].replace("${TAG##*-}", "green") for line in lines]


@pytest.mark.parametrize(
    ("page", "line"), [(page, line) for page in PAGES for line in shown(page)], ids=lambda value: getattr(value, "name", value)
)
def test_what_is_shown_is_taken(page: Path, line: str) -> None:
    word, *arguments = shlex.split(line)
    try:
        _, command, _ = cli.resolve_command(click.Context(cli), [word])
        assert command
        command.make_context(word, arguments)
    except click.UsageError as error:
        pytest.fail(f"{page.name} shows `bluegreen {line}`: {error}")
