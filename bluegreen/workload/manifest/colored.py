"""The objects of one color, derived from the application that its snapshot describes.

Everything stays as the team wrote it but for what two colors cannot share: names, the selectors by which objects find the pods,
and the names of the ConfigMaps and Secrets of the snapshot. Nothing in the snapshot is ever changed: each object is a copy.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bluegreen.release.config_keys import MAX_REPLICAS, READINESS_PATH, REPLICAS, STRATEGY
from bluegreen.release.manifest import Manifest
from bluegreen.release.metadata import APP, CONTAINER, WORKER, WORKER_OF, labels
from bluegreen.release.objects import Ref, as_items, as_mapping, as_number, grace_seconds, value_at
from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot import Document
from bluegreen.workload import settings as from_config
from bluegreen.workload.base import name_of, worker_name
from bluegreen.workload.manifest import overrides, values
from bluegreen.workload.manifest.application import Application, Pods
from bluegreen.workload.manifest.labels import annotations_of_object, divide_by_color, labels_of_object
from bluegreen.workload.manifest.references import renamed
from bluegreen.workload.manifest.shapes import without_nulls

# What Kubernetes assumes. Written out, because a default that the cluster fills in belongs to nobody and stays when the kind
# changes, and the cluster refuses a Recreate with the numbers of a RollingUpdate.
_ROLLING = {"maxSurge": "25%", "maxUnavailable": "25%"}


def selector(color: ColorSettings) -> dict[str, str]:
    """The label of the pods of both colors. No label of the team's: those may name a version or a chart, and a selector cannot
    change."""
    return {APP: color.app}


def objects(color: ColorSettings, application: Application) -> list[Manifest]:
    """The objects of the color but for its workers, in the order in which they are written."""
    found = _values(color, application)
    migration = [_migration(color, application, found)] if color.migrate else []
    web = application.web
    deployment = _deployment(color, application, web, color.replicas, [*found, *migration])
    # The autoscaler owns the number from its first decision on.
    deployment = replace(deployment, ignored=("spec.replicas",) if color.max_replicas else ())
    beside = [_budget(color, web, web.budget, deployment)] if web.budget else []
    beside += [_autoscaler_of_color(color, web, deployment)] if color.max_replicas else []
    return [*found, *migration, deployment, *beside]


def workers(color: ColorSettings, application: Application, *, running: bool) -> list[Manifest]:
    """The workers of the color: Deployments without pods unless they are `running`, with what belongs to their pods.

    They refer to ConfigMaps and Secrets of `objects`, which come before them.
    """
    found = [] if not application.workers else _values(color, application)
    return [made for pods in application.workers for made in _worker(color, application, pods, found, running=running)]


def _worker(
    color: ColorSettings, application: Application, pods: Pods, found: list[Manifest], *, running: bool
) -> Iterator[Manifest]:
    holder = pods.autoscaler.at("spec", "minReplicas") if pods.autoscaler else pods.deployment.at("spec", "replicas")
    wanted = as_number(holder)
    # An autoscaler leaves a Deployment alone that has no pods.
    deployment = _deployment(color, application, pods, (1 if wanted is None else wanted) if running else 0, found)
    yield replace(deployment, annotations={**deployment.annotations, CONTAINER: str(pods.main_container["name"])})
    if pods.budget:
        yield _budget(color, pods, pods.budget, deployment)
    if pods.autoscaler:
        yield _autoscaler(color, pods, pods.autoscaler, deployment, {})


def _values(color: ColorSettings, application: Application) -> list[Manifest]:
    """The ConfigMaps and Secrets of the color."""
    found = [values.manifest(color, document) for document in application.values.values()]
    return [*found, *([from_config.secret_of_variables(color)] if color.secret_env else [])]


def pod_template_hash(color: ColorSettings, application: Application) -> str:
    """A digest of the template as the team wrote it, of the content of its ConfigMaps and Secrets, and of the config keys that
    override it.

    It is one of what goes in and not of the derived template, because a new version may derive another one, and must not
    restart the pods of every color for that.
    """
    given = from_config.shaping(color, overrides.SHAPES_PODS)
    if overrides.is_given(color, READINESS_PATH):
        given["readiness_path"] = color.readiness_path
    if (image := overrides.image(color, application)) != application.web.main_container["image"]:
        given["image"] = image
    content = {f"{kind} {name}": values.digest(color, document) for (kind, name), document in application.values.items()}
    inputs = {"app": color.app, "color": color.name, "template": without_nulls(application.web.template), "content": content}
    if application.workers:
        inputs["workers"] = {pods.deployment.name: without_nulls(pods.template) for pods in application.workers}
    return hashlib.sha256(json.dumps(inputs | {"given": given}, sort_keys=True).encode()).hexdigest()[:16]


def is_worker(color: ColorSettings, pods: Pods) -> bool:
    return pods.deployment.name in color.workers


def name_in_color(color: ColorSettings, pods: Pods) -> str:
    """The name of the color's Deployment that is made of these pods: `<app>-<color>`, or that of a worker."""
    return worker_name(color, pods.deployment.name) if is_worker(color, pods) else name_of(color)


def selector_of_pods(color: ColorSettings, pods: Pods) -> dict[str, str]:
    """The labels by which the color's objects select these pods."""
    if is_worker(color, pods):
        return {WORKER_OF: color.app, WORKER: pods.deployment.name, "color": color.name}
    return {**selector(color), "color": color.name}


def labels_of_pods(color: ColorSettings, pods: Pods) -> dict[str, str]:
    """Every label of the team's template, and ours.

    Without a label `app`, pods that serve users get that of the application: a Service selects both colors by it while the
    other one comes from config values.
    """
    return {**({} if is_worker(color, pods) else {"app": color.app}), **pods.labels, **selector_of_pods(color, pods)}


def _labels(color: ColorSettings, pods: Pods, metadata: Mapping[str, Any]) -> dict[str, str]:
    """The team's labels of an object, and ours."""
    return {"app": color.app, **labels_of_object(metadata), **selector_of_pods(color, pods)}


def pod(color: ColorSettings, application: Application, pods: Pods) -> dict[str, Any]:
    """The pod spec of the color."""
    spec: dict[str, Any] = without_nulls(pods.pod)
    main = spec["containers"][pods.main]
    overrides.set_images(color, application, spec)
    overrides.set_variables(color, main)
    overrides.set_pod(color, spec)
    divide_by_color(spec, labels_of_pods(color, pods), pods.own_labels, color.name)
    renamed(spec, lambda kind, name: _new_name(color, application, kind, name))
    if not is_worker(color, pods):
        overrides.set_main_container(color, main)
        _drain(color, spec)
    return spec


def _new_name(color: ColorSettings, application: Application, kind: str, name: str) -> str:
    document = application.values.get((kind, name))
    return values.name_in_color(color, document) if document else name


def _drain(color: ColorSettings, spec: dict[str, Any]) -> None:
    """Lets containers go on serving while the proxies learn that their pod terminates, unless the team's own hook does that.

    Every container of the pod, because the application may need the others until its last request.
    """
    for container in spec["containers"]:
        if not value_at(container, "lifecycle", "preStop"):
            sleep = {"preStop": {"sleep": {"seconds": color.drain_seconds}}}
            container["lifecycle"] = {**as_mapping(container.get("lifecycle")), **sleep}
    spec["terminationGracePeriodSeconds"] = max(grace_seconds(spec), color.drain_seconds + color.shutdown_seconds)


def _deployment(
    color: ColorSettings, application: Application, pods: Pods, replicas: int, after: Sequence[Manifest]
) -> Manifest:
    written = without_nulls(pods.deployment.object)
    metadata = {key: value for key, value in as_mapping(pods.template.get("metadata")).items() if key in _TEMPLATE_METADATA}
    spec = {
        **written["spec"],
        "replicas": replicas,
        "selector": {"matchLabels": selector_of_pods(color, pods)},
        "strategy": _strategy(color, pods, as_mapping(written["spec"].get("strategy"))),
        "template": {
            "metadata": {**without_nulls(metadata), "labels": labels_of_pods(color, pods)},
            "spec": pod(color, application, pods),
        },
    }
    return Manifest(
        api_version="apps/v1",
        kind="Deployment",
        name=name_in_color(color, pods),
        body={"spec": spec},
        labels=_labels(color, pods, written["metadata"]),
        annotations=annotations_of_object(written["metadata"]),
        waits_for=tuple(manifest.ref for manifest in after),
    )


_TEMPLATE_METADATA = ("annotations", "finalizers")


def _strategy(color: ColorSettings, pods: Pods, written: Mapping[str, Any]) -> dict[str, Any]:
    if overrides.is_given(color, STRATEGY) and not is_worker(color, pods):
        return from_config.strategy(color.strategy)
    if written.get("type", "RollingUpdate") != "RollingUpdate":
        return {"type": written["type"]}
    return {**written, "type": "RollingUpdate", "rollingUpdate": {**_ROLLING, **as_mapping(written.get("rollingUpdate"))}}


def _migration(color: ColorSettings, application: Application, after: list[Manifest]) -> Manifest:
    """The Job of the main container: its image, variables and volumes, another command."""
    spec = pod(color, application, application.web)
    main = spec["containers"][application.web.main]
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


def _budget(color: ColorSettings, pods: Pods, budget: Document, deployment: Manifest) -> Manifest:
    written = without_nulls(budget.object)
    spec = {**written["spec"], "selector": {"matchLabels": selector_of_pods(color, pods)}}
    resource = Ref("policy/v1", "PodDisruptionBudget", f"{deployment.name}-budget")
    described = written["metadata"]
    return from_config.beside(deployment, resource, spec, _labels(color, pods, described), annotations_of_object(described))


def _autoscaler_of_color(color: ColorSettings, pods: Pods, deployment: Manifest) -> Manifest:
    """The team's own autoscaler with the numbers of the config, or, if only the config asks for one, that of config values."""
    numbers = {"minReplicas": color.replicas} if not pods.autoscaler or overrides.is_given(color, REPLICAS) else {}
    if not pods.autoscaler or overrides.is_given(color, MAX_REPLICAS):
        numbers["maxReplicas"] = color.max_replicas
    return _autoscaler(color, pods, pods.autoscaler, deployment, numbers)


def _autoscaler(
    color: ColorSettings, pods: Pods, autoscaler: Document | None, deployment: Manifest, numbers: Mapping[str, int]
) -> Manifest:
    target = {"apiVersion": deployment.api_version, "kind": deployment.kind, "name": deployment.name}
    written = without_nulls(autoscaler.object) if autoscaler else {"metadata": {}}
    spec = {**as_mapping(written.get("spec")), "scaleTargetRef": target, **numbers}
    version = written.get("apiVersion", "autoscaling/v2")
    resource = Ref(version, "HorizontalPodAutoscaler", f"{deployment.name}-autoscaler")
    described = written["metadata"]
    return from_config.beside(deployment, resource, spec, _labels(color, pods, described), annotations_of_object(described))
