"""One color of a service: its pods and everything that belongs to them alone.

Nothing here knows which color is live, so a switch cannot change a color.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import pulumi

from bluegreen.release import metadata
from bluegreen.release.objects import Object
from bluegreen.release.settings import ColorSettings
from bluegreen.workload.settings import (
    config_map_name,
    fingerprint,
    job_name,
    labels,
    migration_template,
    name_of,
    pod_template,
    secret_name,
)
from components.manifest import Manifest


class Gate(Protocol):
    """Who says when a color is ready: the program's gate, or nobody in a test."""

    def ready(self, color: ColorSettings, deployment: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when every pod of the Deployment is ready; fails with the reason when they cannot be."""
        ...

    def still_used(self, color: ColorSettings, ready: pulumi.Output[Any]) -> pulumi.Output[list[Object]]:
        """The ConfigMaps and Secrets of other values that pods of the color use when it is ready."""
        ...

    def migrated(self, color: ColorSettings, job: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when the Job has succeeded; fails with its log when it has failed."""
        ...

    def route_hooks(self) -> pulumi.ResourceHookBinding | None:
        """What looks at the route before it is updated."""
        ...

    def verified(self, route: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when users are served as the route says, if that is to be verified; fails with who answers instead."""
        ...


class Color(pulumi.ComponentResource):
    """The Deployment `<app>-<color>` with its variables, its migration, its disruption budget and its autoscaler.

    `ready` resolves when the color is ready to serve: whoever needs that depends on it.
    """

    def __init__(self, name: str, settings: ColorSettings, gate: Gate, opts: pulumi.ResourceOptions) -> None:
        super().__init__("bluegreen:components:Color", name, None, opts)
        self._settings = settings
        variables = self._variables()
        deployment = self._deployment(self._migrated(gate, variables) if settings.migrate else variables)
        ready = gate.ready(settings, deployment)
        self.ready = ready.apply(lambda _: deployment)
        gate.still_used(settings, ready).apply(self._keep)
        if max(settings.replicas, settings.max_replicas) > 1:
            self._disruption_budget(deployment)
        if settings.max_replicas:
            self._autoscaler(deployment)
        self.register_outputs({})

    def _manifest(
        self, suffix: str, api_version: str, kind: str, object_name: str, body: Mapping[str, Any], **options: Any
    ) -> Manifest:
        annotations = options.pop("annotations", None)
        return Manifest(
            f"{name_of(self._settings)}{suffix}",
            api_version,
            kind,
            object_name,
            body,
            pulumi.ResourceOptions(parent=self, **options),
            labels=labels(self._settings),
            annotations=annotations,
        )

    def _variables(self) -> list[Manifest]:
        """The ConfigMap and the Secret of the variables, where there are any.

        Other values are another resource. The one of the old values is deleted at the end of an update that went well. After
        an update that failed it stays as it is: the pods that are left, or come back, need it.
        """
        env, secret_env = dict(self._settings.env), dict(self._settings.secret_env)
        made = []
        if env:
            name = config_map_name(self._settings)
            made.append(self._values("ConfigMap", name, {"data": env}, aliases=self._formerly("-env")))
        if secret_env:
            body = {"stringData": pulumi.Output.secret(secret_env)}
            made.append(self._values("Secret", secret_name(self._settings), body, aliases=self._formerly("-secret-env")))
        return made

    def _formerly(self, suffix: str) -> list[pulumi.Alias]:
        """The name that the resource had when all values of a color shared one."""
        return [pulumi.Alias(name=f"{name_of(self._settings)}{suffix}")]

    def _values(self, kind: str, name: str, body: Mapping[str, Any], **options: Any) -> Manifest:
        suffix = name.removeprefix(name_of(self._settings))
        hidden = ["data", "stringData"] if kind == "Secret" else None
        noted = {metadata.RESOURCE: name}
        return self._manifest(suffix, "v1", kind, name, body, annotations=noted, additional_secret_outputs=hidden, **options)

    def _keep(self, used: list[Object]) -> None:
        """Leaves `used` in the stack as they are, because what the program does not mention is deleted."""
        for item in used:
            data: Any = pulumi.Output.secret(item["data"]) if item["kind"] == "Secret" else item["data"]
            self._values(item["kind"], item["metadata"]["name"], {"data": data}, ignore_changes=["data", "stringData"])

    def _migrated(self, gate: Gate, variables: list[Manifest]) -> pulumi.Output[list[pulumi.Resource]]:
        """The migration, once for each image: a Job whose name, here and in the cluster, says what it runs."""
        name = job_name(self._settings)
        spec = {
            "backoffLimit": 0,
            # The time limit is that of the pod, which counts from when a node accepts it. A Job counts from its creation, so a
            # pod that waits for a node would use the time up; and a Job that ends its pods deletes them, with their logs.
            "template": migration_template(self._settings),
        }
        suffix = name.removeprefix(name_of(self._settings))
        # A Job cannot change, and a variable that changes later must not run it again.
        options = {"depends_on": variables, "ignore_changes": ["spec"]}
        job = self._manifest(suffix, "batch/v1", "Job", name, {"spec": spec}, **options)
        return gate.migrated(self._settings, job).apply(lambda _: [*variables, job])

    def _deployment(self, after: pulumi.Input[list[Any]]) -> Manifest:
        settings = self._settings
        spec = {
            "replicas": settings.replicas,
            "selector": {"matchLabels": labels(settings)},
            "strategy": _strategy(settings.strategy),
            "template": pod_template(settings),
        }
        annotations = {metadata.TEMPLATE: fingerprint(settings), metadata.IMAGE: settings.image}
        if settings.migrate:
            annotations[metadata.MIGRATION] = job_name(settings)
        if settings.release:
            annotations[metadata.RELEASE] = settings.release
        return self._manifest(
            "",
            "apps/v1",
            "Deployment",
            name_of(settings),
            {"spec": spec},
            annotations=annotations,
            depends_on=after,
            # The autoscaler owns the number from its first decision on.
            ignore_changes=["spec.replicas"] if settings.max_replicas else None,
        )

    def _disruption_budget(self, deployment: Manifest) -> None:
        # Pods that are not ready serve nobody, and must not keep a node from being drained.
        spec = {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": labels(self._settings)},
        }
        name = name_of(self._settings)
        self._manifest("-budget", "policy/v1", "PodDisruptionBudget", name, {"spec": spec}, depends_on=[deployment])

    def _autoscaler(self, deployment: Manifest) -> None:
        """Scales on CPU at 80 % of the request: what Kubernetes does when no metric is named."""
        name = name_of(self._settings)
        spec = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": self._settings.replicas,
            "maxReplicas": self._settings.max_replicas,
        }
        kind = "HorizontalPodAutoscaler"
        self._manifest("-autoscaler", "autoscaling/v2", kind, name, {"spec": spec}, depends_on=[deployment])


def _strategy(kind: str) -> dict[str, Any]:
    """How new pods take over from old ones. With RollingUpdate no pod stops before another one is ready.

    The numbers are written out: a default that the cluster fills in belongs to nobody, so it stays when the kind changes, and
    the cluster refuses a Recreate that still has the numbers of a RollingUpdate.
    """
    if kind == "Recreate":
        return {"type": kind}
    return {"type": kind, "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}
