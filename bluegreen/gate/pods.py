"""Waiting for the pods of a color, with words for what keeps them from becoming ready."""

import asyncio

import pulumi

from bluegreen.gate.hooks import POLL_SECONDS
from bluegreen.gate.waiting import Wait, advised, described, evidence, waiting_for, who_serves, why_final
from bluegreen.kube.cluster import LiveError
from bluegreen.kube.problems import Course, Problem
from bluegreen.workload.base import name_of


class PodsOfColor(Wait):
    """The pods of one color, while they are waited for."""

    @property
    def _name(self) -> str:
        """The name of the Deployment."""
        return name_of(self._color)

    @property
    def _called(self) -> str:
        return self._color.name

    def _consequence(self) -> str:
        """Who serves when they do not become ready."""
        return who_serves(self._live)

    async def until_ready(self, deployment: pulumi.Resource) -> None:
        """Returns when every pod of the Deployment is ready; raises `pulumi.RunError` as `Gate.ready` says."""
        while found := await asyncio.to_thread(self._problem):
            waited = self._clock() - self._began
            if found.is_final or waited >= self._color.ready_timeout_seconds:
                raise pulumi.RunError(await asyncio.to_thread(self._failure, found, waited))
            self._show(waiting_for(self._called, found, self._color.fail_fast_seconds), deployment)
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


def _missing() -> Problem:
    advice = "Bring it back: pulumi up --refresh. If this is another cluster than before, put bluegreen:context back."
    message = "the Deployment is gone"
    return Problem(reason="Missing", message=message, advice=advice, course=Course.FINAL, is_final=True)
