"""An application with several Services and ports: each layer writes all of them, and moves all of them."""

from typing import Any

import pytest

from bluegreen.environment import LiveEnvironment
from bluegreen.release import metadata
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Object
from bluegreen.release.settings import ColorSettings, ServiceSettings, Settings, SharedService
from bluegreen.release.snapshot import Snapshot
from bluegreen.release.traffic import Traffic
from bluegreen.routing import istio, selector

WEB = SharedService(
    name="web",
    spec={
        "type": "ClusterIP",
        "sessionAffinity": "ClientIP",
        "ports": [
            {"name": "metrics", "port": 9090, "targetPort": "metrics"},
            {"name": "http", "port": 80, "targetPort": "http", "appProtocol": "http"},
        ],
    },
    labels={"team": "shop"},
    annotations={"note": "kept"},
)
GRPC = SharedService(name="web-grpc", spec={"type": "ClusterIP", "ports": [{"name": "grpc", "port": 9000}]})
OWN = {metadata.APP: "shop"}


MANIFEST = Snapshot(path="k8s", documents=())


def settings(*shared: SharedService, snapshot: Snapshot | None = MANIFEST, **changed: Any) -> Settings:
    colors = {name: ColorSettings(app="shop", name=name, image="shop:1", snapshot=snapshot) for name in ("blue", "green")}
    service = ServiceSettings(name="shop", port=80, colors=colors, shared=shared, labels={"blue": OWN, "green": OWN})
    return Settings(service=service, active_color="blue", test_color="green", **changed)


BOTH = settings(WEB, GRPC)


def spec(manifest: Manifest) -> dict[str, Any]:
    return dict(manifest.body["spec"])


def test_istio_keeps_a_service_as_it_is_written_and_selects_both_colors() -> None:
    web, grpc = istio.manifests(BOTH).services
    assert (web.name, grpc.name) == ("web", "web-grpc")
    assert spec(web) == {**WEB.spec, "selector": OWN}
    assert (web.labels["team"], web.annotations) == ("shop", {"note": "kept"})


def test_istio_declares_the_subsets_of_every_service_and_names_the_port_of_the_users() -> None:
    made = istio.manifests(BOTH)
    assert [(part.name, spec(part)["host"]) for part in made.parts] == [
        ("shop-blue-green", "web"),
        ("web-grpc-blue-green", "web-grpc"),
    ]
    rules = spec(made.route[0])["http"]
    assert [target["route"][0]["destination"] for target in rules] == [
        {"host": "web", "subset": color, "port": {"number": 80}} for color in ("green", "blue")
    ]


def test_istio_names_the_port_of_a_manifest_before_its_service_has_several() -> None:
    found = [istio.manifests(settings(WEB, snapshot=snapshot)).route[0] for snapshot in (MANIFEST, None)]
    assert [spec(route)["http"][1]["route"][0]["destination"].get("port") for route in found] == [{"number": 80}, None]


def test_istio_reads_and_moves_a_route_to_a_service_that_is_not_named_like_the_application() -> None:
    written = {"spec": spec(istio.manifests(BOTH).route[0])}
    read = istio.read(BOTH.service, [written])
    assert (read.traffic, read.foreign) == (Traffic.to("blue", "green"), "")
    [operations] = istio.move(BOTH.service, [written], Traffic.to("green", "blue"))
    assert [operation["value"]["route"][0]["destination"] for operation in operations] == [
        {"host": "web", "subset": color, "port": {"number": 80}} for color in ("blue", "green")
    ]


def test_selector_writes_the_service_of_the_users_first_and_that_of_their_testers_last() -> None:
    made = selector.manifests(BOTH).route
    assert [manifest.name for manifest in made] == ["web", "web-grpc", "web-grpc-test", "web-test"]
    assert [spec(manifest)["selector"]["color"] for manifest in made] == ["blue", "blue", "green", "green"]
    assert tuple(manifest.ref for manifest in made) == selector.route(BOTH.service)
    assert spec(made[0]) == {**WEB.spec, "selector": {**OWN, "color": "blue"}}


def test_selector_gives_testers_no_address_and_no_node_port_of_the_users() -> None:
    ports = [{"name": "http", "port": 80, "nodePort": 30080}]
    public = SharedService(name="web", spec={"type": "LoadBalancer", "loadBalancerIP": "192.0.2.1", "ports": ports})
    users, testers = selector.manifests(settings(public)).route
    assert spec(users) == {**public.spec, "selector": {**OWN, "color": "blue"}}
    assert spec(testers) == {
        "type": "NodePort",
        "ports": [{"name": "http", "port": 80}],
        "selector": {**OWN, "color": "green"},
    }


def test_selector_gives_the_configured_node_ports_to_the_port_of_the_users() -> None:
    users, *_, testers = selector.manifests(settings(WEB, GRPC, node_port=30080, test_node_port=30081)).route
    for manifest, node_port in ((users, 30080), (testers, 30081)):
        assert spec(manifest)["type"] == "NodePort"
        assert [port.get("nodePort") for port in spec(manifest)["ports"]] == [None, node_port]


def live(*colors: str) -> list[Object]:
    names = [ref.name for ref in selector.route(BOTH.service)]
    return [
        {"metadata": {"name": name}, "spec": {"selector": {**OWN, "color": color}}}
        for name, color in zip(names, colors, strict=True)
    ]


def test_selector_moves_every_service() -> None:
    found = live("blue", "blue", "green", "green")
    assert selector.read(BOTH.service, found).traffic == Traffic.to("blue", "green")
    moved = selector.move(BOTH.service, found, Traffic.to("green", "blue"))
    assert [operations[0]["value"]["color"] for operations in moved] == ["green", "green", "blue", "blue"]


def test_a_service_that_was_left_behind_keeps_its_color_live() -> None:
    read = selector.read(BOTH.service, live("green", "blue", "green", "green"))
    assert read.traffic.active == "green"
    assert read.may_serve == frozenset({"green", "blue"})


@pytest.mark.parametrize(
    ("labels", "both"),
    [
        ({"blue": OWN, "green": OWN}, OWN),
        ({"blue": OWN}, OWN),
        ({"blue": {"app": "shop"}, "green": OWN}, {"app": "shop"}),
        ({}, {"app": "shop"}),
    ],
)
def test_both_colors_are_selected_by_a_label_that_the_pods_of_both_have(
    labels: dict[str, dict[str, str]], both: dict[str, str]
) -> None:
    service = ServiceSettings(name="shop", colors={}, labels=labels)
    assert service.pod_labels() == both
    assert service.pod_labels("blue") == {**labels.get("blue", {"app": "shop"}), "color": "blue"}


@pytest.mark.parametrize(
    ("port", "protocol"),
    [
        ({"name": "tcp"}, "tcp"),
        ({"name": "TCP-lines"}, "tcp"),
        ({"name": "http", "appProtocol": "redis"}, "redis"),
        ({"name": "http", "protocol": "UDP"}, "udp"),
        ({"name": "http"}, ""),
        ({"name": "tcp", "appProtocol": "http"}, ""),
        ({"name": "grpc-web"}, ""),
        ({"name": "tcpish"}, ""),
        ({"name": "web", "appProtocol": "kubernetes.io/ws"}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_istio_refuses_users_by_a_port_that_does_not_speak_http_and_selector_takes_them(
    port: dict[str, Any], protocol: str
) -> None:
    users = SharedService(name="lines", spec={"ports": [{"name": "admin", "port": 81}, {**port, "port": 80}]})
    further = SharedService(name="cache", spec={"ports": [{"name": "redis", "port": 80}]})
    found = list(istio.problems(settings(users, further)))
    assert [problem.value for problem in found] == (
        [f"istio, and users come in by port 80 of the Service lines, which speaks {protocol}"] if protocol else []
    )
    assert list(selector.problems(settings(users, further, routing="selector"))) == []


class Listed(LiveEnvironment):
    """A namespace with these Services."""

    def __init__(self, *services: Object) -> None:
        super().__init__(context="", namespace="any", service=BOTH.service, routing="selector")
        self._listed = [*services]

    def list_objects(self, *_: str, **__: str | None) -> list[Object]:
        return self._listed


def noted(name: str, **annotations: str) -> Object:
    return {"metadata": {"name": name, "annotations": annotations}}


OURS = {metadata.OWNER: "acme/bluegreen/prod", metadata.SERVED: "blue:1"}


@pytest.mark.parametrize(
    ("found", "name"),
    [
        (noted("front", **OURS), "front"),
        (noted("web", **OURS), ""),
        (noted("front", **OURS | {metadata.OWNER: "acme/bluegreen/dev"}), ""),
        (noted("front-test", **{metadata.OWNER: OURS[metadata.OWNER]}), ""),
    ],
)
def test_the_service_that_users_are_served_by_is_found_under_another_name(found: Object, name: str) -> None:
    assert Listed(found).route_of_another_name("acme/bluegreen/prod") == name
