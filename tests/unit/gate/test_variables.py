"""Which ConfigMaps and Secrets stay because pods use them, and how the program keeps them."""

from dataclasses import replace
from typing import Any

import pulumi
import pytest

from bluegreen.gate.variables import still_used
from bluegreen.kube.cluster import LiveError
from bluegreen.release.colors import COLORS
from bluegreen.release.config_reader import read_settings
from bluegreen.release.live import Live
from bluegreen.release.metadata import OWNER, RESOURCE, WORKER_OF
from bluegreen.release.objects import Object
from bluegreen.workload import source
from bluegreen.workload.settings import config_map_name
from tests.unit.gate.test_check import served
from tests.unit.program import BOTH_COLORS, run

STACK = "organization/bluegreen/prod"
BLUE = read_settings(BOTH_COLORS | {"blue:env": '{"P": "B"}'}).service.colors["blue"]
OLD = "shop-blue-env-0123456789"


def template(*names: str, kind: str = "configMapRef") -> Object:
    return {"spec": {"containers": [{"name": "shop", "envFrom": [{kind: {"name": name}} for name in names]}]}}


def replica_set(pods: int, *names: str, kind: str = "configMapRef") -> Object:
    return {"spec": {"replicas": pods, "template": template(*names, kind=kind)}, "status": {"replicas": pods}}


def variables(name: str, kind: str = "ConfigMap", owner: str = STACK, resource: str | None = None) -> Object:
    marks = {OWNER: owner, RESOURCE: name if resource is None else resource}
    return {"kind": kind, "metadata": {"name": name, "annotations": marks}, "data": {"P": "A"}}


class Cluster:
    """A cluster with a Deployment of the wanted values, these ReplicaSets, and these objects."""

    def __init__(self, replica_sets: list[Object], objects: list[Object]) -> None:
        self._replica_sets = replica_sets
        self._objects = {(item["kind"], item["metadata"]["name"]): item for item in objects}

    def get(self, _: str, kind: str, name: str) -> Object | None:
        if kind == "Deployment":
            return {"spec": {"template": template(config_map_name(BLUE))}}
        return self._objects.get((kind, name))

    def list_objects(self, *_: str, **__: str) -> list[Object]:
        return self._replica_sets


def used(replica_sets: list[Object], *objects: Object) -> list[str]:
    cluster: Any = Cluster(replica_sets, [*objects, variables(config_map_name(BLUE))])
    return [item["metadata"]["name"] for item in still_used(cluster, source("settings"), BLUE, STACK)]


def test_the_values_of_pods_that_are_left_are_used() -> None:
    assert used([replica_set(2, OLD), replica_set(1, config_map_name(BLUE))], variables(OLD)) == [OLD]
    secret = "shop-blue-secret-env-0123456789"
    assert used([replica_set(1, secret, kind="secretRef")], variables(secret, "Secret")) == [secret]


def test_an_object_is_used_wherever_a_pod_refers_to_it() -> None:
    volume = {"spec": {"containers": [], "volumes": [{"name": "files", "configMap": {"name": OLD}}]}}
    assert used([{"spec": {"replicas": 1, "template": volume}}], variables(OLD)) == [OLD]


def test_the_values_of_the_pods_of_a_worker_are_used() -> None:
    class Workers(Cluster):
        def list_objects(self, *_: str, **labels: str) -> list[Object]:
            return self._replica_sets if labels == {WORKER_OF: "shop", "color": "blue"} else []

    cluster: Any = Workers([replica_set(1, OLD)], [variables(OLD)])
    found = [still_used(cluster, source("settings"), replace(BLUE, workers=names), STACK) for names in ((), ("jobs",))]
    assert [len(items) for items in found] == [0, 1]


def test_an_object_of_a_manifest_stays_with_everything_that_must_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "shop-blue-certificate-0123456789"
    more = {"type": "kubernetes.io/tls", "immutable": True, "binaryData": {"a": "AA=="}}
    binary = {**variables(name, "Secret"), **more}
    monkeypatch.setattr("bluegreen.gate.check.still_used", lambda *_: [binary])
    kept = run(BOTH_COLORS, live=unsettled()).objects()[f"Secret/{name}"]
    assert (kept.inputs["type"], kept.inputs["immutable"], kept.inputs["binaryData"]) == (
        "kubernetes.io/tls",
        True,
        {"a": "AA=="},
    )
    assert list(kept.request.ignoreChanges) == ["data", "stringData", "binaryData"]


def test_values_without_pods_are_not_used() -> None:
    assert used([replica_set(0, OLD)], variables(OLD)) == []


def test_an_object_that_somebody_else_made_is_not_even_read() -> None:
    """An account without secretEnv needs no right to read Secrets."""

    class Forbidden(Cluster):
        def get(self, version: str, kind: str, name: str) -> Object | None:
            if kind != "Deployment":
                raise LiveError(f"{kind} {name}")
            return super().get(version, kind, name)

    cluster: Any = Forbidden(
        [replica_set(1, "vault", kind="secretRef"), replica_set(1, "flags", "shop-green-env-0123456789")], []
    )
    assert still_used(cluster, source("settings"), BLUE, STACK) == []


@pytest.mark.parametrize(
    "found",
    [
        [],
        [variables(OLD, owner="organization/bluegreen/other")],
        [variables(OLD, resource="")],
        [variables(OLD, resource="shop-blue-env")],
    ],
    ids=["is gone", "belongs to another stack", "belongs to nobody", "was made by the version before"],
)
def test_an_object_that_is_not_in_the_stack_under_its_own_name_is_left_alone(found: list[Object]) -> None:
    assert used([replica_set(2, OLD)], *found) == []


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_what_is_used_stays_in_the_stack_with_the_values_that_it_has(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.gate.check.still_used", lambda *_: [variables(OLD, kind)])
    kept = run(BOTH_COLORS, live=unsettled()).objects()[f"{kind}/{OLD}"]
    assert kept.inputs["metadata"]["name"] == OLD
    assert list(kept.request.ignoreChanges) == ["data", "stringData"]
    assert list(kept.request.aliases) == []
    assert ("4dabf18193072939515e22adb298388d" in str(kept.raw["data"])) == (kind == "Secret")  # how the wire marks a secret


def test_nothing_is_looked_for_when_every_color_runs_what_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.gate.check.still_used", lambda *_: [variables(OLD)])
    assert f"ConfigMap/{OLD}" not in run(BOTH_COLORS, live=served()).objects()


@pytest.mark.parametrize(("allow", "words"), [("[]", "No ConfigMap and no Secret was deleted"), ('["unread"]', "")])
def test_a_cluster_that_does_not_say_what_is_used_stops_the_update_unless_that_is_meant(
    allow: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "warn", said.append)
    monkeypatch.setattr("bluegreen.gate.check.still_used", unread)
    if words:
        with pytest.raises(pulumi.RunError, match=words):
            run(BOTH_COLORS | {"bluegreen:allow": allow}, live=unsettled())
        return
    monkeypatch.setattr("bluegreen.gate.check.Gate._read", unread)
    run(BOTH_COLORS | {"bluegreen:allow": allow})
    assert len([each for each in said if "ConfigMaps and Secrets that only pods of" in each]) == len(COLORS)


def unread(*_: object) -> Live:
    raise LiveError("no answer")


def unsettled() -> Live:
    live = served()
    return replace(live, colors={**live.colors, "blue": replace(live.colors["blue"], is_settled=False)})
