"""A version has one home, the pin that it is built from; another file that must name it agrees."""

import re
from pathlib import Path

import pytest

from dev.bench.peers import ARGO_VERSION, FLAGGER_VERSION
from dev.sandbox.errors import SandboxError
from dev.sandbox.toolchain import CHECKOUT, KUBERNETES_VERSION, PROVIDER_VERSION, PULUMI_VERSION, pinned


def test_the_provider_of_the_sandbox_is_that_of_the_python_package() -> None:
    requirements = (CHECKOUT / "requirements.in").read_text(encoding="utf-8")
    assert f"pulumi-kubernetes=={PROVIDER_VERSION}\n" in requirements


@pytest.mark.parametrize(
    ("tool", "version"),
    [
        ("pulumi", PULUMI_VERSION),
        ("pulumi-resource-kubernetes", PROVIDER_VERSION),
        ("kubernetes", KUBERNETES_VERSION),
        ("argo-rollouts", ARGO_VERSION),
        ("flagger", FLAGGER_VERSION),
    ],
)
def test_the_list_of_the_tools_names_the_pinned_version(tool: str, version: str) -> None:
    table = (CHECKOUT / "dev" / "tools" / "README.md").read_text(encoding="utf-8")
    row = next(line for line in table.splitlines() if line.startswith(f"| `{tool}` |"))
    shown = re.search(r"\| (\d[\d.]*) \|", row)
    assert shown
    assert f"{version}.".startswith(f"{shown[1]}.")


def test_a_module_that_is_not_pinned_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "dev" / "tools" / "any"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("require example.com/a v1.0.0\n")
    assert pinned("any", "example.com/a", tmp_path) == "1.0.0"
    with pytest.raises(SandboxError, match="does not pin"):
        pinned("any", "example.com/b", tmp_path)
