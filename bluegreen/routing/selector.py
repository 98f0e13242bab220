"""The route of the selector: the Service `<app>` for users and the Service `<app>-test` for testers, each on one color."""

from collections.abc import Sequence

from bluegreen.release.colors import COLORS
from bluegreen.release.objects import Object, Ref, as_mapping, as_text
from bluegreen.release.traffic import Traffic
from bluegreen.routing.base import Operations, Reading


def objects(app: str) -> tuple[Ref, ...]:
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


def move(app: str, found: Sequence[Object | None], users: str, testers: str) -> list[Operations]:
    """Sends users, and testers if there are any, to a color: the selector of their Service."""
    return [_select(app, service, color) for service, color in zip([*found, None, None][:2], (users, testers), strict=True)]


def parts(_: str) -> tuple[Ref, ...]:
    """None: the Services are all there is."""
    return ()


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
