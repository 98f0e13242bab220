"""Argo Rollouts as its documentation sets up blue-green: promoted by a person, with its own plugin of kubectl.

docs/features/bluegreen.md of its module is the source of the Rollout; `autoPromotionEnabled: false` is what its example
says. Users come in by the same gateway as everybody's, on a route that always leads to the active Service.
"""

import json
from pathlib import Path
from typing import Any

from dev.bench import cluster, peers
from dev.bench.contestants import manifests
from dev.bench.contestants.base import RELEASE, ROLLBACK, ROLLBACK_LATER, SWITCH, Command, Contestant, Move
from dev.bench.contestants.manifests import APP
from dev.bench.controllers import Controller

METRICS_PORT, HEALTH_PORT = 26920, 26921


class ArgoRollouts(Contestant):
    """A Rollout with an active and a preview Service."""

    name = "Argo Rollouts"
    slug = "argo"
    tool = peers.ARGO

    def install(self) -> None:
        rollout = self._rollout(self.next_tag("blue"))
        services = [manifests.service(f"{APP}-{role}") for role in ("active", "preview")]
        route = [{"route": [{"destination": {"host": f"{APP}-active"}}]}]
        edge = [manifests.gateway(self.host), manifests.virtual_service(self.host, route)]
        cluster.apply([*services, *edge, rollout, manifests.disruption_budget(APP, {"app": APP})], self.namespace)
        self._wait("Healthy")

    def prepare(self, kind: str) -> None:
        self._wait("Healthy")
        if kind == SWITCH:  # the new version stands ready, as the idle color does elsewhere
            command = self._set_image()
            cluster.run(*command.arguments)
            self._wait("Paused")

    def move(self, kind: str) -> Move:
        promote, paused = self._plugin("promote", APP), self.in_namespace(*_phase("Paused"))
        undo = self._plugin("undo", APP)
        return self.to_idle(
            *{
                SWITCH: (promote,),
                ROLLBACK: (undo,),  # the old pods are still there: the controller moves users at once
                ROLLBACK_LATER: (undo, paused, promote),  # they are gone: to it, this is one more release
                RELEASE: (self._set_image() if kind == RELEASE else undo, paused, promote),
            }[kind]
        )

    def plan(self) -> Command:
        file = self.directory / "rollout.json"
        file.write_text(json.dumps(self._rollout(cluster.tags(self.idle)[0])))
        return self.in_namespace("diff", f"--filename={file}", statuses=(0, 1))

    def _rollout(self, tag: str) -> dict[str, Any]:
        strategy = {"activeService": f"{APP}-active", "previewService": f"{APP}-preview", "autoPromotionEnabled": False}
        spec = {
            "replicas": manifests.REPLICAS,
            "revisionHistoryLimit": 2,
            "selector": {"matchLabels": {"app": APP}},
            "template": manifests.pod_template({"app": APP}, cluster.image(tag)),
            "strategy": {"blueGreen": strategy},
        }
        return manifests.named("argoproj.io/v1alpha1", "Rollout", APP, {"spec": spec})

    def _set_image(self) -> Command:
        return self._plugin("set", "image", APP, f"{APP}={cluster.image(self.next_tag(self.idle))}")

    def _plugin(self, *arguments: str) -> Command:
        program = str(peers.build(peers.ARGO) / "kubectl-argo-rollouts")
        return Command(arguments=(program, "--namespace", self.namespace, *arguments))

    def _wait(self, phase: str) -> None:
        self.kubectl(*_phase(phase))

    @classmethod
    def install_controller(cls, folder: Path) -> None:
        peers.apply_definitions(folder)

    @classmethod
    def start_controller(cls, folder: Path) -> Controller:
        ports = [f"--metricsPort={METRICS_PORT}", f"--healthzPort={HEALTH_PORT}"]
        # One process needs no election, which would want a namespace to hold its lease.
        return Controller(cls.slug, [str(folder / "rollouts-controller"), "--leader-elect=false", *ports])


def _phase(phase: str) -> tuple[str, ...]:
    return ("wait", f"rollout/{APP}", f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=90s")
