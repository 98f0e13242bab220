"""What the pods of a color are: their template, as plain data.

The names of a ConfigMap and a Secret say what they hold, so a changed value is another name, another template, and new pods
of this color alone. The fingerprint of the template tells, before anything is touched, whether an update makes new pods.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bluegreen.release.settings import ColorSettings


def name_of(settings: ColorSettings) -> str:
    """The name of the color's Deployment, `<app>-<color>`."""
    return f"{settings.app}-{settings.name}"


def labels(settings: ColorSettings) -> dict[str, str]:
    """The labels of the color's pods. Without the tag: a selector cannot change."""
    return {"app": settings.app, "color": settings.name}


def config_map_name(settings: ColorSettings) -> str:
    """The name of the ConfigMap with the plain variables, by what it holds."""
    return f"{name_of(settings)}-env-{hashlib.sha256(_canonical(settings.env)).hexdigest()[:10]}"


def secret_name(settings: ColorSettings) -> str:
    """The name of the Secret with the secret variables, by what it holds."""
    return f"{name_of(settings)}-secret-env-{settings.secret_digest}"


# The name of a Job is a label of its pods.
_LONGEST_JOB_NAME = 63


def job_name(settings: ColorSettings) -> str:
    """The name of the migration's Job, one for each image and command.

    A name that would be too long loses the end of the app's name, and the digest then includes the app.
    """
    what = [settings.image, settings.migrate]
    name = f"{name_of(settings)}-migrate-{_digest(what)}"
    if (excess := len(name) - _LONGEST_JOB_NAME) <= 0:
        return name
    return f"{settings.app[:-excess].rstrip('-')}-{settings.name}-migrate-{_digest([settings.app, *what])}"


def _digest(what: list[Any]) -> str:
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:10]


def main_container(settings: ColorSettings) -> str:
    """The name of the application's container in the pods of the color and of its migration."""
    return settings.app


def pod_template(settings: ColorSettings) -> dict[str, Any]:
    """The template of the color's Deployment."""
    container = _container(settings) | {
        "ports": [{"name": "http", "containerPort": settings.port}],
        "readinessProbe": {
            "httpGet": {"path": settings.readiness_path, "port": "http"},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
        },
        # The pod goes on serving while the proxies learn that it is leaving; only then is it told to stop.
        "lifecycle": {"preStop": {"sleep": {"seconds": settings.drain_seconds}}},
    }
    spec = _pod(settings, container) | {"terminationGracePeriodSeconds": settings.drain_seconds + settings.shutdown_seconds}
    return {"metadata": {"labels": labels(settings)}, "spec": spec}


def migration_template(settings: ColorSettings) -> dict[str, Any]:
    """The template of the migration's Job: the color's own image and variables, another command."""
    container = _container(settings) | {"command": list(settings.migrate)}
    return {
        "metadata": {"labels": {"app": f"{settings.app}-migrate"}},
        "spec": _pod(settings, container)
        | {"restartPolicy": "Never", "activeDeadlineSeconds": settings.migrate_timeout_seconds},
    }


def fingerprint(settings: ColorSettings) -> str:
    """What tells one pod template from another."""
    return hashlib.sha256(_canonical(pod_template(settings))).hexdigest()[:16]


def _pod(settings: ColorSettings, container: dict[str, Any]) -> dict[str, Any]:
    security: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    if settings.run_as_user:
        security["runAsUser"] = settings.run_as_user
    pod: dict[str, Any] = {"containers": [container], "securityContext": security}
    if settings.image_pull_secret:
        pod["imagePullSecrets"] = [{"name": settings.image_pull_secret}]
    return pod


def _container(settings: ColorSettings) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": main_container(settings),
        "image": settings.image,
        "env": [{"name": "COLOR", "value": settings.name}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    # The last source of a variable wins: what the config says itself.
    sources = [{"configMapRef": {"name": name}} for name in settings.config_map_refs]
    sources += [{"secretRef": {"name": name}} for name in settings.secret_refs]
    sources += [{"configMapRef": {"name": config_map_name(settings)}}] if settings.env else []
    sources += [{"secretRef": {"name": secret_name(settings)}}] if settings.secret_env else []
    if sources:
        container["envFrom"] = sources
    if settings.resources:
        container["resources"] = dict(settings.resources)
    return container


def _canonical(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, sort_keys=True).encode()
