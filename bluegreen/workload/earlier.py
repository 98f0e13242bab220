"""The pod template hash of version 0.1.0, by which a color is recognized that it deployed.

That version took the digest of the pod template that it wrote, so any change here makes it recognize nothing. It can be removed
in version 1.0, see `release.metadata`.
"""

import hashlib
import json
from typing import Any

from bluegreen.release.settings import ColorSettings


def pod_template_hash(color: ColorSettings, config_map: str, secret: str) -> str:
    """The hash that version 0.1.0 gave to a color; `config_map` and `secret` are the names of those with its variables."""
    sources = [{"configMapRef": {"name": name}} for name in color.config_map_refs]
    sources += [{"secretRef": {"name": name}} for name in color.secret_refs]
    sources += [{"configMapRef": {"name": config_map}}] if color.env else []
    sources += [{"secretRef": {"name": secret}}] if color.secret_env else []
    container: dict[str, Any] = {
        "name": color.app,
        "image": str(color.image),
        "env": [{"name": "COLOR", "value": color.name}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        **({"envFrom": sources} if sources else {}),
        **({"resources": dict(color.resources)} if color.resources else {}),
        "ports": [{"name": "http", "containerPort": color.port}],
        "readinessProbe": {
            "httpGet": {"path": color.readiness_path, "port": "http"},
            "periodSeconds": 2,
            "timeoutSeconds": 2,
        },
        "lifecycle": {"preStop": {"sleep": {"seconds": color.drain_seconds}}},
    }
    security: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    pod: dict[str, Any] = {
        "containers": [container],
        "securityContext": security | ({"runAsUser": color.run_as_user} if color.run_as_user else {}),
        **({"imagePullSecrets": [{"name": color.image_pull_secret}]} if color.image_pull_secret else {}),
        "terminationGracePeriodSeconds": color.drain_seconds + color.shutdown_seconds,
    }
    template = {"metadata": {"labels": {"app": color.app, "color": color.name}}, "spec": pod}
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:16]
