"""The tools share the versions of their libraries, because what two of them need in one version is compiled once."""

import re
from pathlib import Path

import pytest

from dev.sandbox import toolchain

TOOLS = (*toolchain.PULUMI_TOOLS, *toolchain.CLUSTER, *toolchain.BESIDE, toolchain.PROTOCOLS)
# dev/tools/README.md gives the reasons.
OF_ITS_OWN = {
    "github.com/pulumi/pulumi/": {"pulumi", "pulumi-language-python", "pulumi-resource-kubernetes"},
    "k8s.io/": {"istio", "node"},
}
EVERYWHERE = ("k8s.io/klog/", "k8s.io/utils")


def pins(folder: Path) -> dict[str, str]:
    """The version of each module that the go.mod in `folder` selects."""
    lines = re.sub(r"//.*", "", (folder / "go.mod").read_text()).splitlines()
    required = {found[1]: found[2] for line in lines if (found := re.fullmatch(r"(?:require)?\s*(\S+\.\S+) (v\S+)\s*", line))}
    replaced = {found[1]: found[2] for line in lines if (found := re.fullmatch(r"(?:replace)?\s*(\S+) => \1 (v\S+)\s*", line))}
    return required | {module: version for module, version in replaced.items() if module in required}


def has_its_own(tool: str, module: str) -> bool:
    return any(module.startswith(prefix) and tool in tools for prefix, tools in OF_ITS_OWN.items()) and not module.startswith(
        EVERYWHERE
    )


def test_tools_of_the_sandbox_share_one_version_of_each_library() -> None:
    versions: dict[str, dict[str, str]] = {}
    for tool in TOOLS:
        for module, version in pins(toolchain.CHECKOUT / tool.source).items():
            if not has_its_own(tool.name, module):
                versions.setdefault(module, {})[tool.name] = version
    assert {module: tools for module, tools in versions.items() if len(set(tools.values())) > 1} == {}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("require example.com/a v1.0.0 // indirect", {"example.com/a": "v1.0.0"}),
        ("require (\n\texample.com/a v1.0.0\n)\nreplace example.com/a => example.com/a v1.2.0", {"example.com/a": "v1.2.0"}),
        ("replace example.com/b => example.com/b v1.2.0", {}),
    ],
    ids=["required", "replaced", "replaced but not required"],
)
def test_pins_are_the_selected_versions(tmp_path: Path, line: str, expected: dict[str, str]) -> None:
    (tmp_path / "go.mod").write_text(f"module tools/tool\n\ngo 1.26.0\n\n{line}\n")
    assert pins(tmp_path) == expected
