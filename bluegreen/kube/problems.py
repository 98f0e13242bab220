"""Finds the problems that keep a container, a pod or a Deployment from becoming ready.

Pure functions of objects that were read once, without state or clock. `readiness.py` decides how long a problem may last.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from bluegreen.kube.pods import Condition, Container, End, Pod, Role, read_conditions
from bluegreen.release.live import live_color
from bluegreen.release.objects import Object, as_number, as_text, value_at

# Parts of a registry's message for an image that does not exist, or that the credentials may not pull.
_NO_SUCH_IMAGE = (
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
# Parts of a message from a node, a network, a registry or a webhook that is busy or briefly unavailable.
_TRANSIENT = re.compile(
    r"timed? ?out|deadline exceeded|connection (refused|reset)|no such host|network is unreachable|no route to host"
    r"|\beof\b|handshake|temporar|too ?many ?requests|unavailable|try again|is reserved for|\b(429|500|502|503|504)\b",
    re.IGNORECASE,
)
# The image contradicts the pod's security context, so no later attempt can succeed.
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

# The kubelet resets the back-off of a container that has run for this long.
_RUNS_WELL = timedelta(minutes=10)
# The kubelet reports at the latest this long after a container ended that it is no longer ready.
_REPORT_DELAY = timedelta(seconds=10)


_GENERATION = ("metadata", "generation")


class Course(IntEnum):
    """What can end a problem, the worst last. `readiness.py` explains the values."""

    RETRIED = 1
    PERSISTENT = 2
    FINAL = 3


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why a color or a migration is not ready: Kubernetes' reason, a message, and advice.

    `pod` (with its `uid`) and `container` say where; they are empty for a problem of the Deployment or the Job. Then `about`
    may name an object whose events explain more. `topic` distinguishes causes within one container. `since` is when the
    problem began, None if that is unknown. `is_final` is true if the update must stop waiting.
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


def rejected_pods(deployment: Object, replica_sets: Sequence[Object]) -> Iterator[Problem]:
    """Pods, or their ReplicaSet, that the API server rejects. `replica_sets` are those of the current pod template.

    Always RETRIED, whatever the message says: Kubernetes retries for up to 15 minutes between attempts and keeps the message of
    the first one, so it may be about a quota that has been raised since.
    """
    failures = [(replica_set, _replica_failure(replica_set)) for replica_set in replica_sets]
    failures = failures or [(deployment, _no_replica_set(deployment))]
    for item, condition in failures:
        if condition is None:
            continue
        yield Problem(
            reason=condition.reason or "ReplicaFailure",
            message=condition.message,
            advice="Kubernetes retries by itself. Raise the quota, or fix the policy or the webhook that rejects the pods.",
            topic="creation",
            about=as_text(value_at(item, "metadata", "name")),
            since=condition.since,
        )


def _replica_failure(item: Object) -> Condition | None:
    condition = read_conditions(item).get("ReplicaFailure")
    return condition if condition and condition.status == "True" else None


def _no_replica_set(deployment: Object) -> Condition | None:
    """The condition that explains why the current pod template has no ReplicaSet; None if it is of an older template."""
    processed, newest = (
        as_number(value_at(deployment, *path)) or 0 for path in (("status", "observedGeneration"), _GENERATION)
    )
    if processed < newest:
        return None
    progress = read_conditions(deployment).get("Progressing")
    is_refused = progress is not None and progress.status == "False" and progress.reason == "ReplicaSetCreateError"
    return progress if is_refused else _replica_failure(deployment)


def incomplete(deployment: Object) -> Problem:
    """The problem of a Deployment that is not ready although none of its pods has a problem."""
    color, name = live_color(deployment), as_text(value_at(deployment, "metadata", "name"))
    if value_at(deployment, "spec", "paused") is True:
        advice = f"Resume it: kubectl rollout resume deployment/{name}"
        return Problem(reason="Paused", message="the Deployment is paused", advice=advice)
    replaced = "" if color.is_settled else ", and pods are being replaced"
    advice = "Give it more time: pulumi config set readyTimeoutSeconds <seconds>"
    return Problem(reason="NotReady", message=f"{color.ready} of {color.replicas} pods are ready{replaced}", advice=advice)


# Pods


def unscheduled(pod: Pod) -> Iterator[Problem]:
    """The problem of a pod without a node; none if it has one."""
    scheduled = pod.conditions.get("PodScheduled")
    if not scheduled or scheduled.status != "False":
        return
    gates = f"it still has the scheduling gates {', '.join(pod.scheduling_gates)}" if pod.scheduling_gates else ""
    yield Problem(
        reason=scheduled.reason or "Unschedulable",
        message=gates or scheduled.message or "it has no node yet",
        advice="Check the controller that must remove the gates."
        if gates
        else "Make room on the nodes, or request less (resources, replicas).",
        topic="scheduling",
        since=scheduled.since,
    )


def closed_gates(pod: Pod) -> Iterator[Problem]:
    """One problem per readiness gate that is not true."""
    for gate in pod.readiness_gates:
        if not pod.is_true(gate):
            condition = pod.conditions.get(gate, Condition(status=""))
            details = ": ".join(filter(None, (condition.reason, condition.message)))
            yield Problem(
                reason="ReadinessGate",
                message=f"the readiness gate {gate} is {condition.status or 'not set'}{f' ({details})' if details else ''}",
                advice="Check the controller that sets this condition, for example a load balancer's.",
                topic=f"gate {gate}",
                since=condition.since or pod.unready_since,
            )


def pending(pod: Pod) -> Problem:
    """The problem of a pod whose status gives no reason why it is not ready."""
    message = ": ".join(filter(None, (pod.reason, pod.message))) or "the pod is starting"
    return Problem(reason=pod.phase or "Pending", message=message, advice="Check the events of the pod.", since=pod.created)


# Containers


def first_end(pod: Pod, container: Container) -> datetime | None:
    """When a container first ended after it was last healthy; None if it has not failed since.

    A pod's status has the last two ends only. Earlier ones are inferred: one came before the last run started, and the back-off
    message says how long the container has waited between its runs.
    """
    end = container.latest_end
    if end is None or end.finished is None or (container.role is Role.INIT and end.exit_code == 0):
        return None
    if pod.unready_since and end.finished < pod.unready_since - _REPORT_DELAY:
        return None
    known = [end.finished]
    if ends(pod, container) > 1:
        earlier = [container.last.finished if container.last else None, end.started, end.finished - _total_back_off(container)]
        known += filter(None, earlier)
    return max(min(known), pod.unready_since) if pod.unready_since else min(known)


def ends(pod: Pod, container: Container) -> int:
    """How often a container has ended since it was last healthy."""
    end = container.latest_end
    if end and end.started and end.finished:
        was_ready = pod.unready_since is not None and end.started < pod.unready_since <= end.finished + _REPORT_DELAY
        if was_ready or end.finished - end.started >= _RUNS_WELL:
            return 1
    # After a restart of its node a pod's init containers run again; their earlier success is not a crash.
    has_succeeded = container.role is Role.INIT and container.ended and container.last and container.last.exit_code == 0
    return 1 if has_succeeded else container.ends


def _total_back_off(container: Container) -> timedelta:
    """How long a container has waited between its earlier runs: the delay doubles from 10 s, so 40 s follow 10 and 20."""
    match = re.match(r"back-off (?:(\d{1,4})m)?(?:(\d{1,4})s)? ", container.message)
    minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0)
    return timedelta(seconds=max(0, minutes * 60 + seconds - 10))


def container_problem(container: Container, ends: int, first_end: datetime | None) -> Problem | None:
    """Why a container is not ready; None if it is. `ends` and `first_end` are since it was last healthy."""
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
    # PodInitializing: it waits for other containers of the pod, which report their own problems.
    return None if container.waiting == "PodInitializing" else _starting(container)


def is_absent(message: str) -> bool:
    """Whether a pull error means that the image does not exist or may not be pulled, and not a transient failure."""
    return any(words in message.lower() for words in _NO_SUCH_IMAGE) and not _TRANSIENT.search(message)


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
        advice="Fix what the message names: a Secret, a ConfigMap, the user of the image (runAsUser), or the image.",
        course=Course.FINAL if any(words in container.message for words in _AS_ROOT) else course,
        topic="creation",
    )


def _crashed(container: Container, end: End, ends: int, first_end: datetime | None) -> Problem:
    is_loop = ends > 1 or (first_end is not None and end.finished is not None and first_end < end.finished)
    # Not every version of Kubernetes reports CrashLoopBackOff for an init container between two runs.
    return Problem(
        reason="CrashLoopBackOff" if is_loop else container.waiting or end.reason or "Error",
        message=f"the container ended with {end}" + (f"; it has ended {max(ends, 2)} times" if is_loop else ""),
        advice="Read the log above, fix the application or its variables, and deploy again.",
        course=Course.PERSISTENT if is_loop else Course.RETRIED,
        topic="crash",
        since=first_end,
    )


def _not_ready(container: Container) -> Problem:
    previous = f"; its previous run ended with {container.last}" if container.last else ""
    if container.role is Role.INIT:
        reason, message, advice = "InitContainerRuns", "the init container has not ended yet", "Check what it waits for."
    else:
        reason, message = "ReadinessProbeFails", "the container runs, and its readiness probe fails"
        advice = "Check the response of the readiness path; a slow start needs a longer readyTimeoutSeconds."
    since = container.running_since
    return Problem(reason=reason, message=message + previous, advice=advice, topic="ready", since=since)


def _starting(container: Container) -> Problem:
    message = container.message or "the container is starting"
    return Problem(reason=container.waiting or "Pending", message=message, advice="Check the events of the pod.")
