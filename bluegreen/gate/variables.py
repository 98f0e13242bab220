"""Which ConfigMaps and Secrets of variables the pods of a color use.

An update deletes the object of an old value when it has gone well. A color that the update did not wait for may still have pods
of the old value then, and they need the object as soon as a container starts again.
"""

from collections.abc import Iterator

from bluegreen.environment import LiveEnvironment
from bluegreen.release.metadata import OWNER, RESOURCE
from bluegreen.release.objects import Object, annotation
from bluegreen.release.settings import ColorSettings
from bluegreen.workload.settings import config_map_name, labels, name_of, secret_name

_KINDS = {"configMapRef": "ConfigMap", "secretRef": "Secret"}


def still_used(cluster: LiveEnvironment, color: ColorSettings, owner: str) -> list[Object]:
    """The objects of other values than those in `color` that its pods use, and that belong to the stack `owner`.

    Raises `LiveError`.
    """
    wanted = {("Secret", secret_name(color))} if color.secret_env else set()
    wanted |= {("ConfigMap", config_map_name(color))} if color.env else set()
    used = {source for template in _templates(cluster, color) for source in _sources(template) if _is_made(source, color)}
    found = [cluster.get("v1", kind, name) for kind, name in sorted(used - wanted)]
    return [{"data": {}, **item} for item in found if item and _is_ours(item, owner)]


def _is_made(source: tuple[str, str], color: ColorSettings) -> bool:
    """Whether an object has the name of one that the program makes. It may have no right to read others."""
    kind, name = source
    return name.startswith(f"{name_of(color)}-{'env' if kind == 'ConfigMap' else 'secret-env'}-")


def _is_ours(item: Object, owner: str) -> bool:
    return annotation(item, OWNER) == owner and annotation(item, RESOURCE) == item["metadata"]["name"]


def _templates(cluster: LiveEnvironment, color: ColorSettings) -> Iterator[Object]:
    """The pod templates that have pods, or will have some."""
    deployment = cluster.get("apps/v1", "Deployment", name_of(color))
    if deployment:
        yield deployment["spec"]["template"]
    for item in cluster.list_objects("apps/v1", "ReplicaSet", **labels(color)):
        if item["spec"].get("replicas") or item.get("status", {}).get("replicas"):
            yield item["spec"]["template"]


def _sources(template: Object) -> Iterator[tuple[str, str]]:
    spec = template["spec"]
    for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
        for source in container.get("envFrom") or []:
            for ref, kind in _KINDS.items():
                if name := (source.get(ref) or {}).get("name"):
                    yield kind, name
