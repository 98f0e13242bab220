"""Objects of Kubernetes as plain data, and how to read them safely.

Another version of Kubernetes or a controller may give an object any shape, so no reader raises: a value of another type counts
as missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from bluegreen.release import metadata

Object = Mapping[str, Any]
"""An object as the cluster returns it, with the keys of Kubernetes."""


class Ref(NamedTuple):
    """Names one object of a namespace."""

    api_version: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Api:
    """How one API version names its kinds: the plural of each, which stands in the address of an object.

    All of them belong to a namespace. `if_absent` says what to do if the cluster does not have the API version.
    """

    plurals: Mapping[str, str]
    if_absent: str = ""


def value_at(item: object, *path: str) -> Any:
    """The value at `path` of an object, or None where the path ends. Objects of others may have any shape."""
    for key in path:
        item = item.get(key) if isinstance(item, Mapping) else None
    return item


def annotation(item: Object, name: str) -> str:
    """An annotation of the program (see `metadata`), empty if the object does not have it."""
    return str(metadata.read(as_mapping(value_at(item, "metadata", "annotations")), name) or "")


def is_terminating(item: Object) -> bool:
    """Whether an object is deleted already, and only waits for what belongs to it."""
    return value_at(item, "metadata", "deletionTimestamp") is not None


def as_mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is an object, otherwise an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_items(value: object) -> list[Mapping[str, Any]]:
    """The items of `value` if it is a list, each as an object; otherwise none."""
    return [as_mapping(item) for item in value] if isinstance(value, list) else []


def as_text(value: object) -> str:
    """`value` if it is a text, otherwise an empty one."""
    return value if isinstance(value, str) else ""


def as_number(value: object) -> int | None:
    """`value` if it is a whole number, otherwise None."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def containers_of(pod: Object) -> list[Mapping[str, Any]]:
    """The containers of a pod spec, then its init containers: native sidecars serve as well."""
    return [*as_items(pod.get("containers")), *as_items(pod.get("initContainers"))]


def grace_seconds(pod: Object) -> int:
    """How long a pod may take to stop; 30 s if its spec does not say it, as Kubernetes assumes."""
    written = as_number(pod.get("terminationGracePeriodSeconds"))
    return 30 if written is None else written
