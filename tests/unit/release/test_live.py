"""What the Deployments of an environment are: colors, or workers of a color."""

from typing import Any

from bluegreen.release.live import LiveWorker, is_of_app, live_workers
from bluegreen.release.metadata import WORKER, WORKER_OF


def worker(app: str = "shop", **metadata: Any) -> dict[str, Any]:
    labels = {"app": app, "color": "green", WORKER_OF: app, WORKER: "jobs"}
    described = {"name": f"{app}-jobs-green", "labels": labels, "generation": 3, **metadata}
    return {"metadata": described, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}}


def test_the_deployment_of_a_worker_is_not_that_of_its_color() -> None:
    assert not is_of_app("shop", worker())
    assert not is_of_app("shop", worker(name="shop-green"))


def test_a_worker_is_found_by_its_labels() -> None:
    found = live_workers("shop", [worker(), worker("other"), {"metadata": {"name": "shop-green", "labels": {"app": "shop"}}}])
    assert found == {"shop-jobs-green": LiveWorker(name="jobs", color="green", replicas=2, ready=1, generation=3)}


def test_a_worker_that_is_being_deleted_is_left_out() -> None:
    assert live_workers("shop", [worker(deletionTimestamp="2026-01-01T00:00:00Z")]) == {}
