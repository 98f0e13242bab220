"""Whether a color is ready, and how long to wait for it; how far a migration is. Judged from objects of the cluster.

A color is ready when
  1. the cluster has processed its newest pod template,
  2. every wanted pod is of that template, and no pod of an older one is left,
  3. every wanted pod is ready.
Until then there is a problem. How long it may last depends on what can end it:
  1. Nothing can but a change: FINAL, at once. A name that is no image, an image that is not on the node and may not be pulled,
     a container that would run as root and must not.
  2. Usually only a change can: PERSISTENT, final when it has lasted for `failFastSeconds`. An image that the registry says it
     does not have, a Secret or ConfigMap that is missing, a container that cannot be created, and a crash loop: a container
     that has ended at least twice and does not run now. It lasts since the first of these ends.
  3. Kubernetes tries again by itself, or time may end it: RETRIED, final only after `readyTimeoutSeconds`. Everything else: no
     room on the nodes, a quota, an admission webhook that is away, a registry that does not answer, a first crash, a readiness
     probe that fails, a readiness gate that is not true.
Only init containers and the application can be FINAL or PERSISTENT. Other containers (sidecars) are named, and waited for.
A pod that has ended, is being deleted or was on a node that is gone is no problem: Kubernetes replaces it.

A problem lasts since its own beginning, by the cluster's timestamps, and not since the update waits. So a crash loop that has
lasted for an hour is final at once, and one of a pod that has just been created is not, however long the update waits already.

A migration has succeeded when its own container has ended with 0, and failed when it has ended otherwise. Other containers of
its pod may go on for ever, or be ended with the Job later. An end that Kubernetes has brought about (a deadline, a deletion, an
eviction) proves nothing: then the Job decides. Until it runs, its pod has the same problems as a color's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum

from bluegreen.kube.pods import Condition, Container, Pod, Role, read_conditions, read_pod, time
from bluegreen.kube.problems import (
    Course,
    Problem,
    closed_gates,
    ends,
    first_end,
    incomplete,
    is_absent,
    of_container,
    pending,
    refused_pods,
    unscheduled,
)
from bluegreen.release.live import live_color
from bluegreen.release.objects import Object, as_text, value_at

Events = Callable[[str], Sequence[Object]]
"""The events about a pod, by its name."""

_Key = tuple[str, str, str, Course]
"""The uid of a pod, the name of a container, and the topic and the course of a problem."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class State(Enum):
    """How far a migration is."""

    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A migration: how far it is, and, if it failed, why, in which pod and container (empty if no pod is left).

    `problem` keeps it from starting. `started` is when its own container began to run, None if that is not known.
    """

    state: State
    why: str = ""
    pod: str = ""
    container: str = ""
    problem: Problem | None = None
    started: datetime | None = None


class Watch:
    """Judges one color or one migration again and again, and remembers when each problem began.

    `main` is the name of the application's container. `events` is called once for a problem whose beginning the pod does not
    tell. Nothing here raises, whatever the objects hold, but what `events` raises.
    """

    def __init__(self, *, main: str, fail_fast_seconds: float, events: Events = lambda _: ()) -> None:
        self._main = main
        self._patience = timedelta(seconds=fail_fast_seconds)
        self._events = events
        self._began: dict[_Key, datetime] = {}
        self._first_ends: dict[tuple[str, str], datetime] = {}

    def color(
        self, deployment: Object, replica_sets: Sequence[Object], pods: Sequence[Object], now: datetime
    ) -> Problem | None:
        """What keeps a color from being ready, the worst problem of all; None if it is ready.

        `replica_sets` and `pods` are those of the newest pod template of `deployment`.
        """
        found = [self._timed(problem, now) for problem in refused_pods(deployment, replica_sets)]
        found += self._of_pods([read_pod(pod, self._main) for pod in pods], now)
        if found:
            return _worst(found)
        return None if live_color(deployment).is_ready else self._timed(incomplete(deployment), now)

    def migration(self, job: Object, pods: Sequence[Object], now: datetime) -> Run:
        """How far a migration is: its newest pod decides, and the Job if that is gone."""
        read = sorted((read_pod(pod, self._main) for pod in pods), key=lambda pod: pod.created or _LONG_AGO)
        newest = read[-1] if read else Pod()
        met = {name for name, condition in read_conditions(job).items() if condition.status == "True"}
        if any(_own_end(pod) == 0 for pod in read) or met & {"Complete", "SuccessCriteriaMet"}:
            return Run(state=State.SUCCEEDED)
        if met & {"Failed", "FailureTarget"} or _has_failed(newest):
            return _failed(job, newest)
        if newest.main and newest.main.is_running and not newest.is_over:
            return Run(state=State.RUNNING, pod=newest.name, started=newest.main.running_since)
        found = self._of_pods(read, now) or [self._timed(_no_pod(job), now)]
        return Run(state=State.STARTING, problem=_worst(found))

    def _of_pods(self, pods: Sequence[Pod], now: datetime) -> list[Problem]:
        for pod in pods:
            for container in pod.containers:
                self._remember(pod, container, now)
        return [self._timed(problem, now) for pod in pods if (problem := self._of_pod(pod))]

    def _remember(self, pod: Pod, container: Container, now: datetime) -> None:
        """Remembers the first end of a container, until it is well: ready for `failFastSeconds`.

        Forgets what kept a container from running when it runs.
        """
        key = (pod.uid, container.name)
        since = container.running_since
        if container.is_ready and since and now - since >= self._patience:
            self._first_ends.pop(key, None)
        elif first := first_end(pod, container):
            self._first_ends[key] = min(first, self._first_ends.get(key, first))
        if container.is_running:
            self._began = {problem: began for problem, began in self._began.items() if problem[:2] != key}

    def _of_pod(self, pod: Pod) -> Problem | None:
        if pod.is_ready or pod.is_over:
            return None
        found = [*unscheduled(pod)] or [found for container in pod.containers if (found := self._of_container(pod, container))]
        found = found or [*closed_gates(pod)] or [pending(pod)]
        return _worst([replace(problem, pod=pod.name, uid=pod.uid) for problem in found])

    def _of_container(self, pod: Pod, container: Container) -> Problem | None:
        found = of_container(container, ends(pod, container), self._first_ends.get((pod.uid, container.name)))
        if found is None:
            return None
        course = Course.RETRIED if container.role is Role.SIDECAR else found.course
        problem = replace(found, pod=pod.name, uid=pod.uid, container=container.name, course=course)
        # Events of an earlier run of the container tell nothing of the present problem.
        is_new = course is Course.PERSISTENT and not container.latest_end and _key(problem) not in self._began
        return replace(problem, since=self._noted(problem)) if is_new else problem

    def _noted(self, problem: Problem) -> datetime | None:
        """Since when the events of a pod tell of a problem."""
        about = [event for event in self._events(problem.pod) if _is_about(event, problem)]
        times = [time(event.get("firstTimestamp")) or time(event.get("eventTime")) for event in about]
        return min(filter(None, times), default=None)

    def _timed(self, problem: Problem, now: datetime) -> Problem:
        """The problem with its beginning, and with whether it is final."""
        key = _key(problem)
        self._began[key] = since = min(filter(None, (problem.since, self._began.get(key))), default=now)
        has_lasted = problem.course is Course.PERSISTENT and now - since >= self._patience
        return replace(problem, since=since, is_final=has_lasted or problem.course is Course.FINAL)


def _key(problem: Problem) -> _Key:
    return (problem.uid, problem.container, problem.topic, problem.course)


def _worst(found: Sequence[Problem]) -> Problem:
    """The first of the worst problems."""
    return max(found, key=lambda problem: (problem.is_final, problem.course))


def _is_about(event: Object, problem: Problem) -> bool:
    """Whether an event reports the failure that `problem` is, of the same container."""
    involved, message = value_at(event, "involvedObject"), as_text(event.get("message"))
    is_pull = problem.topic == "image"
    is_same = (is_pull and is_absent(message)) or (bool(problem.message) and problem.message in message)
    container = f"{{{problem.container}}}"
    of_it = as_text(value_at(involved, "uid")) == problem.uid and container in as_text(value_at(involved, "fieldPath"))
    return of_it and is_same and as_text(event.get("reason")) == "Failed"


def _own_end(pod: Pod) -> int | None:
    """The exit code of a migration that has ended by itself; None if it has not, or if Kubernetes may have ended it.

    A program that is told to stop may well end with 0, at its deadline for example, with its work half done.
    """
    end = pod.main.ended if pod.main else None
    # An eviction by an older version of Kubernetes does not say when it began.
    is_untold = pod.reason not in ("", "DeadlineExceeded") and not pod.is_true("DisruptionTarget")
    if end is None or is_untold:
        return None
    is_own = pod.stopped is None or (end.finished is not None and end.finished < pod.stopped)
    return end.exit_code if is_own else None


def _has_failed(pod: Pod) -> bool:
    """Whether a migration has ended with an error by itself, and is not started again. Otherwise, the Job decides."""
    return pod.restart_policy == "Never" and (_own_end(pod) or 0) != 0


def _failed(job: Object, pod: Pod) -> Run:
    """Why a migration has failed: by the container that did, and its pod; else by the Job."""
    of_job, blamed = read_conditions(job).get("Failed", Condition(status="")), _blamed(pod)
    end = f"{blamed.ended}" if blamed and blamed.ended and blamed.ended.exit_code != 0 else ""
    named = f"init container {blamed.name}: " if end and blamed and blamed.role is Role.INIT else ""
    why = "; ".join(filter(None, (named + end, _said(pod.reason, pod.message))))
    why = why or _said(of_job.reason, of_job.message) or "the cluster does not say why"
    return Run(state=State.FAILED, why=why, pod=pod.name, container=blamed.name if blamed else "")


def _blamed(pod: Pod) -> Container | None:
    """The first container that ended with an error, of the init containers and the application; else the application."""
    own = [container for container in pod.containers if container.role is not Role.SIDECAR]
    return next((container for container in own if container.ended and container.ended.exit_code != 0), pod.main)


def _no_pod(job: Object) -> Problem:
    suspended = read_conditions(job).get("Suspended", Condition(status=""))
    if suspended.status == "True":
        message = suspended.message or "the Job is suspended"
        return Problem(reason="Suspended", message=message, advice="Let the Job go on.", since=suspended.since)
    return Problem(reason="NoPod", message="its pod is not created yet", advice="Look at the events of the Job.")


def _said(reason: str, message: str) -> str:
    return ": ".join(filter(None, (reason, message)))
