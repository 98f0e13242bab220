"""Waiting for the workers of a color: until those of the active color are ready, and until those of the other one are gone."""

import asyncio
from collections.abc import Iterator, Mapping

import pulumi

from bluegreen.environment import LiveEnvironment
from bluegreen.gate.hooks import POLL_SECONDS
from bluegreen.gate.pods import PodsOfColor
from bluegreen.gate.waiting import Wait, who_serves
from bluegreen.kube.cluster import LiveError
from bluegreen.release import metadata
from bluegreen.release.live import Live
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Object, annotation, as_mapping, as_number, as_text, grace_seconds, value_at
from bluegreen.release.settings import ColorSettings, Settings
from bluegreen.workload import source_of


class StartingWorker(PodsOfColor):
    """The pods of one worker of the active color, while they are waited for."""

    def __init__(
        self, cluster: LiveEnvironment, color: ColorSettings, settings: Settings, live: Live, where: str, worker: Manifest
    ) -> None:
        main = annotation({"metadata": {"annotations": worker.annotations}}, metadata.CONTAINER)
        super().__init__(cluster, color, source_of(settings, color), live, where, main=main)
        self._stops_first = settings.stops_workers_first
        self._worker = worker

    @property
    def _name(self) -> str:
        return self._worker.name

    @property
    def _called(self) -> str:
        return f"worker {self._worker.labels[metadata.WORKER]} of {self._color.name}"

    def _consequence(self) -> str:
        return "\n".join([who_serves(self._live), *others_after_failure(self._live, self._color, self._stops_first)])


def others_after_failure(live: Live, color: ColorSettings, stops_first: bool) -> Iterator[str]:
    """What the workers of the other color do when those of `color` have not started, and how to undo that."""
    for other in sorted({worker.color for worker in live.workers.values()} - {color.name}):
        back = f"pulumi config set activeColor {other} && pulumi up"
        if stops_first:
            yield f"The workers of {other} are stopped (workerOrder: stop-first), so jobs wait. To start them again: {back}"
        else:
            yield f"The workers of {other} run on. To stop those of {color.name}: {back}"


def starts_workers(settings: Settings, live: Live, names: Mapping[str, int]) -> bool:
    """Whether an update starts workers that do not run. `names` are the wanted numbers of pods of the active color's workers,
    by the names of their Deployments."""
    running = {name: worker.replicas for name, worker in live.workers.items() if worker.color == settings.active_color}
    return any(wanted and not running.get(name) for name, wanted in names.items())


def wanted_pods(worker: Manifest) -> int:
    """How many pods a worker is to have."""
    return as_number(value_at(worker.body, "spec", "replicas")) or 0


class StoppingWorker(Wait):
    """The pods of one worker that has been scaled to zero, while they terminate."""

    async def until_gone(self, worker: Manifest, deployment: pulumi.Resource) -> None:
        """Returns when no pod of the worker runs any more, those that terminate included.

        Raises `pulumi.RunError` when that takes longer than their own grace period and `readyTimeoutSeconds` together.
        """
        pod = as_mapping(value_at(worker.body, "spec", "template", "spec"))
        limit = grace_seconds(pod) + self._color.ready_timeout_seconds
        while found := await asyncio.to_thread(self._found, worker):
            if self._clock() - self._began >= limit:
                raise pulumi.RunError(self._failure(worker, found, limit))
            self._show(f"{worker.name} stops: {found}", deployment)
            await self._pause(POLL_SECONDS)

    def _found(self, worker: Manifest) -> str:
        """The pods that still run, or why that is not known, in words; empty if none runs."""
        labels = {name: worker.labels[name] for name in (metadata.WORKER_OF, metadata.WORKER, "color")}
        try:
            pods = self._cluster.list_objects("v1", "Pod", **labels)
        except LiveError as error:
            return str(self._unread(error).message)
        running = sorted(as_text(value_at(pod, "metadata", "name")) for pod in pods if not _has_ended(pod))
        return f"pod{'s' if len(running) > 1 else ''} {', '.join(running)} of it still run" if running else ""

    def _failure(self, worker: Manifest, found: str, limit: int) -> str:
        return (
            f"{worker.name} did not stop in {limit} s: {found}.\n"
            f"No worker was started, because workerOrder is stop-first. {who_serves(self._live)}\n"
            f"  next:   kubectl describe pods {self._where} --selector {metadata.WORKER_OF}={self._color.app}; when they are "
            "gone: pulumi up"
        )


def _has_ended(pod: Object) -> bool:
    """Whether no container of the pod runs any more, for good."""
    return value_at(pod, "status", "phase") in ("Succeeded", "Failed")
