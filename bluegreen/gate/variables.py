"""Which ConfigMaps and Secrets of variables the pods of a color use.

An update deletes the object of an old value when it has gone well. A color that the update did not wait for may still have pods
of the old value then, and they need the object as soon as a container starts again.
"""

from collections.abc import Iterator

from bluegreen.environment import LiveEnvironment
from bluegreen.release.metadata import OWNER, RESOURCE
from bluegreen.release.objects import Object, annotation
from bluegreen.release.settings import ColorSettings
from bluegreen.workload.base import Workload, has_values_name, name_of, pods_of, pods_of_workers
from bluegreen.workload.manifest.references import references


def still_used(cluster: LiveEnvironment, workload: Workload, color: ColorSettings, owner: str) -> list[Object]:
    """The objects of other values than those in `color` that its pods use, and that belong to the stack `owner`.

    Raises `LiveError`.
    """
    wanted = {(manifest.kind, manifest.name) for manifest in workload.objects(color)}
    # The program may have no right to read others.
    templates = _templates(cluster, workload, color)
    named = [reference for template in templates for reference in references(template["spec"])]
    used = {(reference.kind, reference.name) for reference in named if has_values_name(color, reference.name)}
    found = [cluster.get("v1", kind, name) for kind, name in sorted(used - wanted)]
    return [{"data": {}, **item} for item in found if item and _is_ours(item, owner)]


def _is_ours(item: Object, owner: str) -> bool:
    return annotation(item, OWNER) == owner and annotation(item, RESOURCE) == item["metadata"]["name"]


def _templates(cluster: LiveEnvironment, workload: Workload, color: ColorSettings) -> Iterator[Object]:
    """The pod templates that have pods, or will have some."""
    deployment = cluster.get("apps/v1", "Deployment", name_of(color))
    if deployment:
        yield deployment["spec"]["template"]
    listed = [*cluster.list_objects("apps/v1", "ReplicaSet", **pods_of(workload, color))]
    if color.workers:
        listed += cluster.list_objects("apps/v1", "ReplicaSet", **pods_of_workers(color))
    for item in listed:
        if item["spec"].get("replicas") or item.get("status", {}).get("replicas"):
            yield item["spec"]["template"]
