"""Reads pods, as the API server returns them, into typed values.

Another version of Kubernetes or a controller may give an object any shape, so nothing here raises: a missing or malformed field
gets its default.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from bluegreen.release.objects import Object, as_items, as_number, as_text, is_terminating, value_at

# More than Kubernetes accepts, and small enough for a timedelta.
_LONGEST_SECONDS = 10**10


class Role(IntEnum):
    """The purpose of a container, in the order in which Kubernetes starts them."""

    INIT = 1
    """An init container that must exit with 0 before the application starts."""

    MAIN = 2
    """The application."""

    SIDECAR = 3
    """Any other container, including an init container that keeps running (`restartPolicy: Always`)."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition of an object. `since` is its lastTransitionTime, None if unknown."""

    status: str
    reason: str = ""
    message: str = ""
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class End:
    """How a container ended. `exit_code` is None if it is unknown, `signal` is 0 without one."""

    exit_code: int | None
    signal: int
    reason: str
    message: str
    started: datetime | None
    finished: datetime | None

    def __str__(self) -> str:
        code = "an unknown exit code" if self.exit_code is None else f"exit code {self.exit_code}"
        signal = f", signal {self.signal}" if self.signal else ""
        reason = f" ({self.reason})" if self.reason not in ("", "Error") else ""
        return f"{code}{signal}{reason}{f': {self.message}' if self.message else ''}"


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container of a pod: its `state` and `lastState`.

    `waiting` is the reason in state.waiting, with its `message`; both are empty in another state. `ended` is
    state.terminated, `last` is lastState.terminated.
    """

    name: str
    role: Role
    is_ready: bool = False
    is_started: bool = False
    restarts: int = 0
    waiting: str = ""
    message: str = ""
    is_running: bool = False
    running_since: datetime | None = None
    ended: End | None = None
    last: End | None = None

    @property
    def latest_end(self) -> End | None:
        """How it ended most recently; None if it never did."""
        return self.ended or self.last

    @property
    def ends(self) -> int:
        """How often it has ended, derived from restartCount."""
        if not self.latest_end:
            return 0
        # restartCount increases when the next run starts.
        return max(1, self.restarts if self.is_running else self.restarts + 1)


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One pod. The containers are sorted by `Role`, then as in the pod.

    `stopped` is when Kubernetes stops, or has stopped, the pod before it is done (deadline, deletion, eviction); None if that
    is unknown.
    """

    name: str = "?"
    uid: str = ""
    phase: str = ""
    reason: str = ""
    message: str = ""
    restart_policy: str = ""
    is_deleted: bool = False
    stopped: datetime | None = None
    created: datetime | None = None
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    readiness_gates: tuple[str, ...] = ()
    scheduling_gates: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether its Ready condition is true, so that Services send it requests."""
        return self.is_true("Ready")

    @property
    def is_over(self) -> bool:
        """Whether Kubernetes replaces it: it has ended, is terminating, or its node is gone."""
        is_lost = self.phase == "Unknown" or self.reason == "NodeLost" or self.is_true("DisruptionTarget")
        return self.is_deleted or self.phase in ("Failed", "Succeeded") or is_lost

    @property
    def unready_since(self) -> datetime | None:
        """Since when not all of its containers are ready; None if they are, or that is unknown."""
        for name in ("ContainersReady", "Ready"):
            if (condition := self.conditions.get(name)) and condition.status == "False":
                return condition.since
        return None

    @property
    def main(self) -> Container | None:
        """The application's container; None while it has no status."""
        return next((container for container in self.containers if container.role is Role.MAIN), None)

    def is_true(self, condition: str) -> bool:
        """Whether a condition exists and is true."""
        return condition in self.conditions and self.conditions[condition].status == "True"


def read_pod(item: Object, main: str) -> Pod:
    """Reads a pod. The application is the container named `main`, or the first container if there is none of that name."""
    return Pod(
        name=as_text(value_at(item, "metadata", "name")) or "?",
        uid=as_text(value_at(item, "metadata", "uid")),
        phase=as_text(value_at(item, "status", "phase")),
        reason=as_text(value_at(item, "status", "reason")),
        message=as_text(value_at(item, "status", "message")),
        restart_policy=as_text(value_at(item, "spec", "restartPolicy")),
        is_deleted=is_terminating(item),
        stopped=min(_stops(item), default=None),
        created=time(value_at(item, "metadata", "creationTimestamp")),
        conditions=read_conditions(item),
        containers=tuple(_containers(item, main)),
        readiness_gates=_names(value_at(item, "spec", "readinessGates"), "conditionType"),
        scheduling_gates=_names(value_at(item, "spec", "schedulingGates"), "name"),
    )


def read_conditions(item: Object) -> dict[str, Condition]:
    """The conditions of an object by their type."""
    return {
        as_text(condition.get("type")): Condition(
            status=as_text(condition.get("status")),
            reason=as_text(condition.get("reason")),
            message=as_text(condition.get("message")),
            since=time(condition.get("lastTransitionTime")),
        )
        for condition in as_items(value_at(item, "status", "conditions"))
    }


def _stops(item: Object) -> Iterator[datetime]:
    """The times at which known causes stop a pod: its deadline, a deletion, an eviction."""
    causes = (
        (value_at(item, "status", "startTime"), as_number(value_at(item, "spec", "activeDeadlineSeconds"))),
        # deletionTimestamp is the time by which the pod must be gone, so the deletion began a grace period earlier.
        (
            value_at(item, "metadata", "deletionTimestamp"),
            -(as_number(value_at(item, "metadata", "deletionGracePeriodSeconds")) or 0),
        ),
    )
    for start, seconds in causes:
        if (moment := time(start)) and seconds is not None and abs(seconds) <= _LONGEST_SECONDS:
            yield moment + timedelta(seconds=seconds)
    disrupted = read_conditions(item).get("DisruptionTarget")
    if disrupted and disrupted.status == "True" and disrupted.since:
        yield disrupted.since


def _containers(item: Object, main: str) -> Iterator[Container]:
    listed = _names(value_at(item, "spec", "containers"), "name")
    statuses = as_items(value_at(item, "status", "containerStatuses"))
    names = [as_text(status.get("name")) for status in statuses]
    application = main if main in (*listed, *names) else next(iter((*listed, *names)), main)
    init_containers = as_items(value_at(item, "spec", "initContainers"))
    sidecars = {as_text(container.get("name")) for container in init_containers if container.get("restartPolicy") == "Always"}
    containers = [
        *_read(as_items(value_at(item, "status", "initContainerStatuses")), dict.fromkeys(sidecars, Role.SIDECAR), Role.INIT),
        *_read(statuses, {application: Role.MAIN}, Role.SIDECAR),
    ]
    yield from sorted(containers, key=lambda container: container.role)


def _read(statuses: list[Object], roles: Mapping[str, Role], default: Role) -> Iterator[Container]:
    for status in statuses:
        name = as_text(status.get("name"))
        yield Container(
            name=name,
            role=roles.get(name, default),
            is_ready=status.get("ready") is True,
            is_started=status.get("started") is True,
            restarts=as_number(status.get("restartCount")) or 0,
            waiting=as_text(value_at(status, "state", "waiting", "reason")),
            message=as_text(value_at(status, "state", "waiting", "message")),
            is_running=isinstance(value_at(status, "state", "running"), Mapping),
            running_since=time(value_at(status, "state", "running", "startedAt")),
            ended=_end(value_at(status, "state", "terminated")),
            last=_end(value_at(status, "lastState", "terminated")),
        )


def _end(value: Any) -> End | None:
    if not isinstance(value, Mapping):
        return None
    return End(
        exit_code=as_number(value.get("exitCode")),
        signal=as_number(value.get("signal")) or 0,
        reason=as_text(value.get("reason")),
        message=as_text(value.get("message")).strip(),
        started=time(value.get("startedAt")),
        finished=time(value.get("finishedAt")),
    )


def _names(value: Any, key: str) -> tuple[str, ...]:
    return tuple(name for item in as_items(value) if (name := as_text(item.get(key))))


def time(value: Any) -> datetime | None:
    """A Kubernetes timestamp (RFC 3339) in UTC; None if it is invalid.

    Also None for the years 1 and 1970, which container runtimes write for an unknown time.
    """
    try:
        moment = datetime.fromisoformat(as_text(value))
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 1970 < moment.year < 3000 else None
