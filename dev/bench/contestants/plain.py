"""`kubectl apply` of plain manifests, by hand: a file for each color, and one for the route."""

import json
from pathlib import Path
from typing import Any

from components.routing.istio import cookie_pattern
from dev.bench import cluster
from dev.bench.contestants import manifests
from dev.bench.contestants.base import RELEASE, Command, Contestant, Move, other
from dev.bench.contestants.manifests import APP


class Kubectl(Contestant):
    """The same objects as ours. Nobody checks anything; who is served is up to the person who applies."""

    name = "`kubectl apply`"
    slug = "kubectl"

    def install(self) -> None:
        subsets = [{"name": color, "labels": {"color": color}} for color in ("blue", "green")]
        rule = {"spec": {"host": APP, "subsets": subsets}}
        objects = [
            manifests.gateway(self.host),
            manifests.service(APP),
            manifests.named(manifests.ISTIO, "DestinationRule", APP, rule),
        ]
        self._apply(self._file("base", objects))
        for color in ("blue", "green"):
            self._apply(self._color(color))
            self.kubectl("rollout", "status", f"deployment/{APP}-{color}", "--timeout=60s")
        self._apply(self._route("blue"))

    def prepare(self, kind: str) -> None:
        if kind == RELEASE:
            self.kubectl("delete", "deployment,poddisruptionbudget", f"{APP}-{self.idle}")
            self.wait_until_gone(self.idle)

    def move(self, kind: str) -> Move:
        commands = [self.in_namespace("apply", f"--filename={self._route(self.idle)}")]
        if kind == RELEASE:
            deployed = self.in_namespace("apply", f"--filename={self._color(self.idle)}")
            ready = self.in_namespace("rollout", "status", f"deployment/{APP}-{self.idle}", "--timeout=60s")
            commands = [deployed, ready, *commands]
        return self.to_idle(*commands)

    def plan(self) -> Command:
        return self.in_namespace("diff", f"--filename={self._route(self.idle)}", statuses=(0, 1))

    def _apply(self, file: Path) -> None:
        self.kubectl("apply", f"--filename={file}")

    def _file(self, name: str, objects: list[dict[str, Any]]) -> Path:
        file = self.directory / f"{name}.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
        return file

    def _color(self, color: str) -> Path:
        labels, name = {"app": APP, "color": color}, f"{APP}-{color}"
        deployment = manifests.deployment(name, labels, cluster.image(self.next_tag(color)), color)
        return self._file(color, [deployment, manifests.disruption_budget(name, labels)])

    def _route(self, live: str) -> Path:
        match = [{"headers": {"cookie": {"regex": cookie_pattern("test=true")}}}]
        test, default = ({"route": [{"destination": {"host": APP, "subset": color}}]} for color in (other(live), live))
        return self._file(f"route-{live}", [manifests.virtual_service(self.host, [test | {"match": match}, default])])
