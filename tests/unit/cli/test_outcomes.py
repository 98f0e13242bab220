"""The exit statuses are an interface: scripts rely on each of them."""

import os
import subprocess
import tomllib
from pathlib import Path

from click.testing import CliRunner

from bluegreen.cli.main import SUBCOMMANDS, VERSION, cli
from bluegreen.cli.outcomes import MEANINGS, Exit
from tests.cluster import ROOT


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
    documented = (ROOT / "docs" / "reference" / "command.md").read_text()
    for status, meaning in MEANINGS.items():
        assert f"{status:>2}  {meaning}" in shown
        assert f"| {int(status)} | {status.name.lower()} | {meaning} |" in documented


def test_every_word_of_the_command_is_documented() -> None:
    documented = (ROOT / "docs" / "reference" / "command.md").read_text()
    assert [name for name in SUBCOMMANDS if f"\n## `{name}`\n" not in documented] == []


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == VERSION


def test_a_policy_that_forbids_an_update_ends_the_command_as_it_ends_pulumi(tmp_path: Path) -> None:
    # Policy packs need a plugin that the sandbox does not have, so this CLI only ends as Pulumi's does then.
    cli_of_pulumi = tmp_path / "pulumi"
    cli_of_pulumi.write_text("#!/bin/sh\necho 'error: update blocked by mandatory policies' >&2\nexit 5\n")
    cli_of_pulumi.chmod(0o755)
    config = tmp_path / "Pulumi.any.yaml"
    config.write_text("config:\n  bluegreen:activeColor: blue\n  blue:imageTag: '1.0'\n")
    ran = subprocess.run(
        [ROOT / "bin" / "bluegreen", "up", "--stack", "any", "--config-file", config],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "KUBECONFIG": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 5, ran.stderr
    assert "update blocked by mandatory policies" in ran.stderr
