"""What the waiting for pods and the waiting for migrations have in common: what they need, and their words."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from http import HTTPStatus

import pulumi

from bluegreen.environment import LiveEnvironment
from bluegreen.kube.api_error import ApiError
from bluegreen.kube.cluster import LiveError
from bluegreen.kube.problems import Course, Problem
from bluegreen.kube.readiness import Watch
from bluegreen.release.live import Live
from bluegreen.release.settings import ColorSettings
from bluegreen.workload.base import Workload


class Wait:
    """Waiting for something of one color. `live` is what served when the update began.

    `where` are the options that lead kubectl to its objects. `clock` (seconds) and `pause` (waits for so many seconds) are for
    tests. `main` is the name of the main container, by default that of the color.
    """

    def __init__(
        self,
        cluster: LiveEnvironment,
        color: ColorSettings,
        workload: Workload,
        live: Live,
        where: str,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        main: str = "",
    ) -> None:
        self._cluster = cluster
        self._color = color
        self._workload = workload
        self._live = live
        self._where = where
        self._clock = clock
        self._pause = pause
        self._watch = Watch(
            main=main or workload.main_container(color), fail_fast_seconds=color.fail_fast_seconds, events=cluster.events_of
        )
        self._began = clock()
        self._refused: float | None = None
        self._shown = ""

    def _show(self, text: str, resource: pulumi.Resource) -> None:
        """Shows what the update waits for beside `resource`, once as long as it stays the same."""
        if text != self._shown:
            self._shown = text
            pulumi.info(text, resource, ephemeral=True)

    def _unread(self, error: LiveError) -> Problem:
        """The cluster cannot be read. An API server that restarts comes back; a right that is missing is usually not given."""
        is_refused = isinstance(error.__cause__, ApiError) and error.__cause__.status == HTTPStatus.FORBIDDEN
        self._refused = (self._clock() if self._refused is None else self._refused) if is_refused else None
        lasts = self._refused is not None and self._clock() - self._refused >= self._color.fail_fast_seconds
        return Problem(
            reason="ClusterNotRead",
            message=str(error),
            advice="Restore the access to the cluster, then: pulumi up",
            course=Course.PERSISTENT if is_refused else Course.RETRIED,
            is_final=lasts,
        )


def who_serves(live: Live) -> str:
    """Who serves the users while something that comes before the route has failed."""
    if live.route_owner is None:
        return "No route was written; nobody is served yet."
    return f"The route was not touched: {live.users}."


def waiting_for(what: str, found: Problem, fail_fast_seconds: int) -> str:
    """What `what` (a color, a migration) waits for, since when, and when that is final. The same as long as nothing changes."""
    since = f", since {found.since:%H:%M:%S} UTC" if found.since else ""
    limit = f"; fails after {fail_fast_seconds} s (failFastSeconds)" if found.course is Course.PERSISTENT else ""
    return f"{what} waits: {_place(found)}{found.reason}: {found.message}{since}{limit}"


def _place(found: Problem) -> str:
    container = f", container {found.container}" if found.container else ""
    return f"pod {found.pod}{container}: " if found.pod else ""


def why_final(found: Problem, fail_fast_seconds: int) -> str:
    """Why the update does not wait any longer for the end of a problem; empty if the problem is not final."""
    if not found.is_final:
        return ""
    if found.course is Course.FINAL:
        return "waiting longer cannot help"
    since = f" since {found.since:%Y-%m-%d %H:%M:%S} UTC" if found.since else ""
    return f"the problem has lasted{since}, longer than failFastSeconds ({fail_fast_seconds})"


def described(found: Problem) -> Iterator[str]:
    """The lines that name a problem with its pod and its container."""
    container = f", container {found.container}" if found.container else ""
    yield f"  reason: {found.reason}" + (f" of pod {found.pod}{container}" if found.pod else "")
    yield f"          {found.message}"


def evidence(cluster: LiveEnvironment, container: str, pod: str, *others: str) -> Iterator[str]:
    """The last lines of the container's log, and the last events of the pod, or of the first other object without a pod."""
    yield from (f"  log:    {line}" for line in (cluster.log(pod, container) if container else []))
    yield from (f"  event:  {line}" for line in cluster.events(next(filter(None, (pod, *others)), "")))


def advised(found: Problem, again: str) -> Iterator[str]:
    """What to do about a problem. `again` are the commands that make Kubernetes try again at once."""
    yield f"  next:   {found.advice}"
    if found.course is Course.PERSISTENT and found.pod:
        yield "          If the cause is gone already: Kubernetes tries again, but perhaps only in minutes. At once:"
        yield f"          {again}"
