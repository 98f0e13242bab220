"""Where a pod spec names ConfigMaps and Secrets."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bluegreen.release.objects import as_items, as_mapping, value_at
from bluegreen.release.snapshot import FieldPath


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One place where a pod spec names an object: the field `field` of `holder`, at `path` in the pod spec.

    `key` is the key of the object that must exist; empty if the reference is optional or takes all keys.
    """

    kind: str
    name: str
    holder: Any
    field: str
    path: FieldPath
    key: str = ""


def references(pod: Mapping[str, Any]) -> Iterator[Reference]:
    """Every reference to a ConfigMap or a Secret in a pod spec."""
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for position, container in enumerate(as_items(pod.get(group))):
            yield from _of_container(container, (group, position))
    for position, volume in enumerate(as_items(pod.get("volumes"))):
        yield from _of_volume(volume, ("volumes", position))
    for position, secret in enumerate(as_items(pod.get("imagePullSecrets"))):
        yield from _named("Secret", secret, "name", ("imagePullSecrets", position))


def renamed(pod: Mapping[str, Any], new_name: Callable[[str, str], str]) -> None:
    """Changes the name in every reference of `pod` to that which `new_name` returns for its kind and its name."""
    for reference in [*references(pod)]:
        reference.holder[reference.field] = new_name(reference.kind, reference.name)


def _of_container(container: Mapping[str, Any], path: FieldPath) -> Iterator[Reference]:
    for position, source in enumerate(as_items(container.get("envFrom"))):
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            yield from _named(kind, source.get(field), "name", (*path, "envFrom", position, field))
    for position, variable in enumerate(as_items(container.get("env"))):
        for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            holder = value_at(variable, "valueFrom", field)
            yield from _named(kind, holder, "name", (*path, "env", position, "valueFrom", field), needs_key=True)


# The volumes that name a Secret with credentials: kind of volume -> path to the name.
_CREDENTIALS = {
    "azureFile": ("secretName",),
    "cephfs": ("secretRef", "name"),
    "cinder": ("secretRef", "name"),
    "csi": ("nodePublishSecretRef", "name"),
    "flexVolume": ("secretRef", "name"),
    "iscsi": ("secretRef", "name"),
    "rbd": ("secretRef", "name"),
    "scaleIO": ("secretRef", "name"),
    "storageos": ("secretRef", "name"),
}


def _of_volume(volume: Mapping[str, Any], path: FieldPath) -> Iterator[Reference]:
    yield from _named("ConfigMap", volume.get("configMap"), "name", (*path, "configMap"))
    yield from _named("Secret", volume.get("secret"), "secretName", (*path, "secret"))
    for position, source in enumerate(as_items(value_at(volume, "projected", "sources"))):
        inside = (*path, "projected", "sources", position)
        yield from _named("ConfigMap", source.get("configMap"), "name", (*inside, "configMap"))
        yield from _named("Secret", source.get("secret"), "name", (*inside, "secret"))
    for kind, (*holders, field) in _CREDENTIALS.items():
        yield from _named("Secret", value_at(volume, kind, *holders), field, (*path, kind, *holders))


def _named(kind: str, holder: Any, field: str, path: FieldPath, *, needs_key: bool = False) -> Iterator[Reference]:
    found = as_mapping(holder)
    name = found.get(field)
    if isinstance(name, str) and name:
        key = str(found.get("key") or "") if needs_key and found.get("optional") is not True else ""
        yield Reference(kind=kind, name=name, holder=holder, field=field, path=(*path, field), key=key)
