"""A release on the real engine and the real cluster: what each step changes, and what it must leave alone."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import Cluster, eventually
from tests.conftest import Environments
from tests.stack import BOTH_COLORS, ONE_COLOR, Environment, environment_of_its_own, other

COLORS, ROUTINGS = ["blue", "green"], ["istio", "selector"]
ROUTE = {"istio": {"VirtualService/myapp-blue-green"}, "selector": {"Service/myapp", "Service/myapp-test"}}


def steps(operation: str, objects: set[str]) -> set[str]:
    return {f"{operation} {each}" for each in objects}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The objects that are new, gone, or written, but for pods."""
    touched = {each for each in before | after if before.get(each) != after.get(each)}
    return {each for each in touched if not each.startswith("Pod/")}


def pods(color: str, objects: dict[str, Any]) -> set[str]:
    return {each for each in objects if each.startswith(f"Pod/myapp-{color}-")}


def ready(environment: Environment, color: str) -> int:
    status: dict[str, int] = environment.get("deployment", f"myapp-{color}")["status"]
    return status.get("readyReplicas", 0)


@pytest.fixture(scope="module", params=ROUTINGS)
def standing(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    """An environment with both colors, for tests that only move users and testers, or nobody."""
    config = BOTH_COLORS | {"bluegreen:routing": request.param}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), config) as environment:
        environment.up()
        yield environment


def with_one_color(new_environment: Environments, live: str) -> Environment:
    image = {"blue:imageTag": None, f"{live}:imageTag": "1.0"}
    environment = new_environment(ONE_COLOR | {"bluegreen:activeColor": live} | image)
    environment.up()
    return environment


@pytest.mark.parametrize("routing", ROUTINGS)
def test_the_first_update_returns_when_both_colors_are_ready_and_routed(new_environment: Environments, routing: str) -> None:
    environment = new_environment(BOTH_COLORS | {"bluegreen:routing": routing})
    result = environment.up()
    assert [ready(environment, color) for color in COLORS] == [2, 2]
    assert steps("create", {"Deployment/myapp-blue", "Deployment/myapp-green"} | ROUTE[routing]) <= result.changes
    environment.users.wait_for("blue")
    environment.testers.wait_for("green")


def test_an_update_without_a_change_of_config_changes_nothing(standing: Environment) -> None:
    before = standing.objects()
    assert standing.up().changes == set()
    assert standing.objects() == before


def test_the_preview_of_a_switch_shows_the_route_alone_and_touches_nothing(standing: Environment) -> None:
    standing.activate("blue")
    before = standing.objects()
    standing.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
    preview = standing.preview("--diff")
    route = ROUTE[standing.routing]
    assert preview.changes == steps("update", route)
    assert f"~ {len(route)} to update\n" in preview.text
    assert standing.objects() == before


def test_the_diff_of_a_switch_reads_as_the_switch(standing: Environment) -> None:
    standing.activate("blue")
    standing.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
    resources = standing.preview("--diff").text.partition("--outputs:--")[0]
    said = [line.strip() for line in resources.splitlines() if "=>" in line]
    fields = {"istio": ["subset", "x-color"], "selector": ["color"]}[standing.routing]
    both_ways = ['"blue" => "green"', '"green" => "blue"']
    assert sorted(said) == sorted(f"~ {field}: {way}" for field in fields for way in both_ways)


@pytest.mark.parametrize("live", COLORS)
def test_a_switch_and_its_roll_back_write_the_route_and_nothing_else(standing: Environment, live: str) -> None:
    standing.activate(live)
    route, before = ROUTE[standing.routing], standing.objects()
    for color in (other(live), live):
        assert standing.activate(color).changes == steps("update", route)
        after = standing.objects()
        assert changed(before, after) <= route
        assert [pods(each, after) for each in COLORS] == [pods(each, before) for each in COLORS]
        standing.users.wait_for(color)
        standing.testers.wait_for(other(color))


@pytest.mark.parametrize("live", COLORS)
def test_deploying_the_idle_color_touches_its_own_objects_alone(new_environment: Environments, live: str) -> None:
    environment, idle = with_one_color(new_environment, live), other(live)
    before = environment.objects()
    environment.deploy(idle, "2.0")
    after = environment.objects()
    assert changed(before, after) == {f"Deployment/myapp-{idle}", f"PodDisruptionBudget/myapp-{idle}"}
    assert pods(live, after) == pods(live, before)
    assert ready(environment, idle) == 2
    assert environment.testers.served_by() == live


def test_an_update_of_a_color_returns_when_its_new_pods_are_ready(new_environment: Environments) -> None:
    environment = new_environment(BOTH_COLORS)
    environment.up()
    # Each way of replacing pods, and from one to the other; the provider's own wait takes a Deployment that is being
    # recreated for ready now and then.
    for strategy, tag in (("Recreate", "3.0"), ("RollingUpdate", "2.0"), ("Recreate", "3.0")):
        environment.set({"green:strategy": strategy})
        environment.deploy("green", tag)
        assert ready(environment, "green") == 2
        environment.testers.wait_for("green")
        assert f'"version":"{tag}"' in environment.testers.ask().body


@pytest.mark.parametrize("live", COLORS)
def test_retiring_a_color_removes_its_objects_and_the_test_route_alone(new_environment: Environments, live: str) -> None:
    idle = other(live)
    environment = new_environment(BOTH_COLORS | {"bluegreen:activeColor": live, "bluegreen:testColor": idle})
    environment.up()
    before = environment.objects()
    environment.retire(idle)
    after = environment.objects()
    own = {f"Deployment/myapp-{idle}", f"PodDisruptionBudget/myapp-{idle}"}
    assert changed(before, after) == own | {"VirtualService/myapp-blue-green"}
    assert own.isdisjoint(after)
    assert pods(live, after) == pods(live, before)
    environment.testers.wait_for(live)


def test_destroying_leaves_nothing_in_the_namespace(new_environment: Environments) -> None:
    variables = {"bluegreen:env": {"GREETING": "hello"}, "bluegreen:secretEnv": {"DB_PASSWORD": "1234"}}
    environment = new_environment(BOTH_COLORS | variables)
    before = environment.cluster.everything(environment.name)
    environment.up()
    environment.destroy()
    eventually(lambda: environment.cluster.everything(environment.name), before)
