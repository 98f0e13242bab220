"""One color of a service: its pods and everything that belongs to them alone.

Nothing here knows which color is live, so a switch cannot change a color. Changing a value in a ConfigMap or Secret
gives the object another name, and with it this color, and only this one, another pod template.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pulumi

from components.manifest import Manifest
from release.settings import ColorSettings


class Color(pulumi.ComponentResource):
    """The Deployment `<app>-<color>` with its variables, its disruption budget and its autoscaler.

    The Deployment is done when all its pods are ready; it fails after `ready_timeout_seconds`.
    """

    def __init__(self, name: str, settings: ColorSettings, opts: pulumi.ResourceOptions) -> None:
        super().__init__("bluegreen:components:Color", name, None, opts)
        self._settings = settings
        self._name = name
        self._labels = {"app": settings.app, "color": settings.name}
        deployment = self._deployment(self._variables())
        if settings.replicas > 1:
            self._disruption_budget(deployment)
        if settings.max_replicas:
            self._autoscaler(deployment)
        self.register_outputs({})

    def _manifest(
        self, suffix: str, api_version: str, kind: str, object_name: str, body: Mapping[str, Any], **options: Any
    ) -> Manifest:
        opts = pulumi.ResourceOptions(parent=self, **options)
        return Manifest(f"{self._name}{suffix}", api_version, kind, object_name, body, opts, labels=self._labels)

    def _variables(self) -> list[Manifest]:
        """The ConfigMap and the Secret of the variables, where there are any; each is named by what it holds."""
        env, secret_env = dict(self._settings.env), dict(self._settings.secret_env)
        self._env_from: list[dict[str, Any]] = []
        made = []
        if env:
            object_name = f"{self._name}-env-{_digest(env)}"
            made.append(self._manifest("-env", "v1", "ConfigMap", object_name, {"data": env}))
            self._env_from.append({"configMapRef": {"name": object_name}})
        if secret_env:
            object_name = f"{self._name}-secret-env-{_slow_digest(secret_env, salt=self._name)}"
            body = {"stringData": pulumi.Output.secret(secret_env)}
            outputs = ["data", "stringData"]
            made.append(
                self._manifest("-secret-env", "v1", "Secret", object_name, body, additional_secret_outputs=outputs)
            )
            self._env_from.append({"secretRef": {"name": object_name}})
        return made

    def _deployment(self, variables: list[Manifest]) -> Manifest:
        settings = self._settings
        spec = {
            "replicas": settings.replicas,
            # Without the tag: a selector cannot change, so with it every release would replace the Deployment.
            "selector": {"matchLabels": self._labels},
            "strategy": {"type": settings.strategy},
            "progressDeadlineSeconds": settings.ready_timeout_seconds,
            "template": {"metadata": {"labels": self._labels}, "spec": self._pod()},
        }
        seconds = f"{settings.ready_timeout_seconds}s"
        return self._manifest(
            "",
            "apps/v1",
            "Deployment",
            self._name,
            {"spec": spec},
            depends_on=variables,
            # The provider waits ten minutes by default; a release wants to know sooner.
            custom_timeouts=pulumi.CustomTimeouts(create=seconds, update=seconds),
            # The autoscaler owns the number from its first decision on.
            ignore_changes=["spec.replicas"] if settings.max_replicas else None,
        )

    def _pod(self) -> dict[str, Any]:
        settings = self._settings
        security: dict[str, Any] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        if settings.run_as_user:
            security["runAsUser"] = settings.run_as_user
        pod: dict[str, Any] = {
            "containers": [self._container()],
            "securityContext": security,
            "terminationGracePeriodSeconds": settings.drain_seconds + settings.shutdown_seconds,
        }
        if settings.image_pull_secret:
            pod["imagePullSecrets"] = [{"name": settings.image_pull_secret}]
        return pod

    def _container(self) -> dict[str, Any]:
        settings = self._settings
        container: dict[str, Any] = {
            "name": settings.app,
            "image": settings.image,
            "ports": [{"name": "http", "containerPort": settings.port}],
            "env": [{"name": "COLOR", "value": settings.name}],
            "readinessProbe": {
                "httpGet": {"path": settings.readiness_path, "port": "http"},
                "periodSeconds": 2,
                "timeoutSeconds": 2,
            },
            # The pod goes on serving while the proxies learn that it is leaving; only then is it told to stop.
            "lifecycle": {"preStop": {"sleep": {"seconds": settings.drain_seconds}}},
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        if self._env_from:
            container["envFrom"] = self._env_from
        if settings.resources:
            container["resources"] = dict(settings.resources)
        return container

    def _disruption_budget(self, deployment: Manifest) -> None:
        spec = {"maxUnavailable": 1, "selector": {"matchLabels": self._labels}}
        self._manifest(
            "-budget", "policy/v1", "PodDisruptionBudget", self._name, {"spec": spec}, depends_on=[deployment]
        )

    def _autoscaler(self, deployment: Manifest) -> None:
        """Scales on CPU at 80 % of the request: what Kubernetes does when no metric is named."""
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": self._name},
            "minReplicas": self._settings.replicas,
            "maxReplicas": self._settings.max_replicas,
        }
        kind = "HorizontalPodAutoscaler"
        self._manifest("-autoscaler", "autoscaling/v2", kind, self._name, {"spec": spec}, depends_on=[deployment])


def _canonical(data: Mapping[str, str]) -> bytes:
    return json.dumps(data, sort_keys=True).encode()


def _digest(data: Mapping[str, str]) -> str:
    return hashlib.sha256(_canonical(data)).hexdigest()[:10]


def _slow_digest(data: Mapping[str, str], salt: str) -> str:
    """Names are public, so guessing a weak password from one must be dear: scrypt, some 50 ms and 16 MiB a guess."""
    return hashlib.scrypt(_canonical(data), salt=salt.encode(), n=2**14, r=8, p=1).hex()[:10]
