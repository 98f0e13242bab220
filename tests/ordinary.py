"""An application that runs as people write it without this project: a Deployment and a Service, applied by kubectl."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.cluster import ROOT, SandboxCluster
from tests.command import Operator
from tests.entrance import Endpoint
from tests.stack import SandboxEnvironment

# The sample application names its pod in this header, so that the old pods and those of a color differ.
HEADER = "x-served-by"
LABELS = {"app": "web", "tier": "front"}


def deployment(**spec: Any) -> dict[str, Any]:
    """A Deployment of the sample application, with two pods."""
    container = {
        "name": "app",
        "image": "bluegreen.example/app:1.0",
        "ports": [{"name": "http", "containerPort": 3000}],
        "env": [{"name": "COLOR", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 2}}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {"containers": [container], "securityContext": security, "terminationGracePeriodSeconds": 10}
    template = {"metadata": {"labels": LABELS}, "spec": pod}
    made = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": LABELS}, "spec": made}


def service(name: str = "web", **metadata: Any) -> dict[str, Any]:
    """Its Service, which users reach by a port of each node."""
    spec = {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **metadata}, "spec": spec}


class OrdinaryApplication:
    """The application in the namespace of an environment that does not exist yet, and a person who brings it over."""

    def __init__(self, environment: SandboxEnvironment) -> None:
        self.environment = environment
        self.person = Operator(environment)
        environment.set(dict.fromkeys(environment.config))

    def apply(self, *objects: Mapping[str, Any]) -> None:
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        self._kubectl("apply", "--filename=-", stdin=json.dumps(listed))

    def run(self) -> None:
        """Applies the Deployment and the Service, and waits until they serve."""
        self.apply(deployment(), service())
        self._kubectl("rollout", "status", "deployment/web", "--timeout=60s")

    def begin(self, *options: str, status: int = 0) -> str:
        """`bluegreen adopt web`."""
        ran = self.person.run("adopt", "web", "--namespace", self.environment.name, *options, status=status)
        return f"{ran.out}{ran.err}"

    def next(self, status: int = 0) -> str:
        ran = self.person.run("adopt", "--next", status=status)
        return f"{ran.out}{ran.err}"

    def back(self, status: int = 0) -> str:
        ran = self.person.run("adopt", "--back", status=status)
        return f"{ran.out}{ran.err}"

    def get(self, kind: str, name: str = "web") -> dict[str, Any]:
        return self.environment.get(kind, name)

    @property
    def users(self) -> Endpoint:
        """Where users come in: on connections that are kept alive, or not (see `new_users`)."""
        port = self.get("service")["spec"]["ports"][0]["nodePort"]
        return Endpoint(url=f"http://{self.environment.cluster.node_address}:{port}", color_header=HEADER)

    @property
    def new_users(self) -> Endpoint:
        return replace(self.users, keep_alive=False)

    def by_host(self, *, keep_alive: bool = True) -> Endpoint:
        """Where users come in by the gateway."""
        host = self.environment.host
        return Endpoint(url=self.environment.cluster.gateway_url, host=host, color_header=HEADER, keep_alive=keep_alive)

    def pods(self) -> list[str]:
        """The names of the pods, terminating ones included."""
        return self._kubectl("get", "pods", "--output=name").split()

    def served_by(self, endpoint: Endpoint) -> str:
        """`blue` or `old`, or what is answered instead."""
        return role(endpoint.served_by())

    def delete(self, kind: str, name: str = "web") -> None:
        self._kubectl("delete", kind, name)

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.environment.cluster.kubectl(*arguments, "--namespace", self.environment.name, stdin=stdin)


def role(pod: str) -> str:
    """`old` for a pod of the ordinary Deployment, else its color."""
    for color in ("blue", "green"):
        if f"-{color}-" in pod:
            return color
    return "old" if pod.startswith("web-") else pod


@contextlib.contextmanager
def ordinary_application(cluster: SandboxCluster, directory: Path) -> Iterator[OrdinaryApplication]:
    """The application, running. The manifest that the command writes into the project is removed at the end."""
    environment = SandboxEnvironment(cluster, directory)
    try:
        environment.create({})
        application = OrdinaryApplication(environment)
        application.run()
        yield application
    finally:
        environment.delete()
        shutil.rmtree(ROOT / "manifests" / environment.name, ignore_errors=True)


def counted(colors: Sequence[str]) -> dict[str, int]:
    """How many requests each role has answered."""
    found: dict[str, int] = {}
    for color in colors:
        found[role(color)] = found.get(role(color), 0) + 1
    return found
