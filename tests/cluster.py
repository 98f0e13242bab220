"""The cluster that the tests run on: the one behind `.sandbox/env`, and no other.

`make sandbox` writes that file, for the sandbox or for the context that was named to it. Whatever cluster a developer's shell
points to is out of reach from here: the variables of the file replace those of the shell.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[1]
KUBECONFIG = ROOT / ".sandbox" / "kubeconfig"

T = TypeVar("T")

# What the cluster or its admission writes, at times of its own choosing.
# A Job takes its finalizer off a pod some time after the pod has ended.
_VOLATILE = ("finalizers", "managedFields", "resourceVersion")

# What an environment may consist of.
_KINDS = ",".join(
    ["deployments", "services", "configmaps", "secrets", "jobs", "pods", "poddisruptionbudgets", "horizontalpodautoscalers"]
    + [f"{kind}.networking.istio.io" for kind in ("virtualservices", "destinationrules", "gateways")]
)


class NoClusterError(Exception):
    """There is no cluster to test on; the message says how to get one."""


@dataclass(frozen=True)
class SandboxCluster:
    """The cluster, seen by a person who has sourced the file: `variables` are those of that person's shell."""

    variables: Mapping[str, str]

    @property
    def gateway_url(self) -> str:
        return self.variables["GATEWAY_URL"]

    @property
    def node_address(self) -> str:
        return self.variables["NODE_ADDRESS"]

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What `kubectl` prints. Raises `AssertionError` with its complaint, also when it takes longer than a minute."""
        command = ["kubectl", "--request-timeout=30s", *arguments]
        ran = subprocess.run(
            command, env=dict(self.variables), input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, f"'kubectl {' '.join(arguments)}' failed: {ran.stderr.strip()}"
        return ran.stdout

    def objects(self, namespace: str) -> dict[str, dict[str, Any]]:
        """The objects of an environment in `namespace`, by kind and name: what was asked for, without what came of it.

        Two answers are equal when nobody has written anything in between. Pods on their way out are left out.
        """
        found = json.loads(self.kubectl("get", _KINDS, "--namespace", namespace, "--output=json"))["items"]
        present = [each for each in found if "deletionTimestamp" not in each["metadata"] and not _is_given(each)]
        return {f"{each['kind']}/{each['metadata']['name']}": _as_asked(each) for each in present}

    def everything(self, namespace: str) -> set[str]:
        """The names of all objects in `namespace` of whatever kind, but for events."""
        kinds = self.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").split()
        wanted = ",".join(kind for kind in kinds if not kind.startswith("events"))
        return set(self.kubectl("get", wanted, "--namespace", namespace, "--output=name", "--ignore-not-found").split())


def _is_given(item: dict[str, Any]) -> bool:
    return bool(item["kind"] == "ConfigMap" and item["metadata"]["name"] == "kube-root-ca.crt")


def _as_asked(item: dict[str, Any]) -> dict[str, Any]:
    metadata = {name: value for name, value in item["metadata"].items() if name not in _VOLATILE}
    return {name: value for name, value in item.items() if name != "status"} | {"metadata": metadata}


def connect() -> SandboxCluster:
    """The cluster, when it answers. Raises `NoClusterError` when there is none, or when the file leads elsewhere."""
    file = ROOT / ".sandbox" / "env"
    if not file.exists():
        raise NoClusterError("There is no cluster to test on: bring up the sandbox with `make sandbox`.")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "KUBE"))}
    sourced = subprocess.run(
        ["bash", "-c", 'set -a; . "$0"; env -0', str(file)], env=clean, capture_output=True, text=True, timeout=10, check=True
    )
    cluster = SandboxCluster(dict(line.split("=", 1) for line in sourced.stdout.split("\0") if line))
    if cluster.variables.get("KUBECONFIG") != str(KUBECONFIG):
        raise NoClusterError(
            f"{file} does not lead to {KUBECONFIG}, and no other cluster is touched: make it anew, `make sandbox`."
        )
    try:
        cluster.kubectl("get", "--raw", "/readyz")
    except (AssertionError, subprocess.TimeoutExpired):
        raise NoClusterError("The cluster does not answer: start it again with `make sandbox`.") from None
    return cluster


def eventually(look: Callable[[], T], wanted: T, seconds: float = 90) -> None:
    """Looks again and again until it sees what is `wanted`. Raises `AssertionError` with what it saw last instead.

    `seconds` is only there so that a test cannot hang: no host is as slow.
    """
    deadline, pause = time.monotonic() + seconds, 0.05
    while (seen := look()) != wanted:
        assert time.monotonic() < deadline, f"after {seconds} s it is still {seen!r} and not {wanted!r}"
        time.sleep(pause)
        pause = min(pause * 1.2, 0.4)  # looking takes CPU time from what is waited for
