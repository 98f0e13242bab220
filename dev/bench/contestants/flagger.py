"""Flagger as its documentation sets up Blue/Green: a Canary with `iterations`, on Istio.

Users move when the analysis has passed, and only then: there is no switch of its own, and a rollback is one more release. The
analysis has no metrics, because there is no Prometheus here; each iteration passes as soon as its interval is over, so the
figures are the shortest that this setting can give.
"""

import os
from pathlib import Path

from dev.bench import cluster, peers
from dev.bench.contestants import manifests
from dev.bench.contestants.base import RELEASE, ROLLBACK, Command, Contestant, Move
from dev.bench.contestants.manifests import APP, PORT
from dev.bench.controllers import Controller

INTERVAL_SECONDS, ITERATIONS = 5, 2
METRICS_PORT, NOBODYS_PORT = 26930, 26931


class Flagger(Contestant):
    """A Deployment that the controller copies, and whose route it writes."""

    name = "Flagger"
    slug = "flagger"
    moves = (RELEASE, ROLLBACK)
    tool = peers.FLAGGER

    def install(self) -> None:
        deployment = manifests.deployment(APP, {"app": APP}, cluster.image(self.next_tag("blue")))
        # It copies pods by an API of Kubernetes that does not know the native sleep yet, and the copy would be refused.
        del deployment["spec"]["template"]["spec"]["containers"][0]["lifecycle"]
        service = {"port": PORT, "targetPort": "http", "gateways": [f"{self.namespace}/{APP}-gateway"], "hosts": [self.host]}
        analysis = {"interval": f"{INTERVAL_SECONDS}s", "threshold": 2, "iterations": ITERATIONS}
        spec = {
            "provider": "istio",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": APP},
            "progressDeadlineSeconds": 60,
            "service": service,
            "analysis": analysis,
        }
        canary = manifests.named("flagger.app/v1beta1", "Canary", APP, {"spec": spec})
        cluster.apply([manifests.gateway(self.host), deployment, canary], self.namespace)
        self.kubectl(*_phase("Initialized"))

    def prepare(self, kind: str) -> None:
        """Nothing has to be there before."""

    def move(self, kind: str) -> Move:  # noqa: ARG002 - every move is the same to it
        new_image = f"{APP}={cluster.image(self.next_tag(self.idle))}"
        commands = (("set", "image", f"deployment/{APP}", new_image), _phase("Progressing"), _phase("Succeeded"))
        return self.to_idle(*(self.in_namespace(*command) for command in commands))

    def plan(self) -> Command | None:
        return None

    @classmethod
    def install_controller(cls, folder: Path) -> None:
        peers.apply_definitions(folder)

    @classmethod
    def start_controller(cls, folder: Path) -> Controller:
        options = ["-mesh-provider=istio", "-log-level=info", f"-port={METRICS_PORT}"]
        options += [f"-kubeconfig={os.environ['KUBECONFIG']}", f"-metrics-server=http://127.0.0.1:{NOBODYS_PORT}"]
        return Controller(cls.slug, [str(folder / "flagger"), *options])


def _phase(phase: str) -> tuple[str, ...]:
    return ("wait", f"canary/{APP}", f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=170s")
