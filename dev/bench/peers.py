"""The controllers of the peers: what they are built from, what their documentation installs, and how they run here.

Each runs as a process on the host, in the place of the pod that it is elsewhere, and ends with the benchmark, even if that is
killed.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from subprocess import STDOUT, Popen

import yaml

from dev.bench import cluster
from dev.sandbox.toolchain import ModuleFile, Tool, build_on_demand, pinned

_ARGO = "github.com/argoproj/argo-rollouts"
_FLAGGER = "github.com/fluxcd/flagger"

ARGO_VERSION = pinned("argo-rollouts", _ARGO)
FLAGGER_VERSION = pinned("flagger", _FLAGGER)


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


@contextmanager
def running(tool: Tool, arguments: Sequence[str]) -> Iterator[None]:
    """The controller, running, with the resource types that its documentation installs."""
    files = (build_on_demand(tool) / "install").glob("*.yaml")
    objects = [content for file in files for content in yaml.safe_load_all(file.read_text()) if content]
    definitions = [content for content in objects if content["kind"] == "CustomResourceDefinition"]
    for definition in definitions:
        definition["metadata"].setdefault("labels", {})[cluster.LABEL] = "true"
    cluster.apply(definitions)
    cluster.kubectl("wait", "crd", f"--selector={cluster.LABEL}=true", "--for=condition=established", "--timeout=30s")
    program = str(build_on_demand(tool) / next(iter(tool.commands)))
    command = ["setpriv", "--pdeathsig=KILL", program, *arguments, f"--kubeconfig={os.environ['KUBECONFIG']}"]
    with (cluster.HOME / f"{tool.name}.log").open("w") as log, Popen(command, stdout=log, stderr=STDOUT) as process:
        try:
            yield
        finally:
            process.terminate()
