"""One color of a service: its pods and everything that belongs to them alone.

Nothing here knows which color is live, so a switch changes nothing of a color but the number of pods of its workers.
"""

from typing import Any, Protocol

import pulumi

from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Object, Ref
from bluegreen.release.settings import ColorSettings
from bluegreen.workload.base import Workload, kept, written, written_workers
from components.kubernetes_object import KubernetesObject


class Checks(Protocol):
    """What decides when a color is ready and what is looked at when the route is written: the program's gate, or a fake."""

    def ready(self, color: ColorSettings, deployment: KubernetesObject) -> pulumi.Output[bool]:
        """Resolves when every pod of the Deployment is ready; fails with the reason when they cannot be.

        The value is whether the update has written the spec of the Deployment.
        """
        ...

    def still_used(self, color: ColorSettings, ready: pulumi.Output[bool]) -> pulumi.Output[list[Object]]:
        """The ConfigMaps and Secrets of other values that pods of the color use when it is ready."""
        ...

    def migrated(self, color: ColorSettings, job: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when the Job has succeeded; fails with its log when it has failed."""
        ...

    def worker_started(self, color: ColorSettings, manifest: Manifest, deployment: KubernetesObject) -> pulumi.Output[Any]:
        """Resolves when every pod of a worker of the active color is ready; fails with the reason when they cannot be."""
        ...

    def worker_stopped(self, color: ColorSettings, manifest: Manifest, deployment: KubernetesObject) -> pulumi.Output[Any]:
        """Resolves when new workers may start, as far as this worker, which has no pods any more, decides about it."""
        ...

    def route_hooks(self) -> pulumi.ResourceHookBinding | None:
        """What looks at the route before it is updated."""
        ...

    def verified(self, route: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when users are served as the route says, if that is to be verified; fails with who answers instead."""
        ...


class Color(pulumi.ComponentResource):
    """The objects of a workload: the Deployment `<app>-<color>`, and everything that belongs to its pods.

    `ready` resolves to the Deployment when the color is ready to serve: everything that needs that depends on it.
    """

    def __init__(
        self, name: str, settings: ColorSettings, workload: Workload, checks: Checks, opts: pulumi.ResourceOptions
    ) -> None:
        super().__init__("bluegreen:components:Color", name, None, opts)
        self._settings, self._workload, self._checks = settings, workload, checks
        self._made: dict[Ref, pulumi.Input[pulumi.Resource]] = {}
        for manifest in written(workload, settings):
            resource = self._write(manifest)
            self._made[manifest.ref] = _succeeded(resource, checks, settings) if manifest.kind == "Job" else resource
            if manifest.kind == "Deployment":
                deployment = resource
        ready = checks.ready(settings, deployment)
        self.ready: pulumi.Output[pulumi.Resource] = ready.apply(lambda _: deployment)
        # Only when the color is ready is it known which objects its pods still use, so the engine cannot know them before.
        checks.still_used(settings, ready).apply(lambda used: self._keep(settings, used))
        self.register_outputs({})

    def work(self, *, running: bool) -> pulumi.Output[Any]:
        """Registers the workers of the color, with pods only when they are `running`; resolves when that is so."""
        settled = []
        for manifest in written_workers(self._workload, self._settings, running=running):
            self._made[manifest.ref] = resource = self._write(manifest)
            if manifest.kind == "Deployment":
                wait = self._checks.worker_started if running else self._checks.worker_stopped
                settled.append(wait(self._settings, manifest, resource))
        return pulumi.Output.all(*settled)

    def _write(self, manifest: Manifest) -> KubernetesObject:
        after = [self._made[ref] for ref in manifest.waits_for]
        return KubernetesObject(manifest, pulumi.ResourceOptions(parent=self, depends_on=after))

    def _keep(self, settings: ColorSettings, used: list[Object]) -> None:
        """Keeps `used` in the stack as they are, because the engine deletes what the program does not register."""
        for item in used:
            KubernetesObject(kept(settings, item), pulumi.ResourceOptions(parent=self))


def _succeeded(job: pulumi.Resource, checks: Checks, settings: ColorSettings) -> pulumi.Output[pulumi.Resource]:
    """The Job when it has succeeded."""
    return checks.migrated(settings, job).apply(lambda _: job)
