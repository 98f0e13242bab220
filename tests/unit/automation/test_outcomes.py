"""The exit statuses are an interface: scripts rely on each of them."""

import tomllib
from pathlib import Path

from click.testing import CliRunner

from automation.cli import VERSION, cli
from automation.outcomes import MEANINGS, Exit


def test_the_exit_statuses_are_what_they_always_were() -> None:
    assert {each.name: int(each) for each in Exit} == {
        # Pulumi's own
        "OK": 0,
        "ERROR": 1,
        "CONFIG": 2,
        "AUTHENTICATION": 3,
        "RESOURCE": 4,
        "POLICY": 5,
        "STACK_NOT_FOUND": 6,
        "UNEXPECTED_CHANGES": 7,
        "CANCELLED": 8,
        "TIMEOUT": 9,
        # ours
        "SMOKE_TEST_FAILED": 10,
        "ROLLED_BACK": 11,
        "LOCKED": 12,
        "REFUSED": 13,
    }


def test_help_and_the_documentation_explain_every_exit_status() -> None:
    shown = CliRunner().invoke(cli, ["--help"]).output
    documented = (Path(__file__).parents[3] / "docs" / "command.md").read_text()
    for status, meaning in MEANINGS.items():
        assert f"{status:>2}  {meaning}" in shown
        assert f"| {int(status)} | {meaning} |" in documented


def test_every_word_of_the_command_is_documented() -> None:
    documented = (Path(__file__).parents[3] / "docs" / "command.md").read_text()
    assert [name for name in cli.commands if f"| `{name}" not in documented] == []


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION
