"""Sourcing .sandbox/env sets the variables from any directory, with any characters in the path."""

import json
import subprocess
from pathlib import Path

import pytest

from dev.sandbox import environment
from dev.sandbox.layout import Layout

SHOW = 'python3 -c "import json, os; print(json.dumps(dict(os.environ)))"'


def sourced(file: Path, times: int = 1, shell: str = "sh") -> dict[str, str]:
    script = '. "$1"; ' * times + SHOW
    result = subprocess.run(
        [shell, "-c", script, shell, str(file)],
        cwd="/",
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    values: dict[str, str] = json.loads(result.stdout)
    return values


@pytest.mark.parametrize("name", ["plain", "a b's $HOME"], ids=["plain path", "path to be quoted"])
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_sourcing_the_file_sets_every_variable(tmp_path: Path, name: str, shell: str) -> None:
    layout = Layout(tmp_path / name)
    variables = environment.sandbox_variables(layout, own_pulumi=True)
    environment.write(layout, variables)
    values = sourced(layout.environment_file, shell=shell)
    assert {key: values.get(key) for key in variables} == variables
    assert values["PATH"] == f"{layout.checkout}/.venv/bin:{layout.bin}:/usr/local/bin:/usr/bin:/bin"


def test_sourcing_twice_does_not_lengthen_the_path(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    environment.write(layout, environment.sandbox_variables(layout, own_pulumi=True))
    assert sourced(layout.environment_file, times=2)["PATH"] == sourced(layout.environment_file)["PATH"]


def test_pulumi_of_the_machine_keeps_its_own_home_and_plugins(tmp_path: Path) -> None:
    variables = environment.sandbox_variables(Layout(tmp_path), own_pulumi=False)
    assert "PULUMI_HOME" not in variables
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in variables
    assert variables["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/.sandbox/state"
