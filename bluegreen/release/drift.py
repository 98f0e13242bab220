"""What somebody else has changed in an object that this program writes.

The cluster records for every writer which fields are its own (`metadata.managedFields`). A field that the program writes, that
another writer owns, and that has another value now, was changed beside the program. A value that the API server fills in, or
that an admission controller changes while the program writes, has no other owner.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from bluegreen.release.metadata import MANAGER
from bluegreen.release.objects import Object, as_items, as_mapping

Path = tuple[str, ...]

# The subresources in which somebody else's hand counts. The others, such as status, belong to controllers.
_COUNTED = ("", "scale")


class _Owners(NamedTuple):
    """Who owns what at one place of an object, as FieldsV1 of Kubernetes: the program's entries, and those of others."""

    ours: Sequence[Mapping[str, Any]]
    theirs: Sequence[Mapping[str, Any]]

    def below(self, key: str) -> "_Owners":
        """Who owns what at `key`."""
        return _Owners(*([as_mapping(fields[key]) for fields in side if key in fields] for side in self))


def is_changed(found: Object, wanted: Object, ignored: Collection[Path] = ()) -> bool:
    """Whether somebody else has changed in `found` what the program writes as `wanted`.

    `ignored` are the paths of fields that the program leaves to others. A field that somebody has removed is not noticed: the
    record does not say who owned it. Never raises, whatever `found` holds.
    """
    ours: list[Mapping[str, Any]] = []
    theirs: list[Mapping[str, Any]] = []
    for entry in as_items(as_mapping(found.get("metadata")).get("managedFields")):
        if (entry.get("subresource") or "") in _COUNTED:
            (ours if entry.get("manager") == MANAGER else theirs).append(as_mapping(entry.get("fieldsV1")))
    return _differ(found, wanted, (), _Owners(ours, theirs), ignored)


def is_own(found: Object, *keys: str) -> bool:
    """Whether the program owns the field at `keys` (of FieldsV1: `f:spec`, `k:{...}`), and nobody else does.

    Its value is then what the program wrote, or what an admission controller made of that.
    """
    owners = {
        str(entry.get("manager"))
        for entry in as_items(as_mapping(found.get("metadata")).get("managedFields"))
        if _has(entry.get("fieldsV1"), keys)
    }
    return owners == {MANAGER}


def _has(fields: object, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(fields, Mapping) or key not in fields:
            return False
        fields = fields[key]
    return True


def _differ(found: object, wanted: object, path: Path, owners: _Owners, ignored: Collection[Path]) -> bool:
    if not owners.theirs or wanted is None or path in ignored:
        return False
    if path and not all(map(_children, owners.theirs)):  # somebody else owns all of it
        return not owners.ours and found != wanted
    if isinstance(wanted, Mapping):
        present = as_mapping(found)
        return any(
            _differ(present.get(key), value, (*path, key), owners.below(f"f:{key}"), ignored) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return any(_item_differs(found, item, path, owners, ignored) for item in wanted)
    return False


def _item_differs(found: object, item: object, path: Path, owners: _Owners, ignored: Collection[Path]) -> bool:
    """Whether the item of a list was changed that has the same key fields as `item`."""
    key = next((key for side in owners for fields in side for key in _children(fields) if _means(key, item)), "")
    present = next((each for each in as_items(found) if _means(key, each)), None)
    return _differ(present, item, (*path, key), owners.below(key), ignored)


def _means(key: str, item: object) -> bool:
    """Whether a key of FieldsV1 means `item`: k:{...} by some of its fields, of which it may leave out those with a default."""
    try:
        named = json.loads(key[2:]) if key.startswith("k:") else None
    except ValueError:
        return False
    if not isinstance(named, dict) or not isinstance(item, Mapping):
        return False
    return any(name in item for name in named) and all(item.get(name, value) == value for name, value in named.items())


def _children(fields: Mapping[str, Any]) -> list[str]:
    return [key for key in fields if key != "."]
