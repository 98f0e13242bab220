"""`activate --bake` on the real cluster: a release that is fine stays, and one that hangs is rolled back."""

from collections.abc import Iterator

import pytest

from tests.cluster import SandboxCluster
from tests.command import Operator
from tests.engine.onlookers import served_by
from tests.stack import BOTH_COLORS, environment_of_its_own, other


@pytest.fixture(scope="module")
def operator(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Blue 1.0 is live, green 2.0 is ready."""
    with environment_of_its_own(
        cluster, tmp_path_factory.mktemp("bake"), BOTH_COLORS | {"bluegreen:replicas": 1}
    ) as environment:
        operator = Operator(environment)
        operator.run("up")
        yield operator


def test_a_good_release_bakes_under_load_and_stays(operator: Operator) -> None:
    with served_by(operator.environment, "blue", "green"):
        baked = operator.run("activate", "green", "--bake", "5s")
    assert "baked 5 s: 0 of" in baked.out
    assert "users: green (verified)" in baked.out
    assert operator.environment.users.served_by() == "green"


def test_a_release_that_accepts_requests_and_never_answers_is_rolled_back(operator: Operator) -> None:
    environment = operator.environment
    live = environment.users.served_by()
    environment.set({f"{other(live)}:env": {"FAULT": "slow", "FAULT_DELAY": "10m"}})
    operator.run("up")
    rolled_back = operator.run("activate", other(live), "--bake", "5s", "--json", status=11)
    (worse,) = [line for line in rolled_back.lines if line["event"] == "worse"]
    assert "TimeoutError" in worse["reason"]
    assert f"so users went back to {live}" in rolled_back.lines[-1]["message"]
    assert [(line["role"], line["color"]) for line in rolled_back.lines if line["event"] == "verified"] == [("users", live)]
    assert environment.users.served_by() == live
    assert f"activeColor: {live}" in operator.config()


def test_a_release_that_fails_a_few_requests_is_rolled_back(operator: Operator) -> None:
    environment = operator.environment
    live = environment.users.served_by()
    environment.set({f"{other(live)}:env": {"FAULT": "errors", "FAULT_RATE": "0.05"}})
    operator.run("up")
    with environment.users.load(rate=200, seconds=600):
        baked = operator.run("activate", other(live), "--bake", "1m", "--json", status=11)
        environment.users.wait_for(live)
    assert environment.users.served_by() == live
    assert f"activeColor: {live}" in operator.config()
    events = [line["event"] for line in baked.lines]
    assert [event for event in events if event in ("worse", "moved", "result")] == ["worse", "moved", "result"]
