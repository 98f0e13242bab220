"""Routing by selector: each Service selects the pods of one color.

It needs nothing but Kubernetes. Users reach the Service `<app>`, or that of the team's manifest; testers reach the one with the
same name and `-test`. If an application has several Services, a switch writes that of the users first, and the others follow.
A switch moves new connections only: an established one stays with its pod until it closes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bluegreen.release import metadata
from bluegreen.release.colors import COLORS
from bluegreen.release.config_keys import Key
from bluegreen.release.config_reader import Problem
from bluegreen.release.endpoint import NOTHING_GIVEN, Endpoint, Given
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Api, Object, Ref, as_items, as_mapping, as_text, value_at
from bluegreen.release.settings import ServiceSettings, Settings, SharedService
from bluegreen.release.traffic import Traffic
from bluegreen.routing.base import Claims, Objects, Operations, Reading, cannot_verify, service_object

NAME = "selector"
APIS: Mapping[str, Api] = {}
KEYS: tuple[Key[Any], ...] = ()
HAS_TEST_ADDRESS = True


def problems(settings: Settings) -> Iterator[Problem]:
    """Two Services with the same node port, and `verify` without a URL."""
    if settings.node_port and settings.node_port == settings.test_node_port:
        fix = "Choose another port, or 0 for one that the cluster chooses."
        yield Problem("bluegreen:testNodePort", str(settings.test_node_port), "another port than nodePort", fix)
    if settings.verify and not settings.url:
        yield cannot_verify("Set bluegreen:url.")


def manifests(settings: Settings) -> Objects:
    """The Services of the users, and those of the testers if there is a test color."""
    service, traffic = settings.service, settings.traffic
    users = [_users(settings, shared) for shared in service.shared]
    testers = [_testers(settings, shared) for shared in reversed(service.shared)] if traffic.testers else []
    return Objects(route=(*users, *testers))


def _users(settings: Settings, shared: SharedService) -> Manifest:
    """A Service of the users, as the team wrote it. One from config values is reached by a port of each node."""
    service = settings.service
    labels = service.pod_labels(settings.traffic.active)
    if shared is not service.users:
        return service_object(service, shared, selector=labels)
    kind = _type(shared)
    kind = "NodePort" if settings.node_port and kind == "ClusterIP" else kind
    ports = [_port(port, settings.node_port if _is_users(settings, port) else 0) for port in shared.spec.get("ports", ())]
    return service_object(service, shared, selector=labels, type=kind, ports=ports)


def _testers(settings: Settings, shared: SharedService) -> Manifest:
    """A Service of the testers. It takes no address and no node port of the users' Service, and needs no load balancer."""
    service = settings.service
    node_port = settings.test_node_port if shared is service.users else 0
    kind = "NodePort" if node_port or _type(shared) != "ClusterIP" else "ClusterIP"
    own = ({key: value for key, value in port.items() if key != "nodePort"} for port in shared.spec.get("ports", ()))
    ports = [_port(port, node_port if _is_users(settings, port) else 0) for port in own]
    labels = service.pod_labels(settings.traffic.testers)
    without: dict[str, Any] = dict.fromkeys(_OF_USERS_ALONE)
    return service_object(service, shared, selector=labels, name=_test_name(shared.name), type=kind, ports=ports, **without)


# What no second Service can have, and what makes sense for a load balancer only.
_OF_USERS_ALONE = (
    "allocateLoadBalancerNodePorts",
    "externalIPs",
    "externalTrafficPolicy",
    "healthCheckNodePort",
    "loadBalancerClass",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
)


def _type(shared: SharedService) -> str:
    return str(shared.spec.get("type") or "NodePort")


def _is_users(settings: Settings, port: Mapping[str, Any]) -> bool:
    """Whether a port is the one that users come in by."""
    return bool(port.get("port") == settings.service.port)


def _port(port: Mapping[str, Any], node_port: int) -> dict[str, Any]:
    return {**port, **({"nodePort": node_port} if node_port else {})}


def _test_name(name: str) -> str:
    return f"{name}-test"


def route(service: ServiceSettings) -> tuple[Ref, ...]:
    """The Services of the users, and those of the testers, which are there while there is a test color."""
    names = [shared.name for shared in service.shared]
    return tuple(Ref("v1", "Service", name) for name in (*names, *map(_test_name, reversed(names))))


def read(service: ServiceSettings, found: Sequence[Object | None]) -> Reading:
    """Who gets which color by the Services. Never raises, whatever they hold."""
    users, *others = _of_users(service, found)
    testers = found[-1] if len(found) == len(route(service)) else None
    if users is None:
        return Reading()
    served, foreign = _served(service, users)
    # A switch that has failed between two Services leaves the others where they were.
    also = frozenset().union(*(_served(service, other)[0] for other in others if other is not None))
    return Reading(
        traffic=Traffic.to(_only(served), _only(_served(service, testers)[0]) if testers is not None else ""),
        may_serve=served | also if served else None,
        foreign=f"Service {service.users.name} {foreign}" if foreign else "",
    )


def _of_users(service: ServiceSettings, found: Sequence[Object | None]) -> list[Object | None]:
    """The Services of the users, that which they reach first."""
    count = len(service.shared)
    return [*found, *([None] * count)][:count]


def move(service: ServiceSettings, found: Sequence[Object | None], traffic: Traffic) -> list[Operations]:
    """Sends users, and testers if there are any, to a color: the selectors of their Services."""
    count = len(service.shared)
    colors = [traffic.active] * count + [traffic.testers] * count
    present = [*found, *([None] * len(colors))][: len(colors)]
    return [_select(service, item, color) for item, color in zip(present, colors, strict=True)]


def parts(_: ServiceSettings) -> tuple[Ref, ...]:
    """None: the Services are all there is."""
    return ()


def of_users(settings: Settings, given: Given = NOTHING_GIVEN) -> Endpoint | None:
    """The URL of the users. Only the application can say which color answers."""
    url = given.url or settings.url
    return Endpoint(url=url, color_header=given.color_header) if url else None


def of_testers(_: Settings, given: Given = NOTHING_GIVEN) -> Endpoint | None:
    """The URL of the testers, which only the command line gives."""
    return Endpoint(url=given.test_url, color_header=given.color_header) if given.test_url else None


def describe_testers(_: Settings) -> str:
    """The port of the test Service."""
    return "the test port"


def url(settings: Settings, written: Object | None) -> str:
    """The configured URL, or the address of the users' Service."""
    return settings.url or _address(settings, settings.service.users.name, written)


def command_of_testers(settings: Settings, written: Object | None) -> str:
    """A request to the testers' Service."""
    if not (written and settings.traffic.testers):
        return ""
    return f"curl {_address(settings, _test_name(settings.service.users.name), written)}"


def _address(settings: Settings, name: str, service: Object | None) -> str:
    """Where a Service is reached: at a port of each node, or, without one, by its name inside the cluster."""
    if service is None:
        return ""
    ports = as_items(value_at(service, "spec", "ports"))
    # A number comes back from the engine as a float.
    users = next((port for port in ports if int(port.get("port") or 0) == settings.service.port), ports[0] if ports else {})
    if value_at(service, "spec", "type") == "ClusterIP":
        return f"http://{name}.{settings.namespace}:{int(users.get('port') or settings.service.port)}"
    return f"http://<any node>:{int(users.get('nodePort') or 0) or '<node port>'}"


def next_to_list(*_: object) -> tuple[str, str] | None:
    """Nothing: a Service has no host that another one could claim."""
    return None


def claims(*_: object) -> Claims:
    """None."""
    return Claims()


def _select(service: ServiceSettings, item: Object | None, color: str) -> Operations:
    if item is None or not color:
        return []
    wanted = service.pod_labels(color)
    # "add" replaces a member that is there.
    is_there = as_mapping(item.get("spec")).get("selector") == wanted
    return [] if is_there else [{"op": "add", "path": "/spec/selector", "value": wanted}]


def _served(service: ServiceSettings, item: Object) -> tuple[frozenset[str], str]:
    """The colors that a Service selects, and what is odd about that."""
    spec = as_mapping(item.get("spec"))
    selector = as_mapping(spec.get("selector"))
    if spec.get("type") == "ExternalName":
        return frozenset(), f"leads to {as_text(spec.get('externalName')) or 'another name'}"
    if not selector:
        return frozenset(), "has no selector"
    color = selector.get("color")
    colors = frozenset({color} if color in COLORS else COLORS if color is None else ())
    if any(selector.get(label, service.name) != service.name for label in _APP):
        colors = frozenset()
    # Which label it is changes when a color goes over from config values to a manifest.
    is_ours = len(colors) == 1 and any(selector.keys() == {label, "color"} for label in _APP)
    return colors, "" if is_ours else "selects " + ", ".join(f"{name}={value}" for name, value in sorted(selector.items()))


# The labels that say which application a pod belongs to: from config values, or from a manifest.
_APP = ("app", metadata.APP)


def _only(colors: frozenset[str]) -> str:
    return next(iter(colors)) if len(colors) == 1 else ""
