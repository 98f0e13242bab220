"""Decides from objects of the cluster whether a color is ready or a migration has ended, and when waiting is pointless.

A color is ready when
  1. the Deployment controller has processed the current pod template,
  2. every wanted pod has that template, and no pod of an older one exists,
  3. every wanted pod is ready.
Until then there is a problem. How long it may last depends on what can end it:
  1. FINAL, fails the update at once: only a change can end it. An invalid image name, an image that is not on the node and must
     not be pulled, a container that would run as root although it must not.
  2. PERSISTENT, fails the update after `failFastSeconds`: usually only a change can end it. An image that the registry does not
     have, a missing Secret or ConfigMap, a container that cannot be created, a crash loop: a container that has ended at least
     twice and does not run now. A crash loop begins with the first of these ends.
  3. RETRIED, fails the update after `readyTimeoutSeconds`: Kubernetes retries, or time may end it. Everything else: no room on
     the nodes, a quota, an unavailable admission webhook or registry, a first crash, a failing readiness probe, a readiness
     gate that is not true.
Problems of sidecars are always RETRIED: only init containers and the application can be FINAL or PERSISTENT.
A pod that has ended, is terminating or was on a lost node is not a problem: Kubernetes replaces it.

The duration of a problem counts from its own beginning, by the cluster's timestamps, not from the beginning of the wait. So a
crash loop that has lasted for an hour fails the update at once, and one of a new pod does not, no matter how long the update
has waited.

A migration has succeeded when its own container has exited with 0, and failed when it has exited with another code. Other
containers of its pod may run on. An exit that Kubernetes may have caused (a deadline, a deletion, an eviction) proves nothing:
then the Job decides. Until the container runs, the pod of a migration has the same problems as a color's.
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
    container_problem,
    ends,
    first_end,
    incomplete,
    is_absent,
    pending,
    rejected_pods,
    unscheduled,
)
from bluegreen.release.live import live_color
from bluegreen.release.objects import Object, as_text, value_at

Events = Callable[[str], Sequence[Object]]
"""The events about a pod, by its name."""

_Key = tuple[str, str, str, Course]
"""Identifies a problem: the uid of the pod, the name of the container, topic and course."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class State(Enum):
    """How far a migration is."""

    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Run:
    """The state of a migration. If it failed: why, and in which pod and container (empty if no pod is left).

    `problem` is why it has not started. `started` is when its own container began to run, None if that is unknown.
    """

    state: State
    why: str = ""
    pod: str = ""
    container: str = ""
    problem: Problem | None = None
    started: datetime | None = None


class Watch:
    """Checks one color or one migration repeatedly, and remembers when each problem began.

    `main` is the name of the application's container. `events` is called once per problem whose beginning the pod's status does
    not contain. Malformed objects never raise; only errors of `events` propagate.
    """

    def __init__(self, *, main: str, fail_fast_seconds: float, events: Events = lambda _: ()) -> None:
        self._main = main
        self._fail_fast = timedelta(seconds=fail_fast_seconds)
        self._events = events
        self._began: dict[_Key, datetime] = {}
        self._first_ends: dict[tuple[str, str], datetime] = {}

    def color(
        self, deployment: Object, replica_sets: Sequence[Object], pods: Sequence[Object], now: datetime
    ) -> Problem | None:
        """The worst problem of a color; None if it is ready.

        `replica_sets` and `pods` are those of the current pod template of `deployment`.
        """
        problems = [self._timed(problem, now) for problem in rejected_pods(deployment, replica_sets)]
        problems += self._pod_problems([read_pod(pod, self._main) for pod in pods], now)
        if problems:
            return _worst(problems)
        return None if live_color(deployment).is_ready else self._timed(incomplete(deployment), now)

    def migration(self, job: Object, pods: Sequence[Object], now: datetime) -> Run:
        """The state of a migration: by its newest pod, or by the Job if that pod is gone."""
        read = sorted((read_pod(pod, self._main) for pod in pods), key=lambda pod: pod.created or _LONG_AGO)
        newest = read[-1] if read else Pod()
        met = {name for name, condition in read_conditions(job).items() if condition.status == "True"}
        if any(_own_end(pod) == 0 for pod in read) or met & {"Complete", "SuccessCriteriaMet"}:
            return Run(state=State.SUCCEEDED)
        if met & {"Failed", "FailureTarget"} or _has_failed(newest):
            return _failed(job, newest)
        if newest.main and newest.main.is_running and not newest.is_over:
            return Run(state=State.RUNNING, pod=newest.name, started=newest.main.running_since)
        problems = self._pod_problems(read, now) or [self._timed(_no_pod(job), now)]
        return Run(state=State.STARTING, problem=_worst(problems))

    def _pod_problems(self, pods: Sequence[Pod], now: datetime) -> list[Problem]:
        for pod in pods:
            for container in pod.containers:
                self._remember(pod, container, now)
        return [self._timed(problem, now) for pod in pods if (problem := self._pod_problem(pod))]

    def _remember(self, pod: Pod, container: Container, now: datetime) -> None:
        """Records the first end of a container, until it is healthy: ready for `failFastSeconds`.

        Forgets the problems that kept a container from running once it runs.
        """
        key = (pod.uid, container.name)
        since = container.running_since
        if container.is_ready and since and now - since >= self._fail_fast:
            self._first_ends.pop(key, None)
        elif first := first_end(pod, container):
            self._first_ends[key] = min(first, self._first_ends.get(key, first))
        if container.is_running:
            self._began = {problem: began for problem, began in self._began.items() if problem[:2] != key}

    def _pod_problem(self, pod: Pod) -> Problem | None:
        if pod.is_ready or pod.is_over:
            return None
        of_containers = (self._container_problem(pod, container) for container in pod.containers)
        problems = [*unscheduled(pod)] or [problem for problem in of_containers if problem]
        problems = problems or [*closed_gates(pod)] or [pending(pod)]
        return _worst([replace(problem, pod=pod.name, uid=pod.uid) for problem in problems])

    def _container_problem(self, pod: Pod, container: Container) -> Problem | None:
        problem = container_problem(container, ends(pod, container), self._first_ends.get((pod.uid, container.name)))
        if problem is None:
            return None
        course = Course.RETRIED if container.role is Role.SIDECAR else problem.course
        problem = replace(problem, pod=pod.name, uid=pod.uid, container=container.name, course=course)
        # Events of an earlier run of the container are not about this problem.
        is_new = course is Course.PERSISTENT and not container.latest_end and _key(problem) not in self._began
        return replace(problem, since=self._first_event(problem)) if is_new else problem

    def _first_event(self, problem: Problem) -> datetime | None:
        """The time of the pod's first event about a problem; None without one."""
        events = [event for event in self._events(problem.pod) if _is_about(event, problem)]
        times = [time(event.get("firstTimestamp")) or time(event.get("eventTime")) for event in events]
        return min(filter(None, times), default=None)

    def _timed(self, problem: Problem, now: datetime) -> Problem:
        """The problem with `since` and `is_final` set."""
        key = _key(problem)
        self._began[key] = since = min(filter(None, (problem.since, self._began.get(key))), default=now)
        has_lasted = problem.course is Course.PERSISTENT and now - since >= self._fail_fast
        return replace(problem, since=since, is_final=has_lasted or problem.course is Course.FINAL)


def _key(problem: Problem) -> _Key:
    return (problem.uid, problem.container, problem.topic, problem.course)


def _worst(problems: Sequence[Problem]) -> Problem:
    """The first of the worst problems."""
    return max(problems, key=lambda problem: (problem.is_final, problem.course))


def _is_about(event: Object, problem: Problem) -> bool:
    """Whether an event reports this problem of this container."""
    involved, message = value_at(event, "involvedObject"), as_text(event.get("message"))
    is_pull = problem.topic == "image"
    is_same = (is_pull and is_absent(message)) or (bool(problem.message) and problem.message in message)
    container = f"{{{problem.container}}}"
    is_involved = as_text(value_at(involved, "uid")) == problem.uid and container in as_text(value_at(involved, "fieldPath"))
    return is_involved and is_same and as_text(event.get("reason")) == "Failed"


def _own_end(pod: Pod) -> int | None:
    """The exit code of a migration that exited by itself; None if it has not, or if Kubernetes may have stopped it.

    A program may exit with 0 on SIGTERM, at its deadline for example, with its work half done.
    """
    end = pod.main.ended if pod.main else None
    # Older versions of Kubernetes do not record when an eviction began.
    may_be_evicted = pod.reason not in ("", "DeadlineExceeded") and not pod.is_true("DisruptionTarget")
    if end is None or may_be_evicted:
        return None
    is_own = pod.stopped is None or (end.finished is not None and end.finished < pod.stopped)
    return end.exit_code if is_own else None


def _has_failed(pod: Pod) -> bool:
    """Whether a migration exited with an error by itself, and is not restarted. Otherwise the Job decides."""
    return pod.restart_policy == "Never" and (_own_end(pod) or 0) != 0


def _failed(job: Object, pod: Pod) -> Run:
    """The reason for a failed migration: from the container that failed and its pod, otherwise from the Job."""
    of_job, blamed = read_conditions(job).get("Failed", Condition(status="")), _blamed(pod)
    end = f"{blamed.ended}" if blamed and blamed.ended and blamed.ended.exit_code != 0 else ""
    named = f"init container {blamed.name}: " if end and blamed and blamed.role is Role.INIT else ""
    why = "; ".join(filter(None, (named + end, _joined(pod.reason, pod.message))))
    why = why or _joined(of_job.reason, of_job.message) or "the cluster gives no reason"
    return Run(state=State.FAILED, why=why, pod=pod.name, container=blamed.name if blamed else "")


def _blamed(pod: Pod) -> Container | None:
    """The first init container, or the application, that exited with an error; otherwise the application."""
    own = [container for container in pod.containers if container.role is not Role.SIDECAR]
    return next((container for container in own if container.ended and container.ended.exit_code != 0), pod.main)


def _no_pod(job: Object) -> Problem:
    suspended = read_conditions(job).get("Suspended", Condition(status=""))
    if suspended.status == "True":
        message = suspended.message or "the Job is suspended"
        return Problem(reason="Suspended", message=message, advice="Resume the Job (spec.suspend).", since=suspended.since)
    return Problem(reason="NoPod", message="its pod is not created yet", advice="Check the events of the Job.")


def _joined(reason: str, message: str) -> str:
    return ": ".join(filter(None, (reason, message)))
