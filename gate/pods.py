"""Waiting for the pods of a color, with words for what keeps them from becoming ready."""

import asyncio
import time

import pulumi

from components.pods import name_of
from gate.hooks import POLL_SECONDS
from release.live import Cluster, Live, LiveError
from release.readiness import Trouble, trouble
from release.settings import ColorSettings


def who_serves(live: Live) -> str:
    """Who serves the users while something that comes before the route has failed."""
    if live.route_owner is None:
        return "No route was written; nobody is served yet."
    return f"The route was not touched: {live.users}."


class PodsOfColor:
    """The pods of one color, while they are waited for. `live` is what served when the update began."""

    def __init__(self, cluster: Cluster, color: ColorSettings, live: Live) -> None:
        self._cluster = cluster
        self._color = color
        self._live = live

    async def until_ready(self, deployment: pulumi.Resource) -> None:
        """Returns when every pod of the Deployment is ready; raises `pulumi.RunError` as `Gate.ready` says."""
        began = time.monotonic()
        said = ""
        while found := await asyncio.to_thread(self._trouble, time.monotonic() - began):
            waited = time.monotonic() - began
            if found.is_certain or waited >= self._color.ready_timeout_seconds:
                raise pulumi.RunError(await asyncio.to_thread(self._failure, found, waited))
            if found.message != said:
                said = found.message
                pulumi.info(f"{found.pod or self._color.name}: {found.message}", deployment, ephemeral=True)
            await asyncio.sleep(POLL_SECONDS)

    def _trouble(self, waited_seconds: float) -> Trouble | None:
        try:
            deployment = self._cluster.get("apps/v1", "Deployment", name_of(self._color))
            pods = self._cluster.pods(deployment) if deployment else []
        except LiveError as error:  # an API server that restarts comes back
            return Trouble(reason="ClusterNotRead", message=str(error), advice="Mend the access to the cluster.")
        if deployment is None:
            advice = "Bring it back: pulumi up --refresh. If this is another cluster than before, put bluegreen:context back."
            return Trouble(reason="Missing", message="the Deployment is gone", advice=advice, is_certain=True)
        return trouble(deployment, pods, waited_seconds)

    def _failure(self, found: Trouble, waited_seconds: float) -> str:
        until = "waiting longer cannot help" if found.is_certain else "readyTimeoutSeconds is over"
        lines = [f"{name_of(self._color)} did not become ready in {waited_seconds:.0f} s; {until}."]
        lines += [f"  reason: {found.reason}" + (f" of pod {found.pod}" if found.pod else "")]
        lines += [f"          {found.message}"]
        lines += [f"  log:    {line}" for line in (self._cluster.log(found.pod) if found.pod else [])]
        lines += [f"  event:  {line}" for line in self._cluster.events(found.pod or name_of(self._color))]
        lines += [
            f"  next:   {found.advice}" if found.advice else "  next:   pulumi up waits again.",
            who_serves(self._live),
        ]
        return "\n".join(lines)
