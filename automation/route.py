"""The route itself, written without the engine: the same object, the same field manager, the colors swapped.

Only `rollback --now` may use this, and an ordinary update follows it at once, so that state and config come to the same truth.
What is written is what the program has written, and nothing else: the cluster records for every writer which fields are its
own, so a field that the cluster has filled in is never claimed.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from automation.outcomes import Exit, ReleaseError
from release.live import Cluster, Object
from release.settings import COLORS, other

MANAGER = "bluegreen"

_OTHER = {color: other(color) for color in COLORS}


def owned(item: Object, manager: str = MANAGER) -> dict[str, Any]:
    """What `manager` has applied of an object, as it would apply it again."""
    for entry in item["metadata"].get("managedFields") or ():
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            found: dict[str, Any] = _extract(item, entry["fieldsV1"])
            identity = {name: item["metadata"][name] for name in ("name", "namespace")}
            metadata = {**found.get("metadata", {}), **identity}
            return {**found, "apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata}
    raise ReleaseError(
        Exit.REFUSED,
        f"{item['kind']} {item['metadata']['name']} was not written by this program, so it is not written directly.\n"
        "Nothing was changed.\n  next: bluegreen rollback, without --now.",
    )


def _extract(value: Any, fields: Mapping[str, Any]) -> Any:
    """The part of `value` that `fields` (FieldsV1 of Kubernetes) names; all of it where they end."""
    named = {key: below for key, below in fields.items() if key != "."}
    if not named:
        return value
    if isinstance(value, dict):
        return {key[2:]: _extract(value[key[2:]], below) for key, below in named.items() if key[2:] in value}
    return [item for key, below in named.items() for item in _items(value, key, below)]


def _items(values: list[Any], key: str, below: Mapping[str, Any]) -> Iterator[Any]:
    """The items of a list that `key` names: k:{...} by some of their fields, v:... by their value."""
    kind, wanted = key[:1], json.loads(key[2:])
    for item in values:
        if kind == "v" and item == wanted:
            yield item
        elif kind == "k" and isinstance(item, dict) and all(item.get(name) == each for name, each in wanted.items()):
            yield {**wanted, **_extract(item, below)}


def swapped(item: dict[str, Any]) -> dict[str, Any]:
    """The object of a route with blue and green in each other's place."""
    spec = item["spec"]
    if item["kind"] == "Service":
        selector = spec["selector"]
        return {**item, "spec": {**spec, "selector": {**selector, "color": _OTHER[selector["color"]]}}}
    return {**item, "spec": {**spec, "http": [_swapped_route(each) for each in spec["http"]]}}


def _swapped_route(rule: dict[str, Any]) -> dict[str, Any]:
    return {**rule, "route": [_swapped_destination(each) for each in rule["route"]]}


def _swapped_destination(given: dict[str, Any]) -> dict[str, Any]:
    destination = given["destination"]
    color = _OTHER[destination["subset"]]
    headers = {"response": {"set": {**given["headers"]["response"]["set"], "x-color": color}}}
    return {**given, "destination": {**destination, "subset": color}, "headers": headers}


def swap(cluster: Cluster, app: str, routing: str) -> None:
    """Swaps the colors of a route in the cluster, the users' first. Raises `LiveError` or `ReleaseError`."""
    if routing == "istio":
        _swap(cluster, "networking.istio.io/v1", "VirtualService", f"{app}-blue-green")
        return
    _swap(cluster, "v1", "Service", app)
    _swap(cluster, "v1", "Service", f"{app}-test")


def _swap(cluster: Cluster, api_version: str, kind: str, name: str) -> None:
    item = cluster.get(api_version, kind, name)
    if item is not None:
        _apply(cluster, swapped(owned(item)))


def _apply(cluster: Cluster, item: dict[str, Any]) -> None:
    """Server-side apply, by force: somebody else's hand on the route must not stop an emergency."""
    try:
        cluster.client.apply(item, MANAGER)
    except Exception as error:  # whatever went wrong on the way, the route is not written for sure
        name = f"{item['kind']} {item['metadata']['name']}"
        raise ReleaseError(
            Exit.RESOURCE,
            f"{name} could not be written: {error}\nUsers are where they were, or moved in part.\n"
            "  next: bluegreen status, then bluegreen rollback.",
        ) from None
