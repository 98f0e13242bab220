"""What keeps a container, a pod or a Deployment from becoming ready, and what can end that. Plain functions over one look.

`readiness.py` says how long each of these problems may last.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from bluegreen.kube.pods import Condition, Container, End, Pod, Role, read_conditions
from bluegreen.release.live import live_color
from bluegreen.release.objects import Object, as_number, as_text, value_at

# What a registry says about an image that it does not have, or does not give.
_NOT_THERE = (
    "not found",
    "does not exist",
    "denied",
    "unauthorized",
    "authorization failed",
    "forbidden",
    "manifest unknown",
    "name unknown",
    "no matching manifest",
    "no match for platform",
    "invalid reference",
)
# Signs of a node, a network, a registry or a webhook that is busy or away, and may be back in a moment.
_TRANSIENT = re.compile(
    r"timed? ?out|deadline exceeded|connection (refused|reset)|no such host|network is unreachable|no route to host"
    r"|\beof\b|handshake|temporar|too ?many ?requests|unavailable|try again|is reserved for|\b(429|500|502|503|504)\b",
    re.IGNORECASE,
)
# No later attempt can succeed: the image and the security context of the pod contradict each other.
_AS_ROOT = ("image will run as root", "non-numeric user", "breaks non-root policy", "break non-root policy")

_NEVER_AN_IMAGE = ("InvalidImageName", "ErrImageNeverPull")
_NO_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed")
_NOT_CREATED = (
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "PreCreateHookError",
    "PreStartHookError",
    "PostStartHookError",
)

# The kubelet forgets the crashes of a container that has run for so long.
_RUNS_WELL = timedelta(minutes=10)
# The kubelet says that a container is no longer ready at most so long after it ended.
_NOTICED = timedelta(seconds=10)


_GENERATION = ("metadata", "generation")


class Course(IntEnum):
    """What can end a problem; the higher, the less hope there is. `readiness.py` explains it."""

    RETRIED = 1
    PERSISTENT = 2
    FINAL = 3


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a color or a migration is not ready: the reason as Kubernetes names it, a message, advice, the pod and the container.

    `pod`, `uid` and `container` are empty for none; `about` is then an object whose events tell more, or empty. `topic`
    distinguishes problems of one container that have different causes. `since` is when it began, None if that is not known.
    `is_final` is true if the update must not wait any longer.
    """

    reason: str
    message: str
    advice: str
    course: Course = Course.RETRIED
    topic: str = ""
    pod: str = ""
    uid: str = ""
    container: str = ""
    about: str = ""
    since: datetime | None = None
    is_final: bool = False


# The Deployment


def refused_pods(deployment: Object, replica_sets: Sequence[Object]) -> Iterator[Problem]:
    """Pods, or a ReplicaSet for them, that the API server does not accept. `replica_sets` are those of the newest template.

    This is RETRIED, whatever the message says. Kubernetes tries again after up to a quarter of an hour, and the message stays
    that of the first attempt, so it may be about a quota that was raised long ago.
    """
    failures = [(each, _replica_failure(each)) for each in replica_sets] or [(deployment, _no_replica_set(deployment))]
    for item, condition in failures:
        if condition is None:
            continue
        yield Problem(
            reason=condition.reason or "ReplicaFailure",
            message=condition.message,
            advice="Kubernetes tries again by itself. Raise the quota, or fix the policy or the webhook that refuses the pods.",
            topic="creation",
            about=as_text(value_at(item, "metadata", "name")),
            since=condition.since,
        )


def _replica_failure(item: Object) -> Condition | None:
    found = read_conditions(item).get("ReplicaFailure")
    return found if found and found.status == "True" else None


def _no_replica_set(deployment: Object) -> Condition | None:
    """Why the newest template has no ReplicaSet. Conditions that are older than this template do not count."""
    processed, newest = (
        as_number(value_at(deployment, *path)) or 0 for path in (("status", "observedGeneration"), _GENERATION)
    )
    if processed < newest:
        return None
    progress = read_conditions(deployment).get("Progressing")
    is_refused = progress is not None and progress.status == "False" and progress.reason == "ReplicaSetCreateError"
    return progress if is_refused else _replica_failure(deployment)


def incomplete(deployment: Object) -> Problem:
    """A Deployment that is not ready, although no pod of it has a problem."""
    color, name = live_color(deployment), as_text(value_at(deployment, "metadata", "name"))
    if value_at(deployment, "spec", "paused") is True:
        advice = f"Resume it: kubectl rollout resume deployment/{name}"
        return Problem(reason="Paused", message="the Deployment is paused", advice=advice)
    replaced = "" if color.is_settled else ", and pods are being replaced"
    advice = "Give it more time: pulumi config set readyTimeoutSeconds <seconds>"
    return Problem(reason="NotReady", message=f"{color.ready} of {color.replicas} pods are ready{replaced}", advice=advice)


# Pods


def unscheduled(pod: Pod) -> Iterator[Problem]:
    """A pod that has no node yet."""
    scheduled = pod.conditions.get("PodScheduled")
    if not scheduled or scheduled.status != "False":
        return
    gates = f"its scheduling gates are not removed: {', '.join(pod.scheduling_gates)}" if pod.scheduling_gates else ""
    yield Problem(
        reason=scheduled.reason or "Unschedulable",
        message=gates or scheduled.message or "no node is chosen yet",
        advice="Find out which controller removes the gates."
        if gates
        else "Make room on the nodes, or request less (resources, replicas).",
        topic="scheduling",
        since=scheduled.since,
    )


def closed_gates(pod: Pod) -> Iterator[Problem]:
    """Readiness gates that are not true."""
    for gate in pod.readiness_gates:
        if not pod.is_true(gate):
            condition = pod.conditions.get(gate, Condition(status=""))
            said = ": ".join(filter(None, (condition.reason, condition.message)))
            yield Problem(
                reason="ReadinessGate",
                message=f"the readiness gate {gate} is {condition.status or 'not set'}{f' ({said})' if said else ''}",
                advice="Look at the controller that sets this condition, such as that of a load balancer.",
                topic=f"gate {gate}",
                since=condition.since or pod.unready_since,
            )


def pending(pod: Pod) -> Problem:
    """A pod that says nothing about what it waits for."""
    message = ": ".join(filter(None, (pod.reason, pod.message))) or "the pod is being started"
    return Problem(reason=pod.phase or "Pending", message=message, advice="Look at the events of the pod.", since=pod.created)


# Containers


def first_end(pod: Pod, container: Container) -> datetime | None:
    """The first known end of a container since it was well; None if it has not failed since.

    The cluster keeps two ends at most. Of earlier ones it proves that one came before the latest run began, and how long the
    container has waited for its starts.
    """
    end = container.latest_end
    if end is None or end.finished is None or (container.role is Role.INIT and end.exit_code == 0):
        return None
    if pod.unready_since and end.finished < pod.unready_since - _NOTICED:
        return None
    known = [end.finished]
    if ends(pod, container) > 1:
        previous = [container.last.finished if container.last else None, end.started, end.finished - _waited(container)]
        known += filter(None, previous)
    return max(min(known), pod.unready_since) if pod.unready_since else min(known)


def ends(pod: Pod, container: Container) -> int:
    """How often a container has ended since it was well."""
    end = container.latest_end
    if end and end.started and end.finished:
        was_ready = pod.unready_since is not None and end.started < pod.unready_since <= end.finished + _NOTICED
        if was_ready or end.finished - end.started >= _RUNS_WELL:
            return 1
    # An init container whose pod is started anew on its node has run before, and ended well.
    has_succeeded = container.role is Role.INIT and container.ended and container.last and container.last.exit_code == 0
    return 1 if has_succeeded else container.ends


def _waited(container: Container) -> timedelta:
    """How long a container has waited for its starts before this one: the delay doubles from 10 s, so 40 s follow 10 and 20."""
    found = re.match(r"back-off (?:(\d{1,4})m)?(?:(\d{1,4})s)? ", container.message)
    minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0)
    return timedelta(seconds=max(0, minutes * 60 + seconds - 10))


def of_container(container: Container, ends: int, first_end: datetime | None) -> Problem | None:
    """What keeps a container from being ready, None for nothing. `ends` and `first_end` count since it was well."""
    if container.is_ready or (container.role is Role.INIT and container.ended and container.ended.exit_code == 0):
        return None
    if container.waiting in (*_NEVER_AN_IMAGE, *_NO_IMAGE):
        return _no_image(container)
    if container.waiting in _NOT_CREATED:
        return _not_created(container)
    if (end := container.latest_end) and (container.ended or container.waiting == "CrashLoopBackOff"):
        return _crashed(container, end, ends, first_end)
    if container.is_running:
        return _not_ready(container)
    # It waits for other containers of the pod, and those have problems of their own.
    return None if container.waiting == "PodInitializing" else _starting(container)


def is_absent(message: str) -> bool:
    """Whether a message about a pull is the definite answer of the registry that it does not have, or give, the image."""
    return any(words in message.lower() for words in _NOT_THERE) and not _TRANSIENT.search(message)


def _no_image(container: Container) -> Problem:
    is_certain = is_absent(container.message) or container.waiting == "SignatureValidationFailed"
    course = Course.PERSISTENT if is_certain else Course.RETRIED
    return Problem(
        reason=container.waiting,
        message=container.message,
        advice="Push the image, or fix its name, its tag, or imagePullSecret.",
        course=Course.FINAL if container.waiting in _NEVER_AN_IMAGE else course,
        topic="image",
    )


def _not_created(container: Container) -> Problem:
    course = Course.RETRIED if _TRANSIENT.search(container.message) else Course.PERSISTENT
    return Problem(
        reason=container.waiting,
        message=container.message,
        advice="Fix what the message names: a Secret or ConfigMap, the user of the image (runAsUser), or the image.",
        course=Course.FINAL if any(words in container.message for words in _AS_ROOT) else course,
        topic="creation",
    )


def _crashed(container: Container, end: End, ends: int, first_end: datetime | None) -> Problem:
    is_loop = ends > 1 or (first_end is not None and end.finished is not None and first_end < end.finished)
    # Between two runs an init container is not called so by every version of Kubernetes.
    return Problem(
        reason="CrashLoopBackOff" if is_loop else container.waiting or end.reason or "Error",
        message=f"the container ended with {end}" + (f"; it has ended {max(ends, 2)} times" if is_loop else ""),
        advice="Read the log above; fix the application or its variables, and deploy again.",
        course=Course.PERSISTENT if is_loop else Course.RETRIED,
        topic="crash",
        since=first_end,
    )


def _not_ready(container: Container) -> Problem:
    before = f"; before, it ended with {container.last}" if container.last else ""
    if container.role is Role.INIT:
        reason, message, advice = "InitContainerRuns", "the init container has not ended yet", "Look at what it waits for."
    else:
        reason, message = "ReadinessProbeFails", "the container runs, and its readiness probe fails"
        advice = "Look at what the readiness path answers; a slow start needs a longer readyTimeoutSeconds."
    since = container.running_since
    return Problem(reason=reason, message=message + before, advice=advice, topic="ready", since=since)


def _starting(container: Container) -> Problem:
    message = container.message or "the container is being started"
    return Problem(reason=container.waiting or "Pending", message=message, advice="Look at the events of the pod.")
