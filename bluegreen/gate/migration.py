"""Waiting for the migration of a color, with words for why it has failed."""

import asyncio
from functools import cached_property

import pulumi

from bluegreen.gate.hooks import POLL_SECONDS
from bluegreen.gate.waiting import Wait, advised, evidence, waiting_for, who_serves, why_final
from bluegreen.kube.cluster import LiveError
from bluegreen.kube.readiness import Run, State
from bluegreen.workload.base import migration_name

# The cluster ends a migration in time. So much later it is taken for one that the cluster does not end.
SPARE_SECONDS = 60


class Migration(Wait):
    """The migration of one color, while it is waited for."""

    _ran: float | None = None
    """When its container was seen running first, by `clock`."""

    @cached_property
    def _name(self) -> str:
        return migration_name(self._workload, self._color)

    @property
    def _again(self) -> str:
        return f"kubectl delete job {self._name} {self._where} && pulumi up --refresh"

    async def until_done(self, job: pulumi.Resource) -> None:
        """Returns when the migration has succeeded; raises `pulumi.RunError` as `Gate.migrated` says."""
        while (run := await asyncio.to_thread(self._look)).state is not State.SUCCEEDED:
            if failure := await asyncio.to_thread(self._failure, run):
                raise pulumi.RunError(f"{failure}\nThe pods of the color were not touched. {who_serves(self._live)}")
            text = waiting_for(self._name, run.problem, self._color.fail_fast_seconds) if run.problem else f"{self._name} runs"
            self._show(text, job)
            await self._pause(POLL_SECONDS)

    def _look(self) -> Run:
        if self._is_deployed_after():
            return Run(state=State.SUCCEEDED)
        try:
            job = self._cluster.get("batch/v1", "Job", self._name)
            if job is None:
                return self._gone()
            pods = self._cluster.list_objects("v1", "Pod", **{"job-name": self._name})
            return self._watch.migration(job, pods, self._cluster.now())
        except LiveError as error:
            return Run(state=State.STARTING, problem=self._unread(error))

    def _is_deployed_after(self) -> bool:
        """Whether the color was deployed after this very migration. What became of the Job since then does not matter.

        A switch, or a rollback, must not fail because somebody has deleted the Job, or because it was ended with a container
        that never ends.
        """
        present = self._live.colors.get(self._color.name)
        return present is not None and present.migration == self._name

    def _gone(self) -> Run:
        """A Job that does not exist. A color that an older program deployed has no annotation; its image shows the same."""
        present = self._live.colors.get(self._color.name)
        if present is not None and not present.migration and present.runs(self._color.image):
            return Run(state=State.SUCCEEDED)
        raise pulumi.RunError(
            f"The migration {self._name} is gone. Bring it back: pulumi up --refresh\n{who_serves(self._live)}"
        )

    def _failure(self, run: Run) -> str:
        """Why there is nothing to wait for; empty if there is."""
        if run.state is State.FAILED:
            return self._failed(run)
        if run.state is State.RUNNING and self._ran is None:
            self._ran = self._clock()
        if self._ran is None:
            waited, limit = self._clock() - self._began, self._color.ready_timeout_seconds
            over = f"readyTimeoutSeconds ({limit}) is over" if waited >= limit else ""
        else:
            waited, limit = self._clock() - self._ran, self._color.migrate_timeout_seconds + SPARE_SECONDS
            over = f"it runs, and the cluster has not ended it within {limit} s" if waited >= limit else ""
        until = why_final(run.problem, self._color.fail_fast_seconds) if run.problem else ""
        return self._stuck(run, f"waited: {waited:.0f} s; {until or over}") if until or over else ""

    def _failed(self, run: Run) -> str:
        lines = [f"The migration {self._name} failed: {run.why}"]
        lines += evidence(self._cluster, run.container, run.pod, self._name)
        lines += [f"  next:   Fix it and deploy another image; or, to run this one once more:\n          {self._again}"]
        return "\n".join(lines)

    def _stuck(self, run: Run, waited: str) -> str:
        """What to say of a migration that has not ended, and that is not waited for any longer."""
        does = "does not start" if self._ran is None else "does not end"
        if not (found := run.problem):
            return f"The migration {self._name} {does}.\n  {waited}"
        lines = [f"The migration {self._name} {does}: {found.reason}: {found.message}", f"  {waited}"]
        lines += (
            [f"  where:  pod {found.pod}" + (f", container {found.container}" if found.container else "")] if found.pod else []
        )
        lines += [*evidence(self._cluster, found.container, found.pod, self._name), *advised(found, self._again)]
        lines += ["          The Job is still there, and goes on when it can. The next pulumi up waits for it again."]
        return "\n".join(lines)
