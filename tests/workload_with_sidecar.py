"""A source of workloads of somebody's own: a sidecar before the application's container, which is not named like the app."""

import hashlib
from typing import Any

from bluegreen.release.manifest import Manifest
from bluegreen.release.settings import ColorSettings
from bluegreen.workload.base import labels_of, name_of
from bluegreen.workload.settings import completed, notes, problems, selector, services, workers

# The rest of what a source offers is as for the pods of config values.
__all__ = ["completed", "notes", "problems", "selector", "services", "workers"]

_RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def objects(color: ColorSettings) -> list[Manifest]:
    """A Deployment, and nothing else."""
    sidecar = _container("sidecar", "bluegreen.example/app:1.0", "3999", color)
    web = _container("web", str(color.image), "8080", color) | {
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 1},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
    }
    spec = {
        "replicas": color.replicas,
        "selector": {"matchLabels": labels_of(color)},
        "template": {"metadata": {"labels": labels_of(color)}, "spec": {"containers": [sidecar, web]}},
    }
    deployment = Manifest(
        api_version="apps/v1", kind="Deployment", name=name_of(color), body={"spec": spec}, labels=labels_of(color)
    )
    return [deployment]


def pod_template_hashes(color: ColorSettings) -> list[str]:
    return [hashlib.sha256(str(color.image).encode()).hexdigest()[:16]]


def main_container(_: ColorSettings) -> str:
    return "web"


def _container(name: str, image: str, port: str, color: ColorSettings) -> dict[str, Any]:
    env = [{"name": "COLOR", "value": color.name}, {"name": "PORT", "value": port}]
    return {"name": name, "image": image, "env": env, "securityContext": _RESTRICTED}
