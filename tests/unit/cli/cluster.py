"""A small API server that holds an environment: it lists Deployments, reads the route, and carries out JSON patches."""

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.cli.selection import Selection
from tests.unit.api_server import Request, Response, api_server, kubeconfig

OWNER = "acme/bluegreen/prod"
Objects = dict[str, dict[str, Any]]


def deployment(color: str, ready: int = 2, replicas: int = 2, owner: str = OWNER) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"shop-{color}",
            "labels": {"app": "shop", "color": color},
            "annotations": {"bluegreen/owner": owner, "bluegreen/template": color[0]},
            "resourceVersion": "1",
        },
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "shop", "image": f"shop:{color}"}]}}},
        "status": {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": ready},
    }


def rule(role: str, color: str, **more: Any) -> dict[str, Any]:
    set_header = {"response": {"set": {"x-color": color}}}
    target = {"destination": {"host": "shop", "subset": color}, "headers": set_header}
    return {"name": f"shop-{role}", "route": [target], "retries": {"attempts": 2}, **more}


COOKIE = [{"headers": {"cookie": {"regex": "test=true"}}}]


def virtual_service(active: str, *before: dict[str, Any], served: str = "", owner: str = OWNER) -> dict[str, Any]:
    other = {"blue": "green", "green": "blue"}[active]
    annotations = {"bluegreen/owner": owner} | ({"bluegreen/served": served} if served else {})
    return {
        "metadata": {"name": "shop-blue-green", "resourceVersion": "1", "annotations": annotations},
        "spec": {"hosts": ["shop.example"], "http": [*before, rule("test", other, match=COOKIE), rule("default", active)]},
    }


def service(name: str, color: str, served: str = "") -> dict[str, Any]:
    annotations = {"bluegreen/owner": OWNER} | ({"bluegreen/served": served} if served else {})
    return {
        "metadata": {"name": name, "resourceVersion": "1", "annotations": annotations},
        "spec": {"type": "NodePort", "selector": {"app": "shop", "color": color}},
    }


class Environs:
    """The objects of one environment behind an API server. `answers` decides about a request before the server does."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects: Objects = {each["metadata"]["name"]: copy.deepcopy(each) for each in objects}
        self.answers: Callable[[Request], Response | None] = lambda _: None
        self.asked: list[Request] = []

    def answer(self, request: Request) -> Response:
        self.asked.append(request)
        given = self.answers(request)
        return given if given is not None else self.carried_out(request)

    def carried_out(self, request: Request) -> Response:
        """What a real API server answers."""
        path, _, _ = request.path.partition("?")
        if path.endswith("/deployments"):
            return 200, {"items": [each for name, each in self.objects.items() if "template" in each.get("spec", {})]}
        name = path.rpartition("/")[2]
        if name not in self.objects:
            return 404, {"reason": "NotFound", "message": f"{name} not found", "details": {"name": name}}
        if request.method == "PATCH":
            return self._patched(name, json.loads(request.body))
        return 200, self.objects[name]

    def _patched(self, name: str, operations: list[dict[str, Any]]) -> Response:
        item = copy.deepcopy(self.objects[name])
        for operation in operations:
            if not apply_operation(item, operation):
                return 422, {"message": f"the server rejected our request: {operation['op']} {operation['path']}"}
        self.write(name, item)
        return 200, self.objects[name]

    def write(self, name: str, item: dict[str, Any]) -> None:
        """Somebody writes an object."""
        version = str(int(self.objects[name]["metadata"]["resourceVersion"]) + 1)
        self.objects[name] = {**item, "metadata": {**item["metadata"], "resourceVersion": version}}

    @property
    def patches(self) -> list[Request]:
        return [request for request in self.asked if request.method == "PATCH"]


def apply_operation(item: Any, operation: dict[str, Any]) -> bool:
    """Carries out one operation of a JSON Patch; false if that cannot be done."""
    *path, last = [part.replace("~1", "/") for part in operation["path"].split("/")[1:]]
    for part in path:
        item = item[int(part) if isinstance(item, list) else part]
    key: Any = int(last) if isinstance(item, list) else last
    if operation["op"] == "test":
        return bool(item[key] == operation["value"])
    if operation["op"] == "remove":
        del item[key]
    elif operation["op"] == "add" and isinstance(item, list):
        item.insert(key, operation["value"])
    else:
        assert operation["op"] == "add" or key in item or isinstance(item, list)
        item[key] = operation["value"]
    return True


CONFIG = """config:
  bluegreen:app: shop
  bluegreen:image: shop
  bluegreen:namespace: prod
  bluegreen:routing: {routing}
  bluegreen:activeColor: {active}
  blue:imageTag: "1.0"
  green:imageTag: "2.0"
"""


@contextlib.contextmanager
def served(
    environs: Environs, directory: Path, monkeypatch: pytest.MonkeyPatch, *, stack: str = "prod", routing: str = "istio"
) -> Iterator[Selection]:
    """The environment as the stack `stack` reaches it. Repeated requests come at once."""
    monkeypatch.setattr("bluegreen.kube.client.PAUSES_SECONDS", (0.0, 0.0))
    config, access = directory / "Pulumi.prod.yaml", directory / "kubeconfig"
    config.write_text(CONFIG.format(routing=routing, active="green"))
    with api_server(environs.answer) as (url, _):
        access.write_text(json.dumps(kubeconfig("here", url, current="here")))
        monkeypatch.setenv("KUBECONFIG", str(access))
        from bluegreen.cli import selection as environment

        environment._clusters.clear()
        yield Selection(stack=stack, config_file=config)
