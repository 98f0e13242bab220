"""When a color is ready, on its way, or lost: judged from objects as a real cluster gave them, cut to what is read."""

from typing import Any

import pytest

from release.readiness import GRACE_SECONDS, failure, lost, trouble


def deployment(**status: Any) -> dict[str, Any]:
    counts = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
    spec = {"replicas": 2, "template": {"spec": {"containers": [{"image": "shop:2.0"}]}}}
    return {"metadata": {"name": "shop-green", "generation": 3}, "spec": spec, "status": counts | status}


def pod(container: dict[str, Any] | None = None, **conditions: Any) -> dict[str, Any]:
    listed = [{"type": name, **value} for name, value in ({"Ready": {"status": "False"}} | conditions).items()]
    status = {"conditions": listed, "containerStatuses": [container] if container else None}
    return {"metadata": {"name": "shop-green-1"}, "status": status}


def waiting(reason: str, message: str = "", restarts: int = 0, exit_code: int | None = None) -> dict[str, Any]:
    last = {"terminated": {"exitCode": exit_code, "reason": "Error"}} if exit_code is not None else {}
    return {"state": {"waiting": {"reason": reason, "message": message}}, "lastState": last, "restartCount": restarts}


UNREADY = deployment(readyReplicas=1)
UNSCHEDULABLE = {"status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available: Insufficient cpu."}


def test_a_color_is_ready_when_every_wanted_pod_is_new_and_ready() -> None:
    assert trouble(deployment(), [], 0) is None


@pytest.mark.parametrize(
    "status",
    [
        {"observedGeneration": 2},
        {"updatedReplicas": 1},
        {"replicas": 3},
        {"readyReplicas": 1},
        {"readyReplicas": None, "replicas": None, "updatedReplicas": None},
    ],
    ids=["template not taken up", "a pod of the old template", "an old pod is left", "a pod not ready", "no pods yet"],
)
def test_a_color_is_on_its_way_until_then(status: dict[str, Any]) -> None:
    found = trouble(deployment(**status), [], 0)
    assert found
    assert not found.is_certain


def test_a_ready_pod_is_no_trouble() -> None:
    found = trouble(UNREADY, [pod(Ready={"status": "True"})], 0)
    assert found
    assert (found.pod, found.message) == ("", "1 of 2 pods are ready")


# What the cluster says -> the pod's trouble is certain at once, certain after the grace, or never.
CASES = {
    "an image that the registry does not have": (
        pod(waiting("ErrImagePull", "manifest for shop:9 not found")),
        "at once",
    ),
    "an image that the registry denies": (
        pod(waiting("ImagePullBackOff", "pull access denied, repository does not exist")),
        "at once",
    ),
    "a registry that does not answer": (pod(waiting("ImagePullBackOff", "connection refused")), "after the grace"),
    "a name that is no image": (pod(waiting("InvalidImageName", "invalid reference format")), "at once"),
    "a missing Secret": (pod(waiting("CreateContainerConfigError", 'secret "db" not found')), "at once"),
    "an image that runs as root": (
        pod(waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")),
        "at once",
    ),
    "a node too busy to hand over a ConfigMap": (
        pod(waiting("CreateContainerConfigError", "failed to sync configmap cache: timed out waiting for the condition")),
        "after the grace",
    ),
    "a crash loop": (pod(waiting("CrashLoopBackOff", "back-off 10s", restarts=1, exit_code=1)), "at once"),
    "a container that ended twice": (
        pod({"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}, "restartCount": 2}),
        "at once",
    ),
    "a container that ended once": (
        pod({"state": {"terminated": {"exitCode": 1, "reason": "Error"}}, "restartCount": 0}),
        "never",
    ),
    "no node with room": (pod(PodScheduled=UNSCHEDULABLE), "after the grace"),
    "a probe that fails": (pod({"state": {"running": {}}, "restartCount": 0}), "never"),
    "a container that is being made": (pod(waiting("ContainerCreating")), "never"),
}


@pytest.mark.parametrize(("seen", "certain"), CASES.values(), ids=CASES)
def test_trouble_is_certain_when_waiting_cannot_help(seen: dict[str, Any], certain: str) -> None:
    at_once, after = trouble(UNREADY, [seen], 0), trouble(UNREADY, [seen], GRACE_SECONDS)
    assert at_once
    assert after
    assert at_once.pod == "shop-green-1"
    assert (at_once.is_certain, after.is_certain) == (certain == "at once", certain != "never")


def test_certain_trouble_is_told_before_uncertain() -> None:
    slow, lost = pod(waiting("ContainerCreating")), pod(waiting("InvalidImageName"))
    found = trouble(UNREADY, [slow, lost], 0)
    assert found
    assert found.reason == "InvalidImageName"


def test_pods_that_may_not_be_made_are_certain_trouble_of_the_deployment() -> None:
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods=0"}
    found = trouble(deployment(readyReplicas=0, conditions=[condition]), [], 0)
    assert found
    assert (found.reason, found.message, found.is_certain) == ("FailedCreate", "exceeded quota: pods=0", True)


def test_of_pods_that_run_once_those_are_lost_that_cannot_start_and_not_those_that_ended() -> None:
    ended = pod({"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}, "restartCount": 0})
    stuck = pod(waiting("ErrImagePull", "manifest for shop:9 not found"))
    assert lost([ended], 0) == []
    assert [each.reason for each in lost([ended, stuck], 0)] == ["ErrImagePull"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"reason": "DeadlineExceeded", "message": "too long"}, "DeadlineExceeded: too long"),
        ({"containerStatuses": [{"state": {"terminated": {"exitCode": 3}}}]}, "exit code 3"),
        ({}, "the cluster does not say why"),
    ],
    ids=["ended by the cluster", "ended by itself", "gone before it started"],
)
def test_why_a_pod_that_runs_once_failed(status: dict[str, Any], said: str) -> None:
    assert failure({"metadata": {"name": "migrate"}, "status": status}) == said
