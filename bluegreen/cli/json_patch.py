"""Operations of JSON Patch (RFC 6902) that several subcommands write."""

from typing import Any

from bluegreen.release.objects import Object, value_at
from bluegreen.routing.base import Operations


def unchanged(item: Object | None) -> dict[str, Any]:
    """Lets a patch fail if somebody has written the object since it was read."""
    return {"op": "test", "path": "/metadata/resourceVersion", "value": value_at(item, "metadata", "resourceVersion")}


def annotated(item: Object | None, name: str, text: str) -> Operations:
    """Sets an annotation."""
    made: Operations = [] if value_at(item, "metadata", "annotations") else [_NO_ANNOTATIONS]
    return [*made, {"op": "add", "path": _path(name), "value": text}]


def without_annotation(name: str) -> dict[str, Any]:
    """Removes an annotation that is there."""
    return {"op": "remove", "path": _path(name)}


_NO_ANNOTATIONS: dict[str, Any] = {"op": "add", "path": "/metadata/annotations", "value": {}}


def _path(name: str) -> str:
    return f"/metadata/annotations/{name.replace('/', '~1')}"
