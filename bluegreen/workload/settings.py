"""Pods as the config describes them: one container of the application, its variables, and its migration.

The names of a ConfigMap and a Secret are digests of their values, so a changed value is another name, another pod template, and
new pods of this color alone.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bluegreen.release import config_keys as keys
from bluegreen.release import metadata
from bluegreen.release.config_reader import Problem
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Ref
from bluegreen.release.settings import ColorSettings, SharedService, service_of_config
from bluegreen.workload import earlier
from bluegreen.workload.base import Note, labels_of, name_of, values_name


def objects(color: ColorSettings) -> list[Manifest]:
    """The Deployment `<app>-<color>` with its variables, its migration, its disruption budget and its autoscaler."""
    variables = _variables(color)
    migrations = [migration(color, migration_template(color), variables)] if color.migrate else []
    deployment = _deployment(color, [*variables, *migrations])
    budget = [_disruption_budget(color, deployment)] if max(color.replicas, color.max_replicas) > 1 else []
    autoscaler = [_autoscaler(color, deployment)] if color.max_replicas else []
    return [*variables, *migrations, deployment, *budget, *autoscaler]


# The settings that shape pods, besides those that every color has. The others are about how many pods there are, how an update
# waits for them, and about the migration.
SHAPES_PODS = (
    "port",
    "readiness_path",
    "drain_seconds",
    "shutdown_seconds",
    "env",
    "config_map_refs",
    "secret_refs",
    "resources",
    "image_pull_secret",
    "run_as_user",
)


def pod_template_hashes(color: ColorSettings) -> tuple[str, ...]:
    """A digest of the settings that shape pods, and that of version 0.1.0.

    It is one of settings and not of the pod template, because a new version may write another template for the same settings,
    and must not restart the pods of every color for that. A setting with its default value does not count: a new version may
    add one.
    """
    inputs = shaping(color, SHAPES_PODS) | {"app": color.app, "color": color.name, "image": str(color.image)}
    digest = hashlib.sha256(_canonical(inputs)).hexdigest()[:16]
    return digest, earlier.pod_template_hash(color, config_map_name(color), secret_name(color))


def shaping(color: ColorSettings, names: Iterable[str]) -> dict[str, Any]:
    """The settings `names` that do not have their default, and a digest of the secret variables if there are any."""
    defaults = ColorSettings(app=color.app, name=color.name, image=color.image)
    found = {name: getattr(color, name) for name in names if getattr(color, name) != getattr(defaults, name)}
    return found | ({"secret_env": color.secret_digest} if color.secret_env else {})


def main_container(color: ColorSettings) -> str:
    """The container has the name of the application."""
    return color.app


def problems(_: ColorSettings) -> Iterator[Problem]:
    """None: the reader of the config has checked every value."""
    yield from ()


def workers(_: ColorSettings, *, running: bool) -> list[Manifest]:  # noqa: ARG001
    """None: only a manifest has workers."""
    return []


def completed(color: ColorSettings) -> ColorSettings:
    """The same: the config says everything."""
    return color


def services(color: ColorSettings) -> tuple[SharedService, ...]:
    """One Service with the name of the application; the name of its port says that it carries HTTP."""
    return (service_of_config(color.app, color.users_port or keys.PORT.default),)


def selector(color: ColorSettings) -> dict[str, str]:
    """The label `app`."""
    return {"app": color.app}


def notes(_: ColorSettings) -> list[Note]:
    """None: the config says what the pods are."""
    return []


def _variables(color: ColorSettings) -> list[Manifest]:
    """The ConfigMap and the Secret of the variables, where there are any.

    Another value is another resource. The one of the old values is deleted at the end of an update that went well. After an
    update that failed it stays as it is: the pods that are left, or come back, need it.
    """
    made = []
    if color.env:
        made.append(_values(color, "ConfigMap", config_map_name(color), {"data": dict(color.env)}))
    if color.secret_env:
        made.append(secret_of_variables(color))
    return made


def secret_of_variables(color: ColorSettings) -> Manifest:
    """The Secret of the secret variables."""
    return _values(color, "Secret", secret_name(color), {"stringData": dict(color.secret_env)})


def _values(color: ColorSettings, kind: str, name: str, body: Mapping[str, Any]) -> Manifest:
    return Manifest(
        api_version="v1",
        kind=kind,
        name=name,
        body=body,
        labels=labels_of(color),
        # All values of a color had the same resource once.
        formerly=(values_name(color, kind, "").rstrip("-"),),
    )


def migration(color: ColorSettings, template: Mapping[str, Any], variables: list[Manifest]) -> Manifest:
    """The migration, once for each image: a Job with this pod template, whose name is a digest of its image and command."""
    name = job_name(color)
    spec = {
        "backoffLimit": 0,
        # The time limit is that of the pod, which counts from when a node accepts it. A Job counts from its creation, so a
        # pod that waits for a node would use the time up; and a Job that ends its pods deletes them, with their logs.
        "template": template,
    }
    return Manifest(
        api_version="batch/v1",
        kind="Job",
        name=name,
        body={"spec": spec},
        labels=labels_of(color),
        # A name that was too long does not begin with the color's.
        resource_name=f"{name_of(color)}{name.removeprefix(name_of(color))}",
        # A Job cannot change, and neither a variable that changes later nor a new version of the program must run it again. The
        # provider replaces a Job after an update of its metadata, whatever is ignored of its spec.
        ignored=("spec", "metadata"),
        waits_for=tuple(variable.ref for variable in variables),
    )


def _deployment(color: ColorSettings, after: list[Manifest]) -> Manifest:
    spec = {
        "replicas": color.replicas,
        "selector": {"matchLabels": labels_of(color)},
        "strategy": strategy(color.strategy),
        "template": pod_template(color),
    }
    return Manifest(
        api_version="apps/v1",
        kind="Deployment",
        name=name_of(color),
        body={"spec": spec},
        labels=labels_of(color),
        # The autoscaler owns the number from its first decision on.
        ignored=("spec.replicas",) if color.max_replicas else (),
        waits_for=tuple(manifest.ref for manifest in after),
    )


def _disruption_budget(color: ColorSettings, deployment: Manifest) -> Manifest:
    # Pods that are not ready serve nobody, and must not keep a node from being drained.
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": labels_of(color)},
    }
    resource = Ref("policy/v1", "PodDisruptionBudget", f"{name_of(color)}-budget")
    return beside(deployment, resource, spec, labels_of(color))


def _autoscaler(color: ColorSettings, deployment: Manifest) -> Manifest:
    """Scales on CPU at 80 % of the request: what Kubernetes does when no metric is named."""
    spec = {
        "scaleTargetRef": {"apiVersion": deployment.api_version, "kind": deployment.kind, "name": deployment.name},
        "minReplicas": color.replicas,
        "maxReplicas": color.max_replicas,
    }
    resource = Ref("autoscaling/v2", "HorizontalPodAutoscaler", f"{name_of(color)}-autoscaler")
    return beside(deployment, resource, spec, labels_of(color))


def beside(
    deployment: Manifest,
    resource: Ref,
    spec: Mapping[str, Any],
    labels: Mapping[str, str],
    annotations: Mapping[str, str] | None = None,
) -> Manifest:
    """An object that has the name of the Deployment, and a resource name of its own."""
    return Manifest(
        api_version=resource.api_version,
        kind=resource.kind,
        name=deployment.name,
        body={"spec": spec},
        labels=labels,
        annotations=annotations or {},
        resource_name=resource.name,
        waits_for=(deployment.ref,),
    )


def strategy(kind: str) -> dict[str, Any]:
    """How new pods take over from old ones. With RollingUpdate no pod stops before another one is ready.

    The numbers are written out: a default that the cluster fills in belongs to nobody, so it stays when the kind changes, and
    the cluster refuses a Recreate that still has the numbers of a RollingUpdate.
    """
    if kind == "Recreate":
        return {"type": kind}
    return {"type": kind, "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}


def config_map_name(color: ColorSettings) -> str:
    """The name of the ConfigMap with the plain variables, by its values."""
    return values_name(color, "ConfigMap", hashlib.sha256(_canonical(color.env)).hexdigest()[:10])


def secret_name(color: ColorSettings) -> str:
    """The name of the Secret with the secret variables, by its values."""
    return values_name(color, "Secret", color.secret_digest)


# The name of a Job is a label of its pods.
_LONGEST_JOB_NAME = 63


def job_name(color: ColorSettings) -> str:
    """The name of the migration's Job, one for each image and command.

    A name that would be too long loses the end of the app's name, and the digest then includes the app.
    """
    what = [color.image, color.migrate]
    name = f"{name_of(color)}-migrate-{_digest(what)}"
    if (excess := len(name) - _LONGEST_JOB_NAME) <= 0:
        return name
    return f"{color.app[:-excess].rstrip('-')}-{color.name}-migrate-{_digest([color.app, *what])}"


def _digest(what: list[Any]) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:10]


def pod_template(color: ColorSettings) -> dict[str, Any]:
    """The template of the color's Deployment."""
    container = _container(color) | {
        "ports": [{"name": "http", "containerPort": color.port}],
        "readinessProbe": {
            "httpGet": {"path": color.readiness_path, "port": "http"},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
        },
        # The pod goes on serving while the proxies learn that it terminates; only then does it get the signal to stop.
        "lifecycle": {"preStop": {"sleep": {"seconds": color.drain_seconds}}},
    }
    spec = _pod(color, container) | {"terminationGracePeriodSeconds": color.drain_seconds + color.shutdown_seconds}
    return {"metadata": {"labels": {**metadata.labels(color.app), **labels_of(color)}}, "spec": spec}


def migration_template(color: ColorSettings) -> dict[str, Any]:
    """The template of the migration's Job: the color's own image and variables, another command."""
    container = _container(color) | {"command": list(color.migrate)}
    return {
        "metadata": {"labels": {**metadata.labels(color.app), "app": f"{color.app}-migrate"}},
        "spec": _pod(color, container) | {"restartPolicy": "Never", "activeDeadlineSeconds": color.migrate_timeout_seconds},
    }


def _pod(color: ColorSettings, container: dict[str, Any]) -> dict[str, Any]:
    security: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if color.run_as_user:
        security["runAsUser"] = color.run_as_user
    pod: dict[str, Any] = {"containers": [container], "securityContext": security}
    if color.image_pull_secret:
        pod["imagePullSecrets"] = [{"name": color.image_pull_secret}]
    return pod


def _container(color: ColorSettings) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": main_container(color),
        "image": color.image,
        "env": [{"name": "COLOR", "value": color.name}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    # The last source of a variable wins: what the config says itself.
    sources = [{"configMapRef": {"name": name}} for name in color.config_map_refs]
    sources += [{"secretRef": {"name": name}} for name in color.secret_refs]
    sources += [{"configMapRef": {"name": config_map_name(color)}}] if color.env else []
    sources += [{"secretRef": {"name": secret_name(color)}}] if color.secret_env else []
    if sources:
        container["envFrom"] = sources
    if color.resources:
        container["resources"] = dict(color.resources)
    return container


def _canonical(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True).encode()
