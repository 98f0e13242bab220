"""Waiting for the pods of a color, with words for what keeps them from becoming ready."""

import asyncio
from typing import Any

import pulumi

from bluegreen.gate.hooks import POLL_SECONDS
from bluegreen.gate.waiting import Wait, advised, described, evidence, waiting_for, who_serves, why_final
from bluegreen.kube.cluster import LiveError
from bluegreen.kube.problems import Course, Problem
from bluegreen.kube.readiness import Watch
from bluegreen.release.objects import value_at
from bluegreen.workload.base import name_of, pods_of_workers


class PodsOfColor(Wait):
    """The pods of one color, while they are waited for."""

    @property
    def _name(self) -> str:
        """The name of the Deployment."""
        return name_of(self._color)

    async def until_ready(self, deployment: pulumi.Resource) -> None:
        """Returns when every pod of the Deployment is ready; raises `pulumi.RunError` as `Gate.ready` says."""
        while found := await asyncio.to_thread(self._problem):
            waited = self._clock() - self._began
            if found.is_final or waited >= self._color.ready_timeout_seconds:
                raise pulumi.RunError(await asyncio.to_thread(self._failure, found, waited))
            self._show(waiting_for(self._title, found, self._color.fail_fast_seconds), deployment)
            await self._pause(POLL_SECONDS)

    def _problem(self) -> Problem | None:
        try:
            deployment = self._cluster.get("apps/v1", "Deployment", self._name)
            if deployment is None:
                return _missing()
            replica_sets = self._cluster.replica_sets(deployment)
            pods = self._cluster.pods(deployment, replica_sets)
            return self._watch.color(deployment, replica_sets, pods, self._cluster.now())
        except LiveError as error:
            return self._unread(error)

    def _failure(self, found: Problem, waited_seconds: float) -> str:
        name = self._name
        limit = self._color.ready_timeout_seconds
        until = why_final(found, self._color.fail_fast_seconds) or f"readyTimeoutSeconds ({limit}) is over"
        lines = [f"{name} did not become ready in {waited_seconds:.0f} s; {until}.", *described(found)]
        lines += [*evidence(self._cluster, found.container, found.pod, found.about, name)]
        again = f"kubectl delete pod {found.pod} {self._where} && pulumi up"
        lines += [*advised(found, again), self._consequence()]
        return "\n".join(lines)

    @property
    def _title(self) -> str:
        """What is waited for, in words."""
        return self._color.name

    def _consequence(self) -> str:
        """What the failure means for users."""
        return who_serves(self._live)


class PodsOfWorker(PodsOfColor):
    """The pods of one worker of a color, while they are waited for: users have moved already."""

    def __init__(self, deployment: str, main: str, *wait: Any) -> None:
        super().__init__(*wait)
        self._deployment = deployment
        self._watch = Watch(main=main, fail_fast_seconds=self._color.fail_fast_seconds, events=self._cluster.events_of)

    @property
    def _name(self) -> str:
        return self._deployment

    @property
    def _title(self) -> str:
        return f"worker {self._deployment}"

    async def until_gone(self, deployment: pulumi.Resource) -> None:
        """Returns when no worker of the color has pods, not even terminating ones; raises `pulumi.RunError` after too long."""
        while left := await asyncio.to_thread(self._pods_left):
            if self._clock() - self._began >= self._color.ready_timeout_seconds:
                raise pulumi.RunError(
                    f"{self._deployment} still has {left} after {self._color.ready_timeout_seconds} s (readyTimeoutSeconds); "
                    f"workerOrder is stop-first.\n  next:   kubectl get pods {self._where}\n{self._consequence()}"
                )
            self._show(f"{self._title} has {left}", deployment)
            await self._pause(POLL_SECONDS)

    def _pods_left(self) -> str:
        """The pods that are left, in words; empty if there are none. A cluster that cannot be read is asked again."""
        try:
            pods = self._cluster.list_objects("v1", "Pod", **pods_of_workers(self._color))
        except LiveError as error:
            return f"pods that cannot be listed: {error}"
        left = [pod for pod in pods if value_at(pod, "status", "phase") not in ("Succeeded", "Failed")]
        return f"{len(left)} {'pod' if len(left) == 1 else 'pods'}" if left else ""

    def _consequence(self) -> str:
        return "Users have moved already, and workers of both colors, or of none, may run. When this is fixed: pulumi up"


def _missing() -> Problem:
    advice = "Bring it back: pulumi up --refresh. If this is another cluster than before, put bluegreen:context back."
    message = "the Deployment is gone"
    return Problem(reason="Missing", message=message, advice=advice, course=Course.FINAL, is_final=True)
