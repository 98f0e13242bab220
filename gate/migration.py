"""Waiting for the migration of a color, with words for why it has failed."""

import asyncio
import time

import pulumi

from components.pods import job_name
from gate.hooks import POLL_SECONDS
from gate.pods import who_serves
from release.live import Cluster, Live, LiveError, Object
from release.readiness import failure, lost
from release.settings import ColorSettings


class Migration:
    """The migration of one color, while it is waited for. `live` is what served when the update began.

    `where` are the options that lead kubectl to its Job.
    """

    def __init__(self, cluster: Cluster, color: ColorSettings, live: Live, where: str) -> None:
        self._cluster = cluster
        self._color = color
        self._live = live
        self._where = where

    async def until_done(self) -> None:
        """Returns when the Job has succeeded; raises `pulumi.RunError` as `Gate.migrated` says."""
        began = time.monotonic()
        while not await asyncio.to_thread(self._is_done, time.monotonic() - began):
            # The cluster ends the Job in time; the minute is for a cluster that does not say so.
            if time.monotonic() - began > self._color.migrate_timeout_seconds + 60:
                raise pulumi.RunError(f"The migration {job_name(self._color)} has not ended in time. {who_serves(self._live)}")
            await asyncio.sleep(POLL_SECONDS)

    def _is_done(self, waited_seconds: float) -> bool:
        name = job_name(self._color)
        try:
            job = self._cluster.get("batch/v1", "Job", name)
            pods = self._cluster.find("v1", "Pod", **{"job-name": name})
        except LiveError:  # an API server that restarts comes back
            return False
        if job is None:
            return self._is_done_long_since()
        ended = {each["type"]: each for each in job.get("status", {}).get("conditions") or [] if each["status"] == "True"}
        if "Failed" in ended:
            again = f"kubectl delete job {name} {self._where} && pulumi up --refresh"
            advice = f"Mend it and deploy another image; or, to run this one once more:\n          {again}"
            why = [failure(pod) for pod in pods] or [f"{ended['Failed'].get('reason')}: {ended['Failed'].get('message')}"]
            raise pulumi.RunError(self._failure(f"The migration {name} failed: {why[-1]}", pods, advice))
        for found in lost(pods, waited_seconds):
            what = f"The migration {name} does not start: {found.reason}: {found.message}"
            raise pulumi.RunError(self._failure(what, pods, f"{found.advice} Then: pulumi up"))
        return "Complete" in ended

    def _is_done_long_since(self) -> bool:
        """Whether the Job is no longer needed: somebody has cleared it away, but this image could not run without it.

        A switch, or a roll-back, must not fail because of that.
        """
        present = self._live.colors.get(self._color.name)
        if present is None or not present.runs(self._color.image):
            gone = f"The migration {job_name(self._color)} is gone. Bring it back: pulumi up --refresh"
            raise pulumi.RunError(f"{gone}\n{who_serves(self._live)}")
        return True

    def _failure(self, what: str, pods: list[Object], advice: str) -> str:
        names = [each["metadata"]["name"] for each in pods]
        log = [f"  log:    {line}" for pod in names for line in self._cluster.log(pod)]
        # One that has run has said what was wrong; of one that has not, the cluster tells.
        told = log or [f"  event:  {line}" for pod in names for line in self._cluster.events(pod)]
        lines = [what, *told, f"  next:   {advice}", f"The pods of the color were not touched. {who_serves(self._live)}"]
        return "\n".join(lines)
