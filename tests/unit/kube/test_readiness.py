"""How long a problem of a color or a migration may last, decided from objects as a real cluster returned them, shortened.

Times are seconds after `T0`.
"""

import copy
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.kube.problems import Problem
from bluegreen.kube.readiness import State, Watch

T0 = datetime(2026, 11, 27, 12, tzinfo=UTC)
PATIENCE = 60
"""The default of failFastSeconds."""
FOR_EVER = 3600

Object = dict[str, Any]


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def stamp(seconds: float) -> str:
    return f"{at(seconds):%Y-%m-%dT%H:%M:%SZ}"


# Objects


def deployment(**status: Any) -> Object:
    counts = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
    spec = {"replicas": 2, "template": {"spec": {"containers": [{"image": "shop:2.0"}]}}}
    return {"metadata": {"name": "shop-green", "generation": 3}, "spec": spec, "status": counts | status}


UNREADY = deployment(readyReplicas=1)


def condition(kind: str, status: str, since: float = 0, reason: str = "", message: str = "") -> Object:
    return {"type": kind, "status": status, "lastTransitionTime": stamp(since), "reason": reason, "message": message}


def pod(
    *statuses: Object,
    init: Sequence[Object] = (),
    kept: Sequence[str] = (),
    conditions: Sequence[Object] = (condition("Ready", "False"), condition("ContainersReady", "False")),
    uid: str = "uid-1",
    created: float = 0,
    **status: Any,
) -> Object:
    """A pod with these container statuses. `kept` names the init containers that keep running (sidecars)."""
    names = [status["name"] for status in statuses] or ["shop"]
    initial = [{"name": item["name"], **({"restartPolicy": "Always"} if item["name"] in kept else {})} for item in init]
    return {
        "metadata": {"name": f"shop-green-{uid}", "uid": uid, "creationTimestamp": stamp(created)},
        "spec": {"containers": [{"name": name} for name in names], "initContainers": initial, "restartPolicy": "Always"},
        "status": {
            "phase": "Pending",
            "conditions": list(conditions),
            "containerStatuses": list(statuses),
            "initContainerStatuses": list(init),
            **status,
        },
    }


def container(name: str = "shop", **status: Any) -> Object:
    return {"name": name, "ready": False, "restartCount": 0, "lastState": {}, **status}


def waiting(reason: str, message: str = "", name: str = "shop", **status: Any) -> Object:
    return container(name, state={"waiting": {"reason": reason, "message": message}}, **status)


def end(finished: float, code: int = 1, started: float | None = None, reason: str = "Error") -> Object:
    begun = finished - 1 if started is None else started
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": stamp(begun), "finishedAt": stamp(finished)}}


def crashing(
    finished: float, ends: int, back_off: str = "10s", name: str = "shop", started: float | None = None, code: int = 1
) -> Object:
    """A container in CrashLoopBackOff after this many ends."""
    message = f"back-off {back_off} restarting failed container={name} pod=shop-green-1_default(1)"
    last = end(finished, code, started)
    return waiting("CrashLoopBackOff", message, name, restartCount=ends - 1, lastState=last)


def running(since: float, ends: int = 0, last: Object | None = None, name: str = "shop", *, ready: bool = False) -> Object:
    state = {"running": {"startedAt": stamp(since)}}
    return container(name, state=state, restartCount=ends, lastState=last or {}, ready=ready, started=True)


def ended(finished: float, code: int = 1, name: str = "shop", restarts: int = 0, reason: str = "Error") -> Object:
    return container(name, state=end(finished, code, reason=reason), restartCount=restarts, ready=code == 0)


# Checks


def watch(fail_fast_seconds: int = PATIENCE, events: Callable[[str], Sequence[Object]] = lambda _: ()) -> Watch:
    return Watch(main="shop", fail_fast_seconds=fail_fast_seconds, events=events)


def look(seen: Object, seconds: float, by: Watch | None = None) -> Problem:
    problem = (by or watch()).color(UNREADY, [], [seen], at(seconds))
    assert problem
    return problem


def final_after(seen: Object, began: float = 0) -> float | None:
    """After how many seconds of watching a pod that stays as it is the problem is final; None for never."""
    by = watch()
    looks = [0, PATIENCE - 1, PATIENCE, FOR_EVER]
    return next((seconds for seconds in looks if look(seen, began + seconds, by).is_final), None)


# Ready


def test_a_color_is_ready_when_every_wanted_pod_is_new_and_ready() -> None:
    assert watch().color(deployment(), [], [], T0) is None


@pytest.mark.parametrize(
    "status",
    [
        {"observedGeneration": 2},
        {"updatedReplicas": 1},
        {"replicas": 3},
        {"readyReplicas": 1},
        {"readyReplicas": None, "replicas": None, "updatedReplicas": None},
    ],
    ids=["template not processed", "a pod of the old template", "an old pod is left", "a pod not ready", "no pods yet"],
)
def test_a_color_is_not_ready_before(status: Object) -> None:
    problem = watch().color(deployment(**status), [], [], T0)
    assert problem
    assert not problem.is_final


def test_a_paused_deployment_is_named() -> None:
    paused = copy.deepcopy(UNREADY)
    paused["spec"]["paused"] = True
    problem = watch().color(paused, [], [], T0)
    assert problem
    assert (problem.reason, problem.is_final) == ("Paused", False)
    assert "kubectl rollout resume deployment/shop-green" in problem.advice


def test_a_ready_pod_is_not_a_problem() -> None:
    problem = watch().color(UNREADY, [], [pod(running(0, ready=True), conditions=[condition("Ready", "True")])], T0)
    assert problem
    assert (problem.pod, problem.message) == ("", "1 of 2 pods are ready")


# The course of a problem

NO_ROOM = condition("PodScheduled", "False", reason="Unschedulable", message="0/3 nodes are available: Insufficient cpu.")
AT_ONCE, AFTER_A_WHILE, NEVER = 0, PATIENCE, None

# A pod whose status stays as it is, and after how many seconds its problem is final.
COURSES: dict[str, tuple[Object, int | None]] = {
    "an invalid image name": (pod(waiting("InvalidImageName", "couldn't parse image name")), AT_ONCE),
    "an image that must not be pulled": (
        pod(waiting("ErrImageNeverPull", "is not present with pull policy of Never")),
        AT_ONCE,
    ),
    "an image that runs as root": (
        pod(waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root (pod: 1)")),
        AT_ONCE,
    ),
    "a user name instead of a number": (
        pod(waiting("CreateContainerConfigError", "container has runAsNonRoot and image has non-numeric user (app)")),
        AT_ONCE,
    ),
    "an image that the registry does not have": (
        pod(waiting("ErrImagePull", "rpc error: code = NotFound desc = failed to resolve reference: shop:9: not found")),
        AFTER_A_WHILE,
    ),
    "an image that the registry denies": (
        pod(waiting("ImagePullBackOff", 'Back-off pulling image "shop:9": ErrImagePull: pull access denied')),
        AFTER_A_WHILE,
    ),
    "an image for another platform": (
        pod(waiting("ErrImagePull", "no match for platform in manifest: not found")),
        AFTER_A_WHILE,
    ),
    "an image with a wrong signature": (pod(waiting("SignatureValidationFailed", "because of a key")), AFTER_A_WHILE),
    "a missing Secret": (pod(waiting("CreateContainerConfigError", 'secret "db" not found')), AFTER_A_WHILE),
    "a missing key": (
        pod(waiting("CreateContainerConfigError", "couldn't find key a in ConfigMap default/b")),
        AFTER_A_WHILE,
    ),
    "a command that does not exist": (
        pod(waiting("RunContainerError", 'exec: "/none": stat /none: no such file or directory')),
        AFTER_A_WHILE,
    ),
    "a registry that does not respond": (
        pod(
            waiting("ErrImagePull", 'failed to do request: dial tcp 127.0.0.1:1: connect: connection refused, "shop" not found')
        ),
        NEVER,
    ),
    "a registry that is too busy": (
        pod(waiting("ErrImagePull", "unexpected status from HEAD request: 429 Too Many Requests, denied")),
        NEVER,
    ),
    "a registry whose name is not resolved": (
        pod(waiting("ImagePullBackOff", 'Back-off pulling image "shop:9": dial tcp: lookup registry: no such host')),
        NEVER,
    ),
    "a registry that breaks the connection": (pod(waiting("ErrImagePull", "net/http: TLS handshake timeout")), NEVER),
    "a pull without a reason": (pod(waiting("ImagePullBackOff", 'Back-off pulling image "shop:9"')), NEVER),
    "an unavailable registry": (pod(waiting("RegistryUnavailable", "because the registry is unavailable")), NEVER),
    "a node too busy to mount a ConfigMap": (
        pod(waiting("CreateContainerConfigError", "failed to sync configmap cache: timed out waiting for the condition")),
        NEVER,
    ),
    "a node too busy to create a container": (pod(waiting("CreateContainerError", "context deadline exceeded")), NEVER),
    "a name that is still taken": (pod(waiting("CreateContainerError", "name k8s_shop is reserved for 1a")), NEVER),
    "a container that ended once": (pod(ended(0)), NEVER),
    "a crash loop": (pod(crashing(0, ends=2, started=0)), AFTER_A_WHILE),
    "an application that exits with 0 repeatedly": (pod(crashing(0, ends=2, started=0, code=0)), AFTER_A_WHILE),
    "no node with room": (pod(conditions=[NO_ROOM]), NEVER),
    "a scheduling gate": (pod(conditions=[condition("PodScheduled", "False", reason="SchedulingGated")]), NEVER),
    "no node yet": (pod(conditions=[]), NEVER),
    "a failing probe": (pod(running(0)), NEVER),
    "a container that is being created": (pod(waiting("ContainerCreating")), NEVER),
    "an unknown reason": (pod(waiting("SomethingNew", "denied, not found")), NEVER),
}


@pytest.mark.parametrize(("seen", "seconds"), COURSES.values(), ids=COURSES)
def test_a_problem_is_final_as_its_course_says(seen: Object, seconds: int | None) -> None:
    assert final_after(seen) == seconds
    assert look(seen, 0).pod == "shop-green-uid-1"


@pytest.mark.parametrize(("seconds", "is_final"), [(0, [True, True]), (10, [False, True]), (3600, [False, False])])
def test_a_persistent_problem_is_final_after_fail_fast_seconds(seconds: int, is_final: list[bool]) -> None:
    by = watch(seconds)
    seen = pod(waiting("CreateContainerConfigError", 'secret "db" not found'))
    assert [look(seen, 0, by).is_final, look(seen, 10, by).is_final] == is_final


def test_the_worst_problem_is_named_first() -> None:
    slow, wrong = pod(waiting("ContainerCreating")), pod(waiting("InvalidImageName"), uid="uid-2")
    problem = watch().color(UNREADY, [], [slow, wrong], T0)
    assert problem
    assert (problem.reason, problem.pod) == ("InvalidImageName", "shop-green-uid-2")


# When a problem began


def test_the_duration_of_a_problem_counts_from_its_own_beginning() -> None:
    """The first pod waits for a node for longer than failFastSeconds; then it starts, and crashes."""
    by = watch()
    assert not look(pod(conditions=[NO_ROOM]), 170, by).is_final
    began = [condition("ContainersReady", "False", 171)]
    assert not look(pod(ended(172), conditions=began), 172, by).is_final
    assert not look(pod(crashing(174, ends=2), conditions=began), 175, by).is_final
    assert not look(pod(crashing(185, ends=3, back_off="20s"), conditions=began), 172 + PATIENCE - 1, by).is_final
    assert look(pod(crashing(205, ends=4, back_off="40s"), conditions=began), 172 + PATIENCE, by).is_final


def test_the_duration_counts_for_every_pod_separately() -> None:
    by = watch()
    missing = waiting("CreateContainerConfigError", 'secret "db" not found')
    assert not look(pod(missing), 0, by).is_final
    assert not look(pod(missing, uid="uid-2", created=PATIENCE), PATIENCE, by).is_final


@pytest.mark.parametrize(
    ("seen", "is_final"),
    [
        (crashing(-40, ends=2, started=-41), False),
        (crashing(-60, ends=2, started=-61), True),
        (crashing(-1, ends=6, started=-2, back_off="2m40s"), True),
        (crashing(-1, ends=8, started=-2, back_off="5m0s"), True),
        (crashing(-1, ends=3, started=-2, back_off="20s"), False),
        (crashing(-1, ends=2, started=-70), True),
        (ended(-1, restarts=0), False),
    ],
    ids=[
        "which ended 40 s ago",
        "which ended a minute ago",
        "which was started with delays for 150 s",
        "which was started with delays for five minutes",
        "which was started with a delay once",
        "which ended before a run of 69 s",
        "which ended once",
    ],
)
def test_an_old_crash_loop_is_final_if_its_timestamps_prove_its_duration(seen: Object, is_final: bool) -> None:
    old = pod(seen, conditions=[condition("ContainersReady", "False", -FOR_EVER)])
    assert look(old, 0).is_final is is_final


@pytest.mark.parametrize("started", [-FOR_EVER, -300])
def test_crashes_before_a_pod_was_ready_do_not_count(started: float) -> None:
    """It crashed five times when it started, was ready for a while, and ends once."""
    fresh = [condition("ContainersReady", "False", 1)]
    seen = pod(crashing(0, ends=6, started=started, back_off="2m40s"), conditions=fresh)
    by = watch()
    assert [look(seen, seconds, by).is_final for seconds in (2, PATIENCE, FOR_EVER)] == [False, False, False]


def test_an_end_before_a_pod_was_ready_does_not_count_after_it_is_unready_again() -> None:
    """It ended long ago, was ready, does not answer since 0, and is ended for that a minute later."""
    by, fresh = watch(), [condition("ContainersReady", "False", 0)]
    assert not look(pod(running(-FOR_EVER, 1, end(-FOR_EVER)), conditions=fresh), 1, by).is_final
    seen = pod(ended(PATIENCE + 10, 137, restarts=1) | {"lastState": end(-FOR_EVER)}, conditions=fresh)
    seen["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"] = stamp(-FOR_EVER)
    assert not look(seen, PATIENCE + 11, by).is_final


def test_an_init_container_that_succeeded_before_has_failed_once() -> None:
    """The pod is started anew on its node."""
    by = watch()
    look(pod(running(1), init=[ended(0, 0, "setup")]), 2, by)
    again = ended(PATIENCE + 9, 1, "setup", restarts=1) | {"lastState": end(0, 0)}
    assert not look(pod(waiting("PodInitializing"), init=[again]), PATIENCE + 10, by).is_final


def test_two_crashes_after_an_hour_of_health_count_from_the_first_of_them() -> None:
    fresh = [condition("ContainersReady", "False", 1)]
    seen = pod(crashing(5, ends=7, started=2, back_off="5m0s"), conditions=fresh)
    by = watch()
    assert not look(seen, 6, by).is_final
    assert not look(seen, PATIENCE, by).is_final
    assert look(seen, PATIENCE + 1, by).is_final


def test_an_end_after_a_long_run_is_counted_as_the_first() -> None:
    """The pod was never ready, for the sake of another container; this one ran for an hour."""
    seen = pod(crashing(0, ends=3, started=-FOR_EVER), conditions=[condition("ContainersReady", "False", -2 * FOR_EVER)])
    assert not look(seen, 1).is_final


def test_a_container_that_runs_again_is_not_in_a_crash_loop() -> None:
    """It ended twice in its first 15 s, and takes two minutes to become ready after that."""
    by = watch()
    life = [
        (4, ended(3)),
        (5, running(4, 1, end(3))),
        (10, crashing(9, ends=2, started=4)),
        (20, running(19, 2, end(9, started=4))),
        (80, running(19, 2, end(9, started=4))),
        (139, running(19, 2, end(9, started=4))),
    ]
    assert [look(pod(state), seconds, by).is_final for seconds, state in life] == [False] * len(life)
    healthy = pod(running(19, 2, end(9), ready=True), conditions=[condition("Ready", "True", 140)])
    assert by.color(deployment(), [], [healthy], at(141)) is None


def test_an_application_that_exits_repeatedly_after_a_while_is_in_a_crash_loop_after_two_ends() -> None:
    """It waits 50 s for its database, and ends."""
    by = watch()
    assert not look(pod(ended(50)), 50, by).is_final
    assert not look(pod(running(51, 1, end(50))), 60, by).is_final
    assert not look(pod(running(51, 1, end(50))), 100, by).is_final
    assert not look(pod(crashing(101, ends=2, started=51)), 102, by).is_final
    assert not look(pod(running(111, 2, end(101, started=51))), 112, by).is_final
    assert look(pod(crashing(161, ends=3, started=111)), 162, by).is_final


def test_a_moment_of_readiness_does_not_end_a_crash_loop() -> None:
    by = watch()
    for begun in (0, 12, 34):
        ready = pod(running(begun, ready=True), conditions=[condition("Ready", "True", begun + 1)])
        by.color(UNREADY, [], [ready], at(begun + 1))
        gone = [condition("ContainersReady", "False", begun + 3)]
        assert not look(pod(crashing(begun + 2, ends=1, started=begun), conditions=gone), begun + 3, by).is_final
    gone = [condition("ContainersReady", "False", 77)]
    assert look(pod(crashing(76, ends=4, started=74), conditions=gone), 77, by).is_final


def test_the_count_starts_again_after_fail_fast_seconds_of_readiness() -> None:
    by = watch()
    look(pod(crashing(5, ends=2)), 6, by)
    well = pod(running(15, 2, end(5), ready=True), conditions=[condition("Ready", "True", 16)])
    by.color(UNREADY, [], [well], at(15 + PATIENCE))
    gone = [condition("ContainersReady", "False", 81)]
    assert not look(pod(crashing(80, ends=3, started=15), conditions=gone), 82, by).is_final


def failed(message: str, first: float, name: str = "shop", uid: str = "uid-1", **more: Any) -> Object:
    involved = {"kind": "Pod", "uid": uid, "fieldPath": f"spec.containers{{{name}}}"}
    times = {"firstTimestamp": stamp(first), "lastTimestamp": stamp(0)}
    return {"involvedObject": involved, "reason": "Failed", "message": message, **times, **more}


NOT_FOUND = 'rpc error: code = NotFound desc = failed to pull and unpack image "shop:9": shop:9: not found'
MISSING = 'secret "db" not found'


@pytest.mark.parametrize(
    ("seen", "event", "is_final"),
    [
        (waiting("ErrImagePull", NOT_FOUND), failed(f'Failed to pull image "shop:9": {NOT_FOUND}', -90), True),
        (waiting("ErrImagePull", NOT_FOUND), failed(f'Failed to pull image "shop:9": {NOT_FOUND}', -10), False),
        (waiting("ErrImagePull", NOT_FOUND), failed('Failed to pull image "shop:9": connection refused', -90), False),
        (waiting("CreateContainerConfigError", MISSING), failed(f"Error: {MISSING}", -90), True),
        (
            waiting("CreateContainerConfigError", MISSING),
            failed(f"Error: {MISSING}", 0, firstTimestamp=None, eventTime=f"{at(-90):%Y-%m-%dT%H:%M:%S.%fZ}"),
            True,
        ),
        (waiting("CreateContainerConfigError", MISSING), failed('Error: secret "other" not found', -90), False),
        (waiting("CreateContainerConfigError", MISSING), failed(f"Error: {MISSING}", -90, name="other"), False),
        (waiting("CreateContainerConfigError", MISSING), failed(f"Error: {MISSING}", -90, uid="another pod"), False),
        (
            waiting("CreateContainerConfigError", MISSING, restartCount=1, lastState=end(-1)),
            failed(f"Error: {MISSING}", -90),
            False,
        ),
    ],
    ids=[
        "an image",
        "an image, for a moment",
        "an image, and the registry was away at first",
        "a Secret",
        "a Secret, by the newer kind of events",
        "another Secret",
        "another container",
        "a former pod of the same name",
        "a container that has run meanwhile",
    ],
)
def test_the_events_of_a_pod_date_the_beginning_of_a_problem(seen: Object, event: Object, is_final: bool) -> None:
    assert look(pod(seen), 0, watch(events=lambda _: [event])).is_final is is_final


def test_events_are_read_once() -> None:
    names: list[str] = []

    def events(name: str) -> Sequence[Object]:
        names.append(name)
        return []

    by = watch(events=events)
    for seconds in range(5):
        look(pod(waiting("CreateContainerConfigError", MISSING)), seconds, by)
        look(pod(conditions=[NO_ROOM], uid="uid-2"), seconds, by)
    assert names == ["shop-green-uid-1"]


def test_an_image_that_does_not_exist_counts_from_the_registrys_response() -> None:
    by = watch()
    away, absent = waiting("ErrImagePull", "connection refused"), waiting("ErrImagePull", NOT_FOUND)
    assert not look(pod(away), 0, by).is_final
    assert not look(pod(absent), 100, by).is_final
    assert not look(pod(waiting("ImagePullBackOff", 'Back-off pulling image "shop:9"')), 101, by).is_final
    assert look(pod(absent), 100 + PATIENCE, by).is_final


def test_a_problem_that_returns_later_is_counted_from_its_return() -> None:
    by = watch()
    missing = waiting("CreateContainerConfigError", MISSING)
    assert not look(pod(missing), 0, by).is_final
    assert not look(pod(running(20)), 21, by).is_final
    assert not look(pod(missing), PATIENCE, by).is_final


def test_a_problem_with_unknown_timestamps_counts_from_the_first_look() -> None:
    unknown = {"terminated": {"exitCode": 128, "reason": "StartError", "startedAt": "1970-01-01T00:00:00Z"}}
    unknown["terminated"]["finishedAt"] = "1970-01-01T00:00:00Z"
    status = waiting("CrashLoopBackOff", "back-off 5m0s restarting", restartCount=4, lastState=unknown)
    assert final_after(pod(status)) == PATIENCE
    assert final_after(pod(status, conditions=[])) == PATIENCE


# Init containers, sidecars and gates


@pytest.mark.parametrize(
    ("seen", "seconds", "name", "reason"),
    [
        (
            pod(waiting("PodInitializing"), init=[crashing(0, 2, name="setup", started=0, code=3)]),
            AFTER_A_WHILE,
            "setup",
            "CrashLoopBackOff",
        ),
        (
            pod(waiting("PodInitializing"), init=[waiting("InvalidImageName", name="setup")]),
            AT_ONCE,
            "setup",
            "InvalidImageName",
        ),
        (pod(waiting("PodInitializing"), init=[running(0, name="setup")]), NEVER, "setup", "InitContainerRuns"),
        (pod(waiting("PodInitializing"), init=[ended(0, 1, "setup")]), NEVER, "setup", "Error"),
        (
            pod(
                waiting("PodInitializing"),
                init=[ended(0, 0, "first"), waiting("CreateContainerConfigError", MISSING, "second")],
            ),
            AFTER_A_WHILE,
            "second",
            "CreateContainerConfigError",
        ),
        (pod(running(0), init=[ended(0, 0, "setup", restarts=3)]), NEVER, "shop", "ReadinessProbeFails"),
        (
            pod(
                waiting("PodInitializing"),
                init=[crashing(0, 9, name="proxy", started=0), waiting("PodInitializing", "", "setup")],
                kept=["proxy"],
            ),
            NEVER,
            "proxy",
            "CrashLoopBackOff",
        ),
        (pod(running(0, ready=True), crashing(0, 9, name="proxy", started=0)), NEVER, "proxy", "CrashLoopBackOff"),
        (pod(running(0, ready=True), waiting("InvalidImageName", name="proxy")), NEVER, "proxy", "InvalidImageName"),
        (pod(running(0, ready=True), ended(0, 0, "helper") | {"ready": False}), NEVER, "helper", "Error"),
        (pod(running(0, name="proxy", ready=True), crashing(0, 2, started=0)), AFTER_A_WHILE, "shop", "CrashLoopBackOff"),
        (pod(crashing(0, 9, name="proxy", started=0), running(0)), NEVER, "shop", "ReadinessProbeFails"),
        (pod(crashing(0, 2, name="other", started=0)), AFTER_A_WHILE, "other", "CrashLoopBackOff"),
    ],
    ids=[
        "an init container that crashes",
        "an init container without an image",
        "an init container that runs",
        "an init container that ended with an error once",
        "the second init container",
        "an init container that is done",
        "a sidecar that is an init container",
        "a sidecar that crashes",
        "a sidecar without an image",
        "a sidecar that has ended",
        "the application beside a sidecar",
        "the application before a sidecar",
        "a pod without a container of the app's name",
    ],
)
def test_init_containers_count_like_the_application_and_sidecars_never_end_the_wait(
    seen: Object, seconds: int | None, name: str, reason: str
) -> None:
    assert final_after(seen) == seconds
    problem = look(seen, 0)
    assert (problem.container, problem.reason) == (name, reason)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (pod(crashing(0, 4, code=3, started=0)), "exit code 3; it has ended 4 times"),
        (pod(ended(0, 137, reason="OOMKilled")), "exit code 137 (OOMKilled)"),
        (
            pod(container(state={"terminated": {"exitCode": 0, "signal": 9, "reason": "Error", "message": "core dumped\n"}})),
            "exit code 0, signal 9: core dumped",
        ),
        (pod(running(20, 2, end(10, 7))), "its readiness probe fails; its previous run ended with exit code 7"),
    ],
    ids=["exit code", "out of memory", "signal", "after a restart"],
)
def test_an_end_is_reported_with_exit_code_signal_and_reason(seen: Object, words: str) -> None:
    assert words in look(seen, 20).message


def test_a_readiness_gate_that_is_not_true_is_named() -> None:
    gate = "target-health.elbv2.k8s.aws/shop"
    conditions = [condition("Ready", "False"), condition("ContainersReady", "True")]
    seen = pod(running(0, ready=True), conditions=conditions)
    seen["spec"]["readinessGates"] = [{"conditionType": gate}]
    assert f"the readiness gate {gate} is not set" in look(seen, 0).message
    seen["status"]["conditions"] += [condition(gate, "False", 5, "Target.FailedHealthChecks", "no answer on port 3000")]
    assert f"the readiness gate {gate} is False (Target.FailedHealthChecks: no answer on port 3000)" in look(seen, 9).message
    assert final_after(seen) is NEVER


def test_scheduling_gates_are_named() -> None:
    seen = pod(conditions=[condition("PodScheduled", "False", reason="SchedulingGated", message="blocked")])
    seen["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}]
    assert "kueue.x-k8s.io/admission" in look(seen, 0).message


CRASHED = crashing(-FOR_EVER, 9)


@pytest.mark.parametrize(
    "replaced",
    [
        pod(CRASHED, phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        pod(ended(0), phase="Failed", reason="Preempting"),
        pod(phase="Failed", reason="NodeShutdown"),
        pod(phase="Failed", reason="OutOfcpu", message="Pod was rejected: Node didn't have enough resource: cpu"),
        pod(ended(0, 0), phase="Succeeded"),
        pod(CRASHED, phase="Unknown", reason="NodeLost"),
        pod(CRASHED, phase="Running", conditions=[condition("DisruptionTarget", "True", reason="DeletionByTaintManager")]),
    ],
    ids=["evicted", "preempted", "node shut down", "rejected by the node", "ended", "node lost", "disrupted"],
)
def test_a_pod_that_kubernetes_replaces_is_not_a_problem(replaced: Object) -> None:
    healthy = pod(running(0, ready=True), conditions=[condition("Ready", "True")], uid="uid-2")
    assert watch().color(deployment(), [], [replaced, healthy], at(FOR_EVER)) is None
    problem = watch().color(UNREADY, [], [replaced], at(FOR_EVER))
    assert problem
    assert (problem.pod, problem.is_final) == ("", False)


# Rejected pods

QUOTA = 'pods "shop-green-1" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
WEBHOOK = 'failed calling webhook "check.example": Post "https://10.0.0.1": dial tcp: connect: connection refused'
POLICY = 'pods "shop-green-1" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'


@pytest.mark.parametrize("message", [QUOTA, WEBHOOK, POLICY], ids=["quota", "webhook", "policy"])
def test_rejected_pods_never_end_the_wait_because_kubernetes_retries(message: str) -> None:
    refused = {"status": {"conditions": [condition("ReplicaFailure", "True", -FOR_EVER, "FailedCreate", message)]}}
    by = watch()
    for seconds in (0, PATIENCE, FOR_EVER):
        problem = by.color(deployment(readyReplicas=0), [refused], [], at(seconds))
        assert problem
        assert (problem.reason, problem.message, problem.is_final) == ("FailedCreate", message, False)


def test_a_failure_of_an_older_pod_template_is_not_a_problem_of_the_current_one() -> None:
    stale = condition("ReplicaFailure", "True", -FOR_EVER, "FailedCreate", QUOTA)
    newest: Object = {"status": {"conditions": []}}
    problem = watch().color(deployment(readyReplicas=0, conditions=[stale]), [newest], [], T0)
    assert problem
    assert problem.reason == "NotReady"
    problem = watch().color(deployment(observedGeneration=2, conditions=[stale]), [], [], T0)
    assert problem
    assert problem.reason == "NotReady"
    assert watch().color(deployment(conditions=[stale]), [newest], [], T0) is None


def test_a_rejected_replica_set_is_named() -> None:
    refused = condition("Progressing", "False", 0, "ReplicaSetCreateError", QUOTA)
    problem = watch().color(deployment(readyReplicas=0, conditions=[refused]), [], [], T0)
    assert problem
    assert (problem.reason, problem.message, problem.is_final) == ("ReplicaSetCreateError", QUOTA, False)


# Migrations


def job(**conditions: str) -> Object:
    return {
        "metadata": {"name": "shop-green-migrate-1"},
        "status": {"conditions": [condition(*entry) for entry in conditions.items()]},
    }


def run_pod(*statuses: Object, deadline: int = 600, metadata: Object | None = None, **more: Any) -> Object:
    """A pod of a migration that a node has accepted at 0, with so many seconds of time."""
    made = pod(*statuses, **more)
    made["spec"] |= {"restartPolicy": "Never", "activeDeadlineSeconds": deadline}
    made["status"].setdefault("startTime", stamp(0))
    made["metadata"] |= metadata or {}
    return made


LATE: dict[str, Any] = {"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active on the node too long"}
PROXY = running(0, name="proxy", ready=True)

RUNS: dict[str, tuple[Object, list[Object], State, str]] = {
    "no pod yet": (job(), [], State.STARTING, ""),
    "running": (job(), [run_pod(running(0), phase="Running")], State.RUNNING, ""),
    "waiting for an init container": (
        job(),
        [run_pod(waiting("PodInitializing"), init=[running(0, name="setup")])],
        State.STARTING,
        "",
    ),
    "succeeded": (job(), [run_pod(ended(5, 0))], State.SUCCEEDED, ""),
    "succeeded, by the Job": (job(Complete="True"), [], State.SUCCEEDED, ""),
    "succeeded, a sidecar still runs": (job(), [run_pod(PROXY, ended(5, 0), phase="Running")], State.SUCCEEDED, ""),
    "succeeded, a sidecar was stopped by the deadline": (
        job(Failed="True"),
        [run_pod(ended(9, 137, "proxy"), ended(5, 0), **LATE)],
        State.SUCCEEDED,
        "",
    ),
    "failed, a sidecar still runs": (
        job(),
        [run_pod(PROXY, ended(5, 3), phase="Running")],
        State.FAILED,
        "exit code 3",
    ),
    "failed, and so has the Job": (
        job(Failed="True"),
        [run_pod(ended(5, 3), phase="Failed")],
        State.FAILED,
        "exit code 3",
    ),
    "stopped at its deadline, exited with 0 on SIGTERM": (
        job(Failed="True"),
        [run_pod(ended(5, 0), deadline=5, **LATE)],
        State.FAILED,
        "DeadlineExceeded: Pod was active on the node too long",
    ),
    "stopped at its deadline a moment ago": (
        job(),
        [run_pod(ended(5, 0), running(0, name="proxy"), deadline=5, phase="Running")],
        State.STARTING,
        "",
    ),
    "deleted, exited with 0 on SIGTERM": (
        job(),
        [run_pod(ended(5, 0), metadata={"deletionTimestamp": stamp(34), "deletionGracePeriodSeconds": 30})],
        State.STARTING,
        "",
    ),
    "succeeded, deleted later": (
        job(),
        [run_pod(ended(5, 0), metadata={"deletionTimestamp": stamp(36), "deletionGracePeriodSeconds": 30})],
        State.SUCCEEDED,
        "",
    ),
    "evicted, exited with 0 on SIGTERM": (
        job(Failed="True"),
        [run_pod(ended(5, 0), phase="Failed", reason="Evicted", conditions=[condition("DisruptionTarget", "True", 4)])],
        State.FAILED,
        "Evicted",
    ),
    "evicted by an older node, exited with 0 on SIGTERM": (
        job(Failed="True"),
        [run_pod(ended(5, 0), phase="Failed", reason="Evicted")],
        State.FAILED,
        "Evicted",
    ),
    "failed, with a restart policy of somebody else": (
        job(),
        [run_pod(ended(5, 1)) | {"spec": {"restartPolicy": "OnFailure"}}],
        State.STARTING,
        "",
    ),
    "failed by its deadline": (
        job(Failed="True"),
        [run_pod(ended(5, 137), deadline=5, **LATE)],
        State.FAILED,
        "exit code 137; DeadlineExceeded: Pod was active on the node too long",
    ),
    "an init container has failed": (
        job(Failed="True"),
        [run_pod(waiting("PodInitializing"), init=[ended(5, 4, "setup")], phase="Failed")],
        State.FAILED,
        "init container setup: exit code 4",
    ),
    "its pod is gone": (job(Failed="True"), [], State.FAILED, "the cluster gives no reason"),
    "its pod is gone, the Job gives the reason": (
        {"status": {"conditions": [condition("Failed", "True", 0, "BackoffLimitExceeded", "Job has reached the limit")]}},
        [],
        State.FAILED,
        "BackoffLimitExceeded: Job has reached the limit",
    ),
    "evicted and retried": (
        job(),
        [
            run_pod(
                ended(5, 137),
                phase="Failed",
                reason="Evicted",
                conditions=[condition("DisruptionTarget", "True")],
            ),
            run_pod(running(9), uid="uid-2", created=8, phase="Running"),
        ],
        State.RUNNING,
        "",
    ),
    "evicted a moment ago": (
        job(),
        [run_pod(ended(5, 137), phase="Failed", reason="Evicted", conditions=[condition("DisruptionTarget", "True")])],
        State.STARTING,
        "",
    ),
    "the Job is suspended": (job(Suspended="True"), [], State.STARTING, ""),
}


@pytest.mark.parametrize(("seen", "pods", "state", "why"), RUNS.values(), ids=RUNS)
def test_the_result_of_a_migration_is_that_of_its_own_container(
    seen: Object, pods: list[Object], state: State, why: str
) -> None:
    run = watch().migration(seen, pods, at(10))
    assert (run.state, run.why) == (state, why)
    assert (run.problem is not None) is (state is State.STARTING)


def test_a_failed_run_names_the_pod_and_container_that_failed() -> None:
    of_setup = run_pod(waiting("PodInitializing"), init=[ended(5, 4, "setup")], phase="Failed")
    of_shop = run_pod(PROXY, ended(5, 3), phase="Running")
    runs = [watch().migration(job(Failed="True"), [run], at(10)) for run in (of_setup, of_shop)]
    assert [(run.pod, run.container) for run in runs] == [("shop-green-uid-1", "setup"), ("shop-green-uid-1", "shop")]


@pytest.mark.parametrize(("seen", "seconds"), COURSES.values(), ids=COURSES)
def test_a_migration_that_does_not_start_has_the_problems_of_any_pod(seen: Object, seconds: int | None) -> None:
    statuses = seen["status"]["containerStatuses"]
    if statuses and {"running", "terminated"} & statuses[0]["state"].keys():
        return  # it has started
    by = watch()
    looks = [(moment, by.migration(job(), [seen], at(moment)).problem) for moment in (0, PATIENCE - 1, PATIENCE, FOR_EVER)]
    assert next((moment for moment, problem in looks if problem and problem.is_final), None) == seconds


# Malformed objects

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("2026-11-27T12:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SAMPLES = [
    *(seen for seen, _ in COURSES.values()),
    pod(PROXY, crashing(5, 3), init=[ended(0, 0, "setup"), running(0, name="proxy-2")], kept=["proxy-2"]),
    run_pod(PROXY, ended(5, 0), **LATE),
    deployment(conditions=[condition("ReplicaFailure", "True"), condition("Progressing", "False")]),
    job(Failed="True", Suspended="True"),
]


def damaged(value: Any, damage: random.Random, junk: Sequence[Any]) -> Any:
    """A copy of `value` in which a part of the fields is missing, or holds something else."""
    if damage.random() < 0.06:
        return damage.choice(junk)
    if isinstance(value, dict):
        return {key: damaged(item, damage, junk) for key, item in value.items() if damage.random() > 0.06}
    return [damaged(item, damage, junk) for item in value] if isinstance(value, list) else value


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.integers(0, 2**32), st.lists(JUNK, min_size=1, max_size=5))
def test_no_malformed_object_raises(seed: int, junk: list[Any]) -> None:
    damage = random.Random(seed)
    values = [damaged(damage.choice(SAMPLES), damage, junk) for _ in range(5)]
    objects = [item for item in values if isinstance(item, dict)]
    by = watch(events=lambda _: objects)
    for seconds in (0, PATIENCE):
        for item in objects:
            problem = by.color(item, objects, objects, at(seconds))
            assert problem is None or isinstance(problem.message, str)
            assert by.migration(item, objects, at(seconds)).state in State
