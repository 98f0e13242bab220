"""Routing by selector: a NodePort Service selects the pods of one color.

It needs nothing but Kubernetes. Users reach the Service `<app>`, testers the Service `<app>-test`. A switch moves new
connections only: an established one stays with its pod until it closes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bluegreen.release.colors import COLORS
from bluegreen.release.config_keys import Key
from bluegreen.release.config_reader import Problem
from bluegreen.release.endpoint import NOTHING_GIVEN, Endpoint, Given
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Api, Object, Ref, as_mapping, as_text, value_at
from bluegreen.release.settings import Settings
from bluegreen.release.traffic import Traffic
from bluegreen.routing.base import Claims, Objects, Operations, Reading, cannot_verify

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
    """The Service of the users, and that of the testers if there is a test color."""
    users = _service(settings, settings.service.name, settings.traffic.active, settings.node_port)
    if not settings.traffic.testers:
        return Objects(route=(users,))
    name = f"{settings.service.name}-test"
    return Objects(route=(users, _service(settings, name, settings.traffic.testers, settings.test_node_port)))


def _service(settings: Settings, name: str, color: str, node_port: int) -> Manifest:
    app = settings.service.name
    port = {
        "name": "http",
        "port": settings.service.port,
        "targetPort": "http",
        **({"nodePort": node_port} if node_port else {}),
    }
    spec = {"type": "NodePort", "selector": selector(app, color), "ports": [port]}
    return Manifest(api_version="v1", kind="Service", name=name, body={"spec": spec}, labels={"app": app})


def route(app: str) -> tuple[Ref, ...]:
    """The Service of the users, and that of the testers, which is there while there is a test color."""
    return Ref("v1", "Service", app), Ref("v1", "Service", f"{app}-test")


def read(app: str, found: Sequence[Object | None]) -> Reading:
    """Who gets which color by the two Services. Never raises, whatever they hold."""
    users, testers = [*found, None, None][:2]
    if users is None:
        return Reading()
    served, foreign = _served(app, users)
    return Reading(
        traffic=Traffic.to(_only(served), _only(_served(app, testers)[0]) if testers is not None else ""),
        may_serve=served or None,
        foreign=f"Service {app} {foreign}" if foreign else "",
    )


def move(app: str, found: Sequence[Object | None], traffic: Traffic) -> list[Operations]:
    """Sends users, and testers if there are any, to a color: the selector of their Service."""
    colors = (traffic.active, traffic.testers)
    return [_select(app, service, color) for service, color in zip([*found, None, None][:2], colors, strict=True)]


def parts(_: str) -> tuple[Ref, ...]:
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
    """The configured URL, or the node port of the users' Service."""
    return settings.url or _address(written)


def command_of_testers(settings: Settings, written: Object | None) -> str:
    """A request to the node port of the testers' Service."""
    return f"curl {_address(written)}" if written and settings.traffic.testers else ""


def _address(service: Object | None) -> str:
    if service is None:
        return ""
    ports = value_at(service, "spec", "ports")
    # A number comes back from the engine as a float.
    port = int(value_at(ports[0], "nodePort") or 0) if isinstance(ports, list) and ports else 0
    return f"http://<any node>:{port or '<node port>'}"


def next_to_list(*_: object) -> tuple[str, str] | None:
    """Nothing: a Service has no host that another one could claim."""
    return None


def claims(*_: object) -> Claims:
    """None."""
    return Claims()


def selector(app: str, color: str) -> dict[str, str]:
    """The selector of a Service that leads to one color."""
    return {"app": app, "color": color}


def _select(app: str, service: Object | None, color: str) -> Operations:
    if service is None or not color:
        return []
    wanted = selector(app, color)
    # "add" replaces a member that is there.
    is_there = as_mapping(service.get("spec")).get("selector") == wanted
    return [] if is_there else [{"op": "add", "path": "/spec/selector", "value": wanted}]


def _served(app: str, service: Object) -> tuple[frozenset[str], str]:
    """The colors that a Service selects, and what is odd about that."""
    spec = as_mapping(service.get("spec"))
    selector = as_mapping(spec.get("selector"))
    if spec.get("type") == "ExternalName":
        return frozenset(), f"leads to {as_text(spec.get('externalName')) or 'another name'}"
    if not selector:
        return frozenset(), "has no selector"
    color = selector.get("color")
    colors = frozenset({color} if color in COLORS else COLORS if color is None else ())
    if selector.get("app", app) != app:
        colors = frozenset()
    is_ours = selector.keys() == {"app", "color"} and len(colors) == 1
    return colors, "" if is_ours else "selects " + ", ".join(f"{name}={value}" for name, value in sorted(selector.items()))


def _only(colors: frozenset[str]) -> str:
    return next(iter(colors)) if len(colors) == 1 else ""
