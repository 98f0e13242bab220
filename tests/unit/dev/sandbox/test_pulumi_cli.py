"""The sandbox uses the machine's Pulumi if it is new enough, otherwise the official release if it can be downloaded."""

from pathlib import Path

import pytest

from dev.sandbox import pulumi_cli
from dev.sandbox.progress import Progress
from dev.sandbox.toolchain import PROVIDER_VERSION, PULUMI_VERSION


def fake_pulumi(folder: Path, version: str) -> Path:
    folder.mkdir(parents=True)
    command = folder / "pulumi"
    command.write_text(f"#!/bin/sh\necho {version}\n")
    command.chmod(0o755)
    return command


@pytest.mark.parametrize(("version", "taken"), [("v3.238.0", True), ("v3.300.1", True), ("v3.237.9", False)])
def test_pulumi_on_path_is_used_if_it_is_new_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, taken: bool
) -> None:
    command = fake_pulumi(tmp_path / "bin", version)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    assert pulumi_cli.on_path() == (command if taken else None)


def test_pulumi_that_a_sandbox_put_on_path_is_not_the_machines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_pulumi(tmp_path / ".sandbox" / "bin", f"v{PULUMI_VERSION}")
    monkeypatch.setenv("PATH", f"{tmp_path / '.sandbox' / 'bin'}:/usr/bin:/bin")
    assert pulumi_cli.on_path() is None


def test_official_release_is_not_used_if_its_host_does_not_respond(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pulumi_cli, "_PROBE", "raise OSError")
    assert pulumi_cli.official(tmp_path, Progress()) is None
    assert list(tmp_path.iterdir()) == []


INSTALL = """
import pathlib, sys
assert sys.argv[2] == "{cli}"
command = pathlib.Path(sys.argv[1], "bin", "pulumi")
command.parent.mkdir(parents=True)
command.write_text('#!/bin/sh\\n[ "$*" = "plugin install resource kubernetes {version}" ] || exit 1\\n'
                   'mkdir -p "$PULUMI_HOME/plugins/resource-kubernetes-v{version}"\\n')
command.chmod(0o755)
"""


def test_official_release_is_installed_once_with_its_plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pulumi_cli, "_PROBE", "")
    monkeypatch.setattr(pulumi_cli, "_INSTALL", INSTALL.replace("{version}", PROVIDER_VERSION).replace("{cli}", PULUMI_VERSION))
    first = pulumi_cli.official(tmp_path, Progress())
    assert first is not None
    assert (first["pulumi"] / "pulumi").exists()
    assert first["pulumi-resource-kubernetes"].is_dir()
    monkeypatch.setattr(pulumi_cli, "_PROBE", "raise OSError")
    assert pulumi_cli.official(tmp_path, Progress()) == first


def test_failed_download_of_the_official_release_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pulumi_cli, "_PROBE", "")
    monkeypatch.setattr(pulumi_cli, "_INSTALL", INSTALL.replace("{version}", "another").replace("{cli}", PULUMI_VERSION))
    assert pulumi_cli.official(tmp_path, Progress()) is None
    assert list(tmp_path.iterdir()) == []
