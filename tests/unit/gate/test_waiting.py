"""Waiting for pods and migrations: how long, what is said meanwhile, and what a failure names. Time passes in no time here."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pulumi
import pytest

from bluegreen.gate.migration import SPARE_SECONDS, Migration
from bluegreen.gate.pods import PodsOfColor
from bluegreen.kube.api_error import ApiError
from bluegreen.kube.cluster import LiveError
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.settings import ColorSettings
from bluegreen.release.traffic import Traffic
from bluegreen.workload import source
from bluegreen.workload.settings import job_name
from tests.unit.kube.test_readiness import (
    FOR_EVER,
    MISSING,
    NO_ROOM,
    PROXY,
    UNREADY,
    Object,
    at,
    condition,
    container,
    crashing,
    deployment,
    end,
    ended,
    job,
    pod,
    run_pod,
    running,
    stamp,
    waiting,
)

COLOR = ColorSettings(app="shop", name="green", image="shop:2.0", migrate=("/migrate",))
SERVED = Live(traffic=Traffic.to("blue"), route_owner="me")
READY = pod(running(0, ready=True), conditions=[condition("Ready", "True")])

State = Callable[[float], Object | None]
"""What the cluster holds after so many seconds of waiting. Raises what reading it raises."""


class Cluster:
    """A cluster with one Deployment, one Job, and one pod of either, each as it is after so many seconds."""

    def __init__(self, *, pod: State = lambda _: None, main: State = lambda _: UNREADY, runs_ahead: float = 0) -> None:
        self.seconds = 0.0
        self.logs: list[tuple[str, str]] = []
        self._pod = pod
        self._main = main
        self._runs_ahead = runs_ahead

    def get(self, *_: str) -> Object | None:
        return self._main(self.seconds)

    def replica_sets(self, _: object) -> list[Object]:
        return []

    def pods(self, *_: object) -> list[Object]:
        return [found] if (found := self._pod(self.seconds)) else []

    def list_objects(self, *_: str, **__: str) -> list[Object]:
        return self.pods()

    def events_of(self, _: str) -> list[Object]:
        return []

    def events(self, name: str) -> list[str]:
        return [f"Scheduled: {name}"]

    def log(self, pod: str, container: str) -> list[str]:
        self.logs.append((pod, container))
        return [f"the log of {container}"]

    def now(self) -> datetime:
        return at(self._runs_ahead + self.seconds)

    async def pause(self, _: float) -> None:
        """A second, however long it was to be."""
        self.seconds += 1


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(pulumi, "info", lambda text, *_, **__: lines.append(text))
    return lines


def wait(cluster: Any, color: ColorSettings = COLOR, live: Live = SERVED, kind: Any = PodsOfColor) -> str:
    """Waits to the end, and returns what it fails with, or nothing."""
    waits = kind(cluster, color, source("settings"), live, "--namespace prod", lambda: cluster.seconds, cluster.pause)
    until: Any = waits.until_done if kind is Migration else waits.until_ready
    try:
        asyncio.run(until(None))
    except pulumi.RunError as error:
        return str(error)
    return ""


def until(seconds: float, before: Object | None, after: Object | None) -> State:
    return lambda now: before if now < seconds else after


# Pods


def test_what_kubernetes_tries_again_is_waited_for_until_ready_timeout_seconds() -> None:
    freed = Cluster(pod=until(170, pod(conditions=[NO_ROOM]), READY), main=until(171, UNREADY, deployment()))
    assert wait(freed) == ""
    full = Cluster(pod=lambda _: pod(conditions=[NO_ROOM]))
    failure = wait(full)
    assert full.seconds == COLOR.ready_timeout_seconds
    assert failure.startswith("shop-green did not become ready in 180 s; readyTimeoutSeconds (180) is over.\n")
    assert "  reason: Unschedulable of pod shop-green-uid-1\n          0/3 nodes are available: Insufficient cpu.\n" in failure
    assert "waiting longer cannot help" not in failure
    assert full.logs == []


def test_what_no_waiting_can_end_fails_at_once() -> None:
    cluster = Cluster(pod=lambda _: pod(waiting("InvalidImageName", "couldn't parse image name")))
    failure = wait(cluster)
    assert cluster.seconds == 0
    assert "waiting longer cannot help" in failure


def test_a_crash_loop_fails_after_fail_fast_seconds_with_pod_container_exit_code_and_its_log() -> None:
    crashed = pod(PROXY, crashing(1, ends=3, started=0, code=3))
    cluster = Cluster(pod=lambda _: crashed)
    failure = wait(cluster)
    # The container ended before it began to run the last time, which is when the wait began.
    assert cluster.seconds == COLOR.fail_fast_seconds
    assert "the problem has lasted since 2026-11-27 12:00:00 UTC, longer than failFastSeconds (60)" in failure
    assert "waiting longer cannot help" not in failure
    assert "  reason: CrashLoopBackOff of pod shop-green-uid-1, container shop\n" in failure
    assert "exit code 3; it has ended 3 times\n" in failure
    assert "  log:    the log of shop\n" in failure
    assert "  event:  Scheduled: shop-green-uid-1\n" in failure
    assert "kubectl delete pod shop-green-uid-1 --namespace prod && pulumi up\n" in failure
    assert failure.endswith("The route was not touched: users stay on blue.")


def test_the_log_of_an_init_container_is_shown_if_that_is_what_fails() -> None:
    seen = pod(waiting("PodInitializing"), init=[crashing(0, 2, name="setup", started=0)])
    cluster = Cluster(pod=lambda _: seen)
    assert "container setup\n" in wait(cluster)
    assert cluster.logs == [("shop-green-uid-1", "setup")]


@pytest.mark.parametrize("runs_ahead", [-FOR_EVER, FOR_EVER])
def test_the_time_is_that_of_the_cluster_whatever_the_clock_of_the_runner_says(runs_ahead: float) -> None:
    """The clock of the runner is the monotonic one here; the cluster's is far away from it."""
    began = runs_ahead - 50
    seen = pod(crashing(began, ends=2, started=began), conditions=[condition("ContainersReady", "False", began)])
    cluster = Cluster(pod=lambda _: seen, runs_ahead=runs_ahead)
    assert "CrashLoopBackOff" in wait(cluster)
    assert cluster.seconds == 10


def test_an_update_that_goes_on_with_an_old_crash_loop_does_not_wait_again() -> None:
    began = -FOR_EVER
    seen = pod(crashing(-20, ends=12, started=-21, back_off="5m0s"), conditions=[condition("ContainersReady", "False", began)])
    cluster = Cluster(pod=lambda _: seen)
    assert "did not become ready in 0 s" in wait(cluster)


def test_an_application_that_ends_twice_in_its_first_seconds_and_then_is_well_is_ready() -> None:
    def life(seconds: float) -> Object:
        if seconds < 10:
            return pod(crashing(4, ends=2, started=3) if seconds > 3 else ended(2))
        return pod(running(12, 2, end(4, started=3))) if seconds < 100 else READY

    cluster = Cluster(pod=life, main=until(100, UNREADY, deployment()))
    assert wait(cluster) == ""


def test_a_deployment_that_is_gone_fails_at_once() -> None:
    cluster = Cluster(main=lambda _: None)
    assert "the Deployment is gone" in wait(cluster)
    assert cluster.seconds == 0


def test_an_api_server_that_is_away_is_waited_for() -> None:
    def away(seconds: float) -> Object | None:
        if seconds < 60:
            raise LiveError("no answer")
        return deployment()

    assert wait(Cluster(main=away)) == ""
    assert "readyTimeoutSeconds (30) is over" in wait(Cluster(main=away), replace(COLOR, ready_timeout_seconds=30))


def test_each_thing_that_is_waited_for_is_shown_once_with_pod_container_and_beginning(said: list[str]) -> None:
    missing = pod(waiting("CreateContainerConfigError", MISSING))
    assert wait(Cluster(pod=until(30, pod(conditions=[NO_ROOM]), missing)))
    assert said == [
        "green waits: pod shop-green-uid-1: Unschedulable: 0/3 nodes are available: Insufficient cpu., since 12:00:00 UTC",
        "green waits: pod shop-green-uid-1, container shop: CreateContainerConfigError: "
        f"{MISSING}, since 12:00:30 UTC; fails after 60 s (failFastSeconds)",
    ]


def test_a_right_that_is_missing_is_given_fail_fast_seconds() -> None:
    def forbidden(_: float) -> Object | None:
        raise LiveError("me has no right to list pods") from ApiError("forbidden", 403)

    for kind in (PodsOfColor, Migration):
        cluster = Cluster(main=forbidden)
        failure = wait(cluster, kind=kind)
        assert "has no right to list pods" in failure
        assert "longer than failFastSeconds (60)" in failure
        assert cluster.seconds == COLOR.fail_fast_seconds


# Migrations


def migrate(cluster: Cluster, color: ColorSettings = COLOR, **present: Any) -> str:
    """Waits for the migration of green, which runs already, as `present` says, or is not deployed."""
    colors = {"green": LiveColor(image="shop:2.0", **present)} if present else {}
    return wait(cluster, color, replace(SERVED, colors=colors), Migration)


def of_job(pod: State, job_is: Object | None = job()) -> Cluster:  # noqa: B008
    return Cluster(pod=pod, main=lambda _: job_is)


def test_a_migration_is_over_when_its_own_container_has_ended() -> None:
    beside = [run_pod(PROXY, running(0), phase="Running"), run_pod(PROXY, ended(40, 0), phase="Running")]
    cluster = of_job(until(40, *beside))
    assert migrate(cluster) == ""
    assert cluster.seconds == 40


def test_a_migration_that_failed_beside_a_container_that_goes_on_fails_with_its_own_log() -> None:
    cluster = of_job(lambda _: run_pod(PROXY, ended(1, 3), phase="Running"))
    failure = migrate(cluster)
    assert f"The migration {job_name(COLOR)} failed: exit code 3\n  log:    the log of shop\n" in failure
    assert f"kubectl delete job {job_name(COLOR)} --namespace prod && pulumi up --refresh\n" in failure
    assert cluster.logs == [("shop-green-uid-1", "shop")]


def test_a_migration_may_wait_for_a_node_and_then_has_all_of_its_time() -> None:
    def life(seconds: float) -> Object:
        if seconds < 170:
            return run_pod(conditions=[NO_ROOM])
        return run_pod(running(170), phase="Running") if seconds < 760 else run_pod(ended(760, 0), startTime=stamp(170))

    assert migrate(of_job(life)) == ""


def test_a_migration_that_does_not_start_fails_after_ready_timeout_seconds_and_says_what_becomes_of_it() -> None:
    cluster = of_job(lambda _: run_pod(conditions=[NO_ROOM]))
    failure = migrate(cluster)
    assert cluster.seconds == COLOR.ready_timeout_seconds
    assert f"The migration {job_name(COLOR)} does not start: Unschedulable: 0/3 nodes are available" in failure
    assert "readyTimeoutSeconds (180) is over" in failure
    assert "The Job is still there" in failure


def test_a_migration_whose_secret_is_missing_fails_after_fail_fast_seconds() -> None:
    cluster = of_job(lambda _: run_pod(waiting("CreateContainerConfigError", MISSING)))
    failure = migrate(cluster)
    assert cluster.seconds == COLOR.fail_fast_seconds
    assert f"does not start: CreateContainerConfigError: {MISSING}" in failure
    assert "kubectl delete pod" not in failure  # a Job whose pod is deleted has failed


@pytest.mark.parametrize("sees", [True, False], ids=["that is read", "that is not read any more"])
def test_a_migration_that_the_cluster_does_not_end_is_given_up_in_the_end(sees: bool) -> None:
    def life(seconds: float) -> Object:
        if seconds > 100 and not sees:
            raise LiveError("no answer")
        return run_pod(running(0), phase="Running")

    cluster = of_job(life)
    assert "the cluster has not ended it within 660 s" in migrate(cluster)
    assert cluster.seconds == COLOR.migrate_timeout_seconds + SPARE_SECONDS


FAILED = job(Failed="True")


@pytest.mark.parametrize("job_is", [None, FAILED, job()], ids=["is gone", "has failed", "runs again"])
def test_a_color_that_was_deployed_after_its_migration_does_not_need_the_job_any_more(job_is: Object | None) -> None:
    cluster = of_job(lambda _: None, job_is)
    assert migrate(cluster, migration=job_name(COLOR)) == ""
    assert cluster.seconds == 0


@pytest.mark.parametrize(
    ("present", "words"),
    [
        ({}, "is gone. Bring it back"),
        ({"migration": job_name(replace(COLOR, image="shop:1.0"))}, "is gone. Bring it back"),
        ({"migration": ""}, ""),
    ],
    ids=["not deployed", "deployed after another migration", "deployed by a program without the annotation"],
)
def test_a_job_that_is_gone_is_missed_unless_the_color_runs_this_image_already(present: Mapping[str, Any], words: str) -> None:
    failure = migrate(of_job(lambda _: None, None), **present)
    assert words in failure
    assert bool(failure) is bool(words)


def test_a_job_that_has_failed_is_no_success_because_the_image_runs() -> None:
    assert "failed" in migrate(of_job(lambda _: None, FAILED), migration="")


def test_a_container_without_a_state_waits() -> None:
    assert "does not start: Pending" in migrate(of_job(lambda _: run_pod(container(state={}))))
