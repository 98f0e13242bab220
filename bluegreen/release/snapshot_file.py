"""Writes objects as the snapshot of a color, so that its diff shows what a release changes and nothing else.

1. The same objects give the same bytes: documents are sorted by kind and name, keys as people write them, and the values are
   quoted so that every reader of YAML takes them for the same.
2. What a cluster or another tool has added is left out: the status, managed fields, annotations that track ownership.
3. A snapshot holds no value of a Secret: `${secretData}` stands in its place, and the value goes into the stack's config.
"""

import base64
import binascii
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bluegreen.release.image import Image
from bluegreen.release.objects import Object, as_mapping, containers_of, value_at
from bluegreen.release.snapshot import OF_THE_SERVER, PLACEHOLDER, TRACKING, resolved

if TYPE_CHECKING:
    import yaml

HEADER = "# Written by bluegreen deploy. The values of Secrets are in the stack's config, encrypted: <color>:secretData.\n"

# Ends of lines that a reader of YAML turns into others.
_LINES = frozenset("\r\x85\u2028\u2029")
_FIRST_KEYS = ("apiVersion", "kind", "metadata", "name", "namespace")


class SecretValueError(Exception):
    """A Secret that Kubernetes would reject. The message never has the value."""


def cleaned(item: Object) -> dict[str, Any]:
    """A copy of an object without what a cluster or another tool has added to it."""
    copy = deepcopy({key: value for key, value in item.items() if key != "status"})
    for metadata in (copy.get("metadata"), value_at(copy, "spec", "template", "metadata")):
        if isinstance(metadata, dict):
            _clean_metadata(metadata)
    if copy.get("kind") == "Service" and isinstance(spec := copy.get("spec"), dict) and spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    return copy


def _clean_metadata(metadata: dict[str, Any]) -> None:
    for name in OF_THE_SERVER:
        metadata.pop(name, None)
    for group in ("annotations", "labels"):
        given = metadata.get(group)
        if isinstance(given, dict):
            metadata[group] = {name: value for name, value in given.items() if not name.startswith(TRACKING)}
        if group in metadata and not metadata[group]:
            del metadata[group]


SecretData = Mapping[str, Mapping[str, str]]
"""Name of a Secret -> key -> value, as `<color>:secretData` has it."""


@dataclass(frozen=True, kw_only=True)
class Moved:
    """Objects without the values of their Secrets, and these values.

    `kept` are the names and keys whose value stands in the stack's config already: the input had the placeholder.
    """

    objects: Sequence[Object]
    values: SecretData = field(repr=False)
    kept: Sequence[tuple[str, str]]


def without_secret_values(objects: Iterable[Object]) -> Moved:
    """Puts `${secretData}` in the place of each value of a Secret. Raises `SecretValueError`."""
    left: list[Object] = []
    values: dict[str, dict[str, str]] = {}
    kept: list[tuple[str, str]] = []
    for item in objects:
        if item.get("kind") != "Secret" or not ("data" in item or "stringData" in item):
            left.append(item)
            continue
        name = str(value_at(item, "metadata", "name"))
        found = {key: (section, value) for section, key, value in _secret_values(item, name)}
        values[name] = {key: value for key, (_, value) in found.items() if value != PLACEHOLDER}
        kept += [(name, key) for key, (_, value) in found.items() if value == PLACEHOLDER]
        sections: dict[str, dict[str, str]] = {}
        for key, (section, _) in found.items():
            sections.setdefault(section, {})[key] = PLACEHOLDER
        left.append({key: value for key, value in item.items() if key not in ("data", "stringData")} | sections)
    return Moved(objects=left, values={name: found for name, found in values.items() if found}, kept=kept)


def _secret_values(secret: Object, name: str) -> Iterator[tuple[str, str, str]]:
    """The section, key and value of each value. A key of `stringData` comes last: it wins, as in Kubernetes.

    A text goes into `stringData`, so that a person can set it in the config as it is; anything else stays in `data`, as base64.
    """
    for section in ("data", "stringData"):
        given = secret.get(section)
        if not isinstance(given, Mapping | None):
            raise SecretValueError(f"Secret {name}: {section} is no object with keys and values.")
        for key, value in (given or {}).items():
            if value is not None and not isinstance(value, str):
                raise SecretValueError(f"Secret {name}: the value of {section}.{key} is no text. Write it in quotes.")
            if section == "stringData" or value == PLACEHOLDER:
                yield section, key, value or ""
            else:
                yield _decoded(value or "", f"Secret {name}: the value of data.{key}", key)


def _decoded(value: str, what: str, key: str) -> tuple[str, str, str]:
    try:
        content = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise SecretValueError(f"{what} is not in base64. Encode it, or write it into stringData.") from None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if any(ord(character) < ord(" ") and character not in "\t\n\r" for character in text):
        return "data", key, base64.b64encode(content).decode()
    return "stringData", key, text


def with_image(objects: Iterable[Object], replaced: str, image: str) -> list[Object]:
    """The objects with `image` in every container of the repository of the image `replaced`, in their Deployments."""
    copies = deepcopy(list(objects))
    repository = Image.parse(replaced).repository
    for item in copies:
        spec = as_mapping(value_at(item, "spec", "template", "spec")) if item.get("kind") == "Deployment" else {}
        for container in containers_of(spec):
            if isinstance(container, dict) and Image.parse(str(container.get("image"))).repository == repository:
                container["image"] = image
    return copies


def text_of(objects: Iterable[Object]) -> str:
    """The text of a snapshot."""
    return HEADER + "".join(f"---\n{written(item)}" for item in sorted(objects, key=_position))


def _position(item: Object) -> tuple[str, str, str]:
    metadata = as_mapping(item.get("metadata"))
    return str(item.get("kind")), str(metadata.get("name")), str(metadata.get("namespace", ""))


def written(item: Object) -> str:
    """One document of YAML."""
    import yaml

    # In Python on every machine: the emitter in C folds and escapes in another way.
    text: str = yaml.dump(
        _ordered(item), Dumper=_dumper(), default_flow_style=False, sort_keys=False, allow_unicode=True, width=2**20
    )
    return text


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value, key=_key_position)}
    return [_ordered(part) for part in value] if isinstance(value, list | tuple) else value


def _key_position(key: str) -> tuple[int, str]:
    return (_FIRST_KEYS.index(key) if key in _FIRST_KEYS else len(_FIRST_KEYS)), key


@functools.cache
def _dumper() -> "type[yaml.SafeDumper]":
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _: Any) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        # PyYAML quotes what itself would misread, and not what kubectl would.
        is_plain = resolved(value) == value and _LINES.isdisjoint(value)
        style = "|" if "\n" in value and _LINES.isdisjoint(value) else None if is_plain else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper
