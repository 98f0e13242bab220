"""The controllers of the peers: what they are built from, and what their own documentation installs into a cluster.

They are built when a benchmark asks for them, and never by anything else.
"""

from pathlib import Path
from typing import Any

import yaml

from dev.bench import cluster
from dev.sandbox import go, toolchain
from dev.sandbox.progress import Progress
from dev.sandbox.toolchain import ModuleFile, Tool

ARGO_VERSION = "1.10.1"
FLAGGER_VERSION = "1.36.1"

_ARGO = "github.com/argoproj/argo-rollouts"
_FLAGGER = "github.com/fluxcd/flagger"

ARGO = Tool(
    name="argo-rollouts",
    source="dev/tools/argo-rollouts",
    commands={
        "rollouts-controller": f"{_ARGO}/cmd/rollouts-controller",
        "kubectl-argo-rollouts": f"{_ARGO}/cmd/kubectl-argo-rollouts",
    },
    usual_seconds=190,
    values={f"{_ARGO}/utils/version.version": f"v{ARGO_VERSION}"},
    files=(ModuleFile(_ARGO, "manifests/install.yaml", "install"),),
)
FLAGGER = Tool(
    name="flagger",
    source="dev/tools/flagger",
    commands={"flagger": f"{_FLAGGER}/cmd/flagger"},
    usual_seconds=60,
    files=(ModuleFile(_FLAGGER, "artifacts/flagger/*.yaml", "install"),),
)


_built: dict[str, Path] = {}


def build(tool: Tool) -> Path:
    """The folder with the commands of `tool`; built first when the cache lacks it.

    Raises SandboxError when the build fails.
    """
    if tool.name not in _built:
        cache = toolchain.cache_directory()
        _built.update(toolchain.build((tool,), go.find(cache), cache, Progress()))
    return _built[tool.name]


def installed_objects(folder: Path) -> list[dict[str, Any]]:
    """The objects that the peer's documentation has one apply, from the files of its own module."""
    files = sorted((folder / "install").glob("*.yaml"))
    return [each for file in files for each in yaml.safe_load_all(file.read_text()) if each]


def apply_definitions(folder: Path) -> None:
    """Installs the resource types of a peer: its controller runs on the host, with rights of its own."""
    definitions = [each for each in installed_objects(folder) if each["kind"] == "CustomResourceDefinition"]
    for each in definitions:
        each["metadata"].setdefault("labels", {})[cluster.LABEL] = "true"
    cluster.apply(definitions)
    cluster.kubectl("wait", "customresourcedefinitions", _OURS, "--for=condition=established", "--timeout=30s")


def delete_definitions() -> None:
    """Removes the resource types of every peer, with all objects of them."""
    cluster.kubectl("delete", "customresourcedefinitions", _OURS, "--ignore-not-found", "--timeout=60s")


_OURS = f"--selector={cluster.LABEL}=true"
