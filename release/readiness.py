"""Whether a color is ready, on its way, or lost: judged from its Deployment and its pods, as the cluster gives them.

A color is ready when
  1. the cluster has taken up its newest template,
  2. every wanted pod is of that template, and none of an older one is left,
  3. every wanted pod is ready.
It is lost when waiting cannot help:
  1. its pods may not be made at all (quota, admission);
  2. a container cannot be made (a Secret that is missing, an image that runs as root), and not because the node is busy;
  3. an image cannot be had: at once when the registry says that it is not there, otherwise after `GRACE_SECONDS`;
  4. a container has ended twice, or the cluster delays its next start: a crash loop;
  5. a pod fits on no node for `GRACE_SECONDS`, in which a cluster that grows would have begun to.
Anything else may still become ready: of a readiness probe that fails, only time tells a slow start from a broken one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from release.live import Object, live_color

GRACE_SECONDS = 20

_NOT_THERE = (
    "not found",
    "denied",
    "unauthorized",
    "forbidden",
    "manifest unknown",
    "invalid reference",
    "not present",
)


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why a color is not ready: the pod (empty for none), the reason as the cluster names it, what it says, what to do.

    `is_certain` is true when waiting cannot help.
    """

    reason: str
    message: str
    advice: str
    pod: str = ""
    is_certain: bool = False


def trouble(deployment: Object, pods: Sequence[Object], waited_seconds: float) -> Trouble | None:
    """What keeps a color from being ready, the most certain trouble first; None when it is ready.

    `pods` are those of the newest revision of `deployment`; `waited_seconds` counts from when it was asked for.
    """
    found = [*_replica_failures(deployment), *(each for pod in pods if (each := _of_pod(pod, waited_seconds)))]
    if found:
        return max(found, key=lambda each: each.is_certain)
    return None if live_color(deployment).is_ready else _on_its_way(deployment)


def lost(pods: Sequence[Object], waited_seconds: float) -> list[Trouble]:
    """What keeps pods from starting, or from going on, when waiting cannot help."""
    found = [_of_pod(pod, waited_seconds) for pod in pods]
    return [each for each in found if each and each.is_certain]


def failure(pod: Object) -> str:
    """Why a pod that runs once, and has failed, did: the cluster's reason to end it, or its exit code."""
    status = pod.get("status", {})
    if status.get("reason"):
        return f"{status['reason']}: {status.get('message', '')}"
    codes = [_ended(each).get("exitCode") for each in status.get("containerStatuses") or []]
    return f"exit code {codes[-1]}" if codes else "the cluster does not say why"


def _on_its_way(deployment: Object) -> Trouble:
    color = live_color(deployment)
    advice = "Give it more time: pulumi config set readyTimeoutSeconds <seconds>"
    return Trouble(reason="NotReady", message=f"{color.ready} of {color.replicas} pods are ready", advice=advice)


def _replica_failures(deployment: Object) -> list[Trouble]:
    conditions = deployment.get("status", {}).get("conditions") or []
    return [
        Trouble(
            reason=each.get("reason", "ReplicaFailure"),
            message=each.get("message", ""),
            advice="The cluster does not let the pods be made: mend the quota or the policy it names, or the pods.",
            is_certain=True,
        )
        for each in conditions
        if each["type"] == "ReplicaFailure" and each["status"] == "True"
    ]


def _of_pod(pod: Object, waited_seconds: float) -> Trouble | None:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    conditions = {each["type"]: each for each in status.get("conditions") or []}
    if conditions.get("Ready", {}).get("status") == "True":
        return None
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return Trouble(
            pod=name,
            reason=scheduled.get("reason", "Unschedulable"),
            message=scheduled.get("message", ""),
            advice="Make room on the nodes, or ask for less (resources, replicas).",
            is_certain=waited_seconds >= GRACE_SECONDS,
        )
    for container in status.get("containerStatuses") or []:
        if found := _of_container(name, container, waited_seconds):
            return found
    return None


def _of_container(pod: str, container: Object, waited_seconds: float) -> Trouble | None:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, _ended(container)
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "InvalidImageName"):
        advice = "Mend what it names: a Secret or ConfigMap, the user of the image (runAsUser), or the image."
        # "timed out" is a node that is busy and tries again.
        is_certain = "timed out" not in message or waited_seconds >= GRACE_SECONDS
        return Trouble(pod=pod, reason=reason, message=message, advice=advice, is_certain=is_certain)
    if reason in ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"):
        is_certain = any(word in message.lower() for word in _NOT_THERE) or waited_seconds >= GRACE_SECONDS
        advice = "Push the image, or mend its name, its tag, or imagePullSecret."
        return Trouble(pod=pod, reason=reason, message=message, advice=advice, is_certain=is_certain)
    if ended and (reason == "CrashLoopBackOff" or container.get("restartCount", 0) > 0 or "terminated" in state):
        return Trouble(
            pod=pod,
            reason=reason or ended.get("reason", "Error"),
            message=f"the container ended with exit code {ended.get('exitCode')} ({ended.get('reason')})",
            advice="Read the log above; mend the application or its variables, and deploy again.",
            is_certain=reason == "CrashLoopBackOff" or container.get("restartCount", 0) >= 2,
        )
    if "running" in state:
        advice = "Look at what the readiness path answers; a slow start needs a longer readyTimeoutSeconds."
        message = "the container runs, and its readiness probe fails"
        return Trouble(pod=pod, reason="ReadinessProbeFails", message=message, advice=advice)
    return Trouble(pod=pod, reason=reason or "Pending", message=message or "the pod is being started", advice="")


def _ended(container: Object) -> Object:
    state = (container.get("state") or {}).get("terminated")
    return state or (container.get("lastState") or {}).get("terminated") or {}
