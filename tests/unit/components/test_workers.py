"""Workers in the program: what it registers for each color, and what a switch changes."""

from pathlib import Path
from typing import Any

import pytest

from bluegreen.release import metadata
from bluegreen.release.about import About
from bluegreen.release.config_reader import SettingsError, read_place, read_settings
from bluegreen.release.live import Live
from bluegreen.release.objects import Object
from bluegreen.release.traffic import Traffic
from bluegreen.release.writes import write
from bluegreen.workload import WORKLOADS
from tests.unit.program import BOTH_COLORS, ROOT, Run, run

BASE = {
    "bluegreen:app": "shop",
    "bluegreen:activeColor": "blue",
    "bluegreen:worker": '["jobs"]',
    "blue:manifest": "orders.yaml",
    "green:manifest": "orders.yaml",
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "orders.yaml").write_text((ROOT / "examples" / "manifests" / "worker" / "worker.yaml").read_text())
    monkeypatch.chdir(tmp_path)


def ran(**changed: str) -> Run:
    return run(BASE | {f"bluegreen:{key}": value for key, value in changed.items()})


def replicas(found: Run) -> dict[str, int]:
    """The number of pods of each worker, in the order in which they are registered."""
    made = {key: item for key, item in found.objects().items() if key.startswith("Deployment/shop-jobs")}
    return {key.rpartition("/")[2]: item.inputs["spec"]["replicas"] for key, item in made.items()}


def test_the_workers_of_the_active_color_run_and_those_of_the_other_have_no_pods() -> None:
    assert replicas(ran()) == {"shop-jobs-blue": 2, "shop-jobs-green": 0}
    assert replicas(ran(activeColor="green")) == {"shop-jobs-blue": 0, "shop-jobs-green": 2}


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("stop-first", ["shop-green", "shop-jobs-blue", "shop-jobs-green", "route"]),
        ("start-first", ["shop-green", "shop-jobs-green", "route", "shop-jobs-blue"]),
    ],
)
def test_workers_and_the_route_are_registered_in_the_order_of_the_config(order: str, expected: list[str]) -> None:
    objects = ran(activeColor="green", workerOrder=order).objects().values()
    followed = ["route" if found.kind == "VirtualService" else found.name for found in objects]
    assert [name for name in followed if name in expected] == expected


@pytest.mark.parametrize("order", ["stop-first", "start-first"])
def test_the_graph_is_the_same_whichever_color_is_active(order: str) -> None:
    runs = [ran(activeColor=active, workerOrder=order) for active in ("blue", "green")]
    graphs = [{name: found.dependencies for name, found in made.resources.items()} for made in runs]
    assert graphs[0] == graphs[1]
    assert not [name for name, edges in graphs[0].items() if any("shop-jobs-" in edge for edge in edges)]


def test_a_worker_without_a_manifest_is_refused() -> None:
    with pytest.raises(SettingsError, match="blue:worker") as refused:
        read_settings(BOTH_COLORS | {"blue:worker": '["jobs"]'}, workloads=WORKLOADS)
    assert "pulumi config set blue:manifest" in str(refused.value)
    settings = read_settings(BOTH_COLORS | {"bluegreen:worker": '["jobs"]'}, workloads=WORKLOADS)
    assert settings.service.colors["blue"].workers == ()


def test_a_worker_that_a_service_of_config_values_would_select_is_refused() -> None:
    mixed = BASE | {"bluegreen:app": "orders", "green:manifest": "", "green:imageTag": "2.0", "bluegreen:port": "80"}
    with pytest.raises(SettingsError) as refused:
        read_settings(mixed | {"bluegreen:image": "bluegreen.example/app"}, workloads=WORKLOADS)
    assert "the pods of orders-jobs-blue have the label app: orders" in str(refused.value)


def test_an_emergency_knows_the_service_beside_workers() -> None:
    place = read_place(BASE, workloads=WORKLOADS)
    assert place.service.users.name == "orders"


LIVE = Live(traffic=Traffic.to("blue", ""))


def worker(number: int, image: str = "1", color: str = "green") -> Object:
    labels = {"color": color, metadata.WORKER_OF: "shop"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"shop-jobs-{color}", "labels": labels},
        "spec": {"replicas": number, "template": image},
    }


# What a subcommand does -> whether it may.
WRITES: dict[str, tuple[str, Object | None, Object, bool]] = {
    "activate scales": ("activate green", worker(0), worker(2), True),
    "activate stops the other": ("activate green", worker(2, color="blue"), worker(0, color="blue"), True),
    "activate changes the pods": ("activate green", worker(0), worker(2, "2"), False),
    "deploy creates": ("deploy green", None, worker(0), True),
    "deploy changes": ("deploy green", worker(0), worker(0, "2"), True),
    "deploy of the other color": ("deploy blue", worker(0), worker(0, "2"), False),
    "test": ("test green", worker(0), worker(2), False),
}


@pytest.mark.parametrize(("verb", "old", "new", "may"), WRITES.values(), ids=WRITES)
def test_a_subcommand_changes_the_workers_that_it_is_about(verb: str, old: Object | None, new: Object, may: bool) -> None:
    about: Any = About.given({"BLUEGREEN_ABOUT": verb})
    refusals = [*write(about, LIVE, (), (), old, new)]
    assert (refusals == []) == may
