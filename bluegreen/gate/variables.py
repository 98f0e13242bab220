"""Which ConfigMaps and Secrets of variables the pods of a color use.

An update deletes the object of an old value when it has gone well. A color that the update did not wait for may still have pods
of the old value then, and they need the object as soon as a container starts again.
"""

from collections.abc import Iterator

from bluegreen.environment import LiveEnvironment
from bluegreen.release.metadata import OWNER, RESOURCE
from bluegreen.release.objects import Object, annotation
from bluegreen.release.settings import ColorSettings
from bluegreen.workload.base import Workload, has_values_name, labels_of, name_of

_KINDS = {"configMapRef": "ConfigMap", "secretRef": "Secret"}


def still_used(cluster: LiveEnvironment, workload: Workload, color: ColorSettings, owner: str) -> list[Object]:
    """The objects of other values than those in `color` that its pods use, and that belong to the stack `owner`.

    Raises `LiveError`.
    """
    wanted = {(manifest.kind, manifest.name) for manifest in workload.objects(color)}
    # The program may have no right to read others.
    templates = _templates(cluster, color)
    used = {source for template in templates for source in _sources(template) if has_values_name(color, *source)}
    found = [cluster.get("v1", kind, name) for kind, name in sorted(used - wanted)]
    return [{"data": {}, **item} for item in found if item and _is_ours(item, owner)]


def _is_ours(item: Object, owner: str) -> bool:
    return annotation(item, OWNER) == owner and annotation(item, RESOURCE) == item["metadata"]["name"]


def _templates(cluster: LiveEnvironment, color: ColorSettings) -> Iterator[Object]:
    """The pod templates that have pods, or will have some."""
    deployment = cluster.get("apps/v1", "Deployment", name_of(color))
    if deployment:
        yield deployment["spec"]["template"]
    for item in cluster.list_objects("apps/v1", "ReplicaSet", **labels_of(color)):
        if item["spec"].get("replicas") or item.get("status", {}).get("replicas"):
            yield item["spec"]["template"]


def _sources(template: Object) -> Iterator[tuple[str, str]]:
    spec = template["spec"]
    for container in [*spec["containers"], *(spec.get("initContainers") or [])]:
        for source in container.get("envFrom") or []:
            for ref, kind in _KINDS.items():
                if name := (source.get(ref) or {}).get("name"):
                    yield kind, name
