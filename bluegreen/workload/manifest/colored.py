"""The objects of one color, derived from the application that its snapshot describes.

Everything stays as the team wrote it but for what two colors cannot share: names, the selectors by which objects find the pods,
and the names of the ConfigMaps and Secrets of the snapshot. Nothing in the snapshot is ever changed: each object is a copy.
"""

import hashlib
import json
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from bluegreen.release.config_keys import MAX_REPLICAS, READINESS_PATH, REPLICAS, STRATEGY
from bluegreen.release.manifest import Manifest
from bluegreen.release.metadata import APP, labels
from bluegreen.release.objects import Ref, as_items, as_mapping, as_number, value_at
from bluegreen.release.settings import ColorSettings
from bluegreen.workload import settings as from_config
from bluegreen.workload.base import name_of
from bluegreen.workload.manifest import overrides, values
from bluegreen.workload.manifest.application import Application
from bluegreen.workload.manifest.labels import annotations_of_object, divide_by_color, labels_of_object
from bluegreen.workload.manifest.references import renamed
from bluegreen.workload.manifest.shapes import without_nulls

# What Kubernetes assumes. Written out, because a default that the cluster fills in belongs to nobody and stays when the kind
# changes, and the cluster refuses a Recreate with the numbers of a RollingUpdate.
_ROLLING = {"maxSurge": "25%", "maxUnavailable": "25%"}
_GRACE_SECONDS = 30


def selector(color: ColorSettings) -> dict[str, str]:
    """The label of the pods of both colors. No label of the team's: those may name a version or a chart, and a selector cannot
    change."""
    return {APP: color.app}


def objects(color: ColorSettings, application: Application) -> list[Manifest]:
    """The objects of the color, in the order in which they are written."""
    found = [values.manifest(color, document) for document in application.values.values()]
    if color.secret_env:
        found.append(from_config.secret_of_variables(color))
    migration = [_migration(color, application, found)] if color.migrate else []
    deployment = _deployment(color, application, [*found, *migration])
    beside = [_budget(color, application, deployment)] if application.budget else []
    beside += [_autoscaler(color, application, deployment)] if color.max_replicas else []
    return [*found, *migration, deployment, *beside]


def pod_template_hash(color: ColorSettings, application: Application) -> str:
    """A digest of the template as the team wrote it, of the content of its ConfigMaps and Secrets, and of the config keys that
    override it.

    It is one of what goes in and not of the derived template, because a new version may derive another one, and must not
    restart the pods of every color for that.
    """
    defaults = ColorSettings(app=color.app, name=color.name, image=color.image)
    given = {name: getattr(color, name) for name in overrides.SHAPES_PODS if getattr(color, name) != getattr(defaults, name)}
    if overrides.is_given(color, READINESS_PATH):
        given["readiness_path"] = color.readiness_path
    if color.secret_env:
        given["secret_env"] = color.secret_digest
    if (image := overrides.image(color, application)) != application.main_container["image"]:
        given["image"] = image
    content = {f"{kind} {name}": values.digest(color, document) for (kind, name), document in application.values.items()}
    inputs = {"app": color.app, "color": color.name, "template": without_nulls(application.template), "content": content}
    return hashlib.sha256(json.dumps(inputs | {"given": given}, sort_keys=True).encode()).hexdigest()[:16]


def _selector(color: ColorSettings) -> dict[str, str]:
    return {**selector(color), "color": color.name}


def _labels(color: ColorSettings, metadata: Mapping[str, Any]) -> dict[str, str]:
    """The team's labels of an object, and ours. Without a label `app` it is that of the application, by which a Service selects
    both colors while the other one comes from config values."""
    return {"app": color.app, **labels_of_object(metadata), **_selector(color)}


def labels_of_pods(color: ColorSettings, application: Application) -> dict[str, str]:
    """Every label of the team's template, and ours."""
    return {"app": color.app, **application.labels, **_selector(color)}


def pod(color: ColorSettings, application: Application) -> dict[str, Any]:
    """The pod spec of the color."""
    spec: dict[str, Any] = without_nulls(application.pod)
    main = spec["containers"][application.main]
    overrides.set_images(color, application, spec)
    overrides.set_variables(color, main)
    overrides.set_pod(color, spec, main)
    divide_by_color(spec, labels_of_pods(color, application), application.own_labels, color.name)
    renamed(spec, lambda kind, name: _new_name(color, application, kind, name))
    for container in spec["containers"]:
        _drain(container, color.drain_seconds)
    grace = as_number(spec.get("terminationGracePeriodSeconds"))
    longest = max(_GRACE_SECONDS if grace is None else grace, color.drain_seconds + color.shutdown_seconds)
    return {**spec, "terminationGracePeriodSeconds": longest}


def _new_name(color: ColorSettings, application: Application, kind: str, name: str) -> str:
    document = application.values.get((kind, name))
    return values.name_in_color(color, document) if document else name


def _drain(container: dict[str, Any], seconds: int) -> None:
    """Lets a container go on serving while the proxies learn that its pod terminates, unless the team's own hook does that.

    Every container of the pod, because the application may need the others until its last request.
    """
    if not value_at(container, "lifecycle", "preStop"):
        container["lifecycle"] = {**as_mapping(container.get("lifecycle")), "preStop": {"sleep": {"seconds": seconds}}}


def _deployment(color: ColorSettings, application: Application, after: list[Manifest]) -> Manifest:
    written = without_nulls(application.deployment.object)
    metadata = {
        key: value for key, value in as_mapping(application.template.get("metadata")).items() if key in _TEMPLATE_METADATA
    }
    spec = {
        **written["spec"],
        "replicas": color.replicas,
        "selector": {"matchLabels": _selector(color)},
        "strategy": _strategy(color, as_mapping(written["spec"].get("strategy"))),
        "template": {
            "metadata": {**without_nulls(deepcopy(metadata)), "labels": labels_of_pods(color, application)},
            "spec": pod(color, application),
        },
    }
    return Manifest(
        api_version="apps/v1",
        kind="Deployment",
        name=name_of(color),
        body={"spec": spec},
        labels=_labels(color, written["metadata"]),
        annotations=annotations_of_object(written["metadata"]),
        # The autoscaler owns the number from its first decision on.
        ignored=("spec.replicas",) if color.max_replicas else (),
        waits_for=tuple(manifest.ref for manifest in after),
    )


_TEMPLATE_METADATA = ("annotations", "finalizers")


def _strategy(color: ColorSettings, written: Mapping[str, Any]) -> dict[str, Any]:
    if overrides.is_given(color, STRATEGY):
        return from_config.strategy(color.strategy)
    if written.get("type", "RollingUpdate") != "RollingUpdate":
        return {"type": written["type"]}
    return {**written, "type": "RollingUpdate", "rollingUpdate": {**_ROLLING, **as_mapping(written.get("rollingUpdate"))}}


def _migration(color: ColorSettings, application: Application, after: list[Manifest]) -> Manifest:
    """The Job of the main container: its image, variables and volumes, another command."""
    spec = pod(color, application)
    main = spec["containers"][application.main]
    mounted = {mount.get("name") for mount in as_items(main.get("volumeMounts"))}
    container = {key: value for key, value in main.items() if key not in _NOT_IN_A_MIGRATION}
    template = {
        **{key: value for key, value in spec.items() if key not in _NOT_IN_A_MIGRATION},
        "containers": [container | {"command": list(color.migrate)}],
        "volumes": [volume for volume in as_items(spec.get("volumes")) if volume.get("name") in mounted],
        "restartPolicy": "Never",
        "activeDeadlineSeconds": color.migrate_timeout_seconds,
    }
    described = {"labels": {**labels(color.app), "app": f"{color.app}-migrate"}}
    return from_config.migration(color, {"metadata": described, "spec": template}, after)


_NOT_IN_A_MIGRATION = (
    # of the pod
    "affinity",
    "initContainers",
    "terminationGracePeriodSeconds",
    "topologySpreadConstraints",
    # of the container
    "args",
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "restartPolicy",
    "startupProbe",
)


def _budget(color: ColorSettings, application: Application, deployment: Manifest) -> Manifest:
    assert application.budget
    written = without_nulls(application.budget.object)
    spec = {**written["spec"], "selector": {"matchLabels": _selector(color)}}
    resource = Ref("policy/v1", "PodDisruptionBudget", f"{name_of(color)}-budget")
    return _beside(color, deployment, resource, spec, written["metadata"])


def _autoscaler(color: ColorSettings, application: Application, deployment: Manifest) -> Manifest:
    """The team's own autoscaler, or, if only the config asks for one, that of config values."""
    target = {"apiVersion": deployment.api_version, "kind": deployment.kind, "name": deployment.name}
    written = without_nulls(application.autoscaler.object) if application.autoscaler else {"metadata": {}}
    spec = {**as_mapping(written.get("spec")), "scaleTargetRef": target}
    if not application.autoscaler or overrides.is_given(color, REPLICAS):
        spec["minReplicas"] = color.replicas
    if not application.autoscaler or overrides.is_given(color, MAX_REPLICAS):
        spec["maxReplicas"] = color.max_replicas
    version = written.get("apiVersion", "autoscaling/v2")
    resource = Ref(version, "HorizontalPodAutoscaler", f"{name_of(color)}-autoscaler")
    return _beside(color, deployment, resource, spec, written["metadata"])


def _beside(
    color: ColorSettings, deployment: Manifest, resource: Ref, spec: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Manifest:
    """An object that has the name of the Deployment, and a resource name of its own."""
    return Manifest(
        api_version=resource.api_version,
        kind=resource.kind,
        name=deployment.name,
        body={"spec": spec},
        labels=_labels(color, metadata),
        annotations=annotations_of_object(metadata),
        resource_name=resource.name,
        waits_for=(deployment.ref,),
    )
