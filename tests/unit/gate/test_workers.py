"""Waiting for workers: when an update starts some, until the old ones are gone, and what is said when one of both fails."""

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from bluegreen.gate.workers import StartingWorker, StoppingWorker, others_after_failure, starts_workers
from bluegreen.kube.cluster import LiveError
from bluegreen.release.live import Live, LiveWorker
from bluegreen.release.manifest import Manifest
from bluegreen.release.metadata import CONTAINER, WORKER, WORKER_OF
from bluegreen.release.settings import ColorSettings, ServiceSettings, Settings
from bluegreen.release.traffic import Traffic
from bluegreen.workload import source

BLUE = ColorSettings(app="shop", name="blue", image="shop:1.0", ready_timeout_seconds=60)
SETTINGS = Settings(service=ServiceSettings(name="shop", colors={"blue": BLUE}), active_color="green")
SELECTED = {WORKER_OF: "shop", WORKER: "jobs", "color": "blue"}
JOBS = Manifest(
    api_version="apps/v1",
    kind="Deployment",
    name="shop-jobs-blue",
    body={
        "spec": {
            "replicas": 0,
            "template": {"spec": {"terminationGracePeriodSeconds": 7}},
        }
    },
    labels={"team": "front", **SELECTED},
    annotations={CONTAINER: "main"},
)


def live(**replicas: int) -> Live:
    workers = {
        f"shop-jobs-{color}": LiveWorker(name="jobs", color=color, replicas=number, ready=number, generation=1)
        for color, number in replicas.items()
    }
    return Live(traffic=Traffic.to("blue"), route_owner="me", workers=workers)


def pod(phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop-jobs-blue-x", **metadata}, "status": {"phase": phase}}


class Cluster:
    """A cluster with the pods of a worker as they are after so many seconds."""

    def __init__(self, pods: Callable[[float], list[dict[str, Any]]]) -> None:
        self.seconds, self._pods = 0.0, pods

    def list_objects(self, *_: str, **labels: str) -> list[dict[str, Any]]:
        assert labels == SELECTED
        return self._pods(self.seconds)

    def events_of(self, _: str) -> list[Any]:
        return []

    async def pause(self, seconds: float) -> None:
        self.seconds += seconds


def stopped(pods: Callable[[float], list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch) -> float:
    """After how many seconds the worker counts as stopped."""
    cluster = Cluster(pods)
    monkeypatch.setattr(pulumi, "info", lambda *_, **__: None)
    waiting: Any = StoppingWorker(
        cluster,  # type: ignore[arg-type]
        BLUE,
        source("settings"),
        live(blue=2),
        "--namespace shop",
        clock=lambda: cluster.seconds,
        pause=cluster.pause,
    )
    asyncio.run(waiting.until_gone(JOBS, None))
    return cluster.seconds


def test_a_worker_has_stopped_when_its_last_terminating_pod_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    terminating = pod(deletionTimestamp="2026-01-01T00:00:00Z")
    assert 3 <= stopped(lambda seconds: [terminating] if seconds < 3 else [], monkeypatch) < 4
    assert stopped(lambda _: [pod("Succeeded"), pod("Failed")], monkeypatch) == 0


def test_a_worker_that_does_not_stop_ends_the_update_after_its_grace_period(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError) as failed:
        stopped(lambda _: [pod()], monkeypatch)
    assert "shop-jobs-blue did not stop in 67 s: pod shop-jobs-blue-x of it still run" in str(failed.value)
    assert "No worker was started" in str(failed.value)
    assert "users stay on blue" in str(failed.value)


def test_pods_that_cannot_be_listed_are_not_taken_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(_: float) -> list[dict[str, Any]]:
        raise LiveError("no answer")

    with pytest.raises(pulumi.RunError, match="did not stop in 67 s: no answer"):
        stopped(unread, monkeypatch)


@pytest.mark.parametrize(
    ("present", "wanted", "starts"),
    [
        (live(blue=2), 2, True),
        (live(blue=2, green=0), 2, True),
        (live(blue=2, green=1), 2, False),
        (live(blue=2, green=0), 0, False),
    ],
    ids=["new", "scaled to zero", "running", "none wanted"],
)
def test_an_update_starts_workers_that_have_no_pods(present: Live, wanted: int, starts: bool) -> None:
    assert starts_workers(SETTINGS, present, {"shop-jobs-green": wanted}) is starts


def test_a_worker_that_does_not_start_says_what_the_others_do() -> None:
    assert [*others_after_failure(live(green=1), BLUE, True)] == [
        "The workers of green are stopped (workerOrder: stop-first), so jobs wait. To start them again: "
        "pulumi config set activeColor green && pulumi up"
    ]
    assert [*others_after_failure(live(green=1, blue=1), BLUE, False)] == [
        "The workers of green run on. To stop those of blue: pulumi config set activeColor green && pulumi up"
    ]
    assert [*others_after_failure(live(), BLUE, False)] == []


def test_a_worker_is_judged_by_its_own_main_container() -> None:
    waiting = StartingWorker(Cluster(lambda _: []), BLUE, SETTINGS, live(), "", JOBS)  # type: ignore[arg-type]
    assert waiting._watch._main == "main"
