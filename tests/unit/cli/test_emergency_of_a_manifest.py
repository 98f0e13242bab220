"""`rollback --now` of an application with a manifest: several Services, and a manifest that cannot be read."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from bluegreen.cli import emergency
from bluegreen.cli.emergency import _Emergency
from bluegreen.kube.api_error import ApiError
from bluegreen.release import metadata
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.objects import Object, Ref
from bluegreen.release.settings import ColorSettings, ServiceSettings, Settings, SharedService
from bluegreen.release.snapshot import Document, Snapshot
from bluegreen.release.traffic import Traffic
from bluegreen.routing import selector

OWN = {metadata.APP: "shop"}
READ = Snapshot(path="k8s/blue", documents=(Document(object={"kind": "Deployment"}, places={}),))
UNREAD = Snapshot(path="k8s/green", documents=())
SHARED = tuple(SharedService(name=name, spec={"ports": [{"port": 80}]}) for name in ("web", "metrics"))


def settings() -> Settings:
    snapshots = {"blue": READ, "green": UNREAD}
    colors = {name: ColorSettings(app="shop", name=name, image="", snapshot=found) for name, found in snapshots.items()}
    service = ServiceSettings(name="shop", colors=colors, shared=SHARED, labels={"blue": OWN, "green": OWN})
    return Settings(service=service, active_color="", routing="selector")


class Patched:
    """A cluster that takes patches, and rejects those of the objects in `rejected`."""

    def __init__(self, *rejected: str) -> None:
        self.patches: dict[str, Sequence[Mapping[str, Any]]] = {}
        self._rejected = rejected
        self.client = SimpleNamespace(patch=self._patch)

    def _patch(self, _: str, __: str, name: str, operations: Sequence[Mapping[str, Any]], ___: str) -> None:
        if name in self._rejected:
            raise ApiError("no right to patch")
        self.patches[name] = operations


# Users on green, from a manifest; blue runs pods from config values, although its manifest is named in the config already.
ROUTE = selector.route(settings().service)
COLORS = ("green", "green", "blue", "blue")


def service(color: str) -> Object:
    return {"metadata": {"resourceVersion": "7", "annotations": {}}, "spec": {"selector": {**OWN, "color": color}}}


LIVE = Live(
    traffic=Traffic.to("green", "blue"),
    colors={"blue": LiveColor(image="", labels={"app": "shop"}), "green": LiveColor(image="", labels=OWN)},
    objects={ref: service(color) for ref, color in zip(ROUTE, COLORS, strict=True)},
)


def of(cluster: Patched, route: tuple[Ref, ...] = ROUTE) -> _Emergency:
    return _Emergency(stack="prod", settings=settings(), cluster=cast(Any, cluster), place="here", route=route)


def test_users_are_moved_by_the_labels_that_the_pods_have_and_not_by_those_of_the_config() -> None:
    users, *_ = of(Patched()).operations(LIVE, "blue")
    assert users[-1]["value"] == {"app": "shop", "color": "blue"}


def test_every_service_follows_that_of_the_users() -> None:
    cluster = Patched()
    assert [*of(cluster).moved_others(LIVE, "blue")] == []
    assert {name: patch[-1]["value"]["color"] for name, patch in cluster.patches.items()} == {
        "metrics": "blue",
        "metrics-test": "green",
        "web-test": "green",
    }


def test_a_service_that_cannot_be_moved_is_named_and_the_others_are_moved() -> None:
    cluster = Patched("metrics", "web-test")
    said = [*of(cluster).moved_others(LIVE, "blue")]
    assert said == ["Service metrics was not moved yet: no right to patch", "testers were not moved yet: no right to patch"]
    assert {*cluster.patches} == {"metrics-test"}


def test_a_manifest_that_cannot_be_read_is_a_warning() -> None:
    [warning] = emergency._unread(settings())
    assert "green:manifest (k8s/green) cannot be read" in warning
    assert "web" in warning
