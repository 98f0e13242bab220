"""A release on the real engine and the real cluster: what each step changes, and what it must leave alone."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bluegreen.release import metadata
from tests.cluster import ROOT, SandboxCluster, eventually
from tests.conftest import Environments
from tests.engine.onlookers import by_way_of
from tests.entrance import Endpoint
from tests.stack import BOTH_COLORS, ONE_COLOR, ONE_POD, SandboxEnvironment, environment_of_its_own, other

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


def git_status() -> str:
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def ready(environment: SandboxEnvironment, color: str) -> int:
    status: dict[str, int] = environment.get("deployment", f"myapp-{color}")["status"]
    return status.get("readyReplicas", 0)


@pytest.fixture(scope="module", params=ROUTINGS)
def standing(
    request: pytest.FixtureRequest, cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxEnvironment]:
    """An environment with both colors, for tests that only move users and testers, or nobody."""
    config = BOTH_COLORS | {"bluegreen:routing": request.param} | ONE_POD
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), config) as environment:
        environment.up()
        yield environment


def test_the_first_update_creates_both_colors_and_the_route(standing: SandboxEnvironment) -> None:
    both = {f"Deployment/myapp-{color}" for color in COLORS}
    assert steps("create", both | ROUTE[standing.routing]) <= standing.results[0].changes


def test_an_update_without_a_change_of_config_changes_nothing(standing: SandboxEnvironment) -> None:
    before = standing.objects()
    assert standing.up().changes == set()
    assert standing.objects() == before


@pytest.mark.parametrize("standing", ["istio"], indirect=True)
def test_a_kubeconfig_in_another_place_changes_nothing(standing: SandboxEnvironment, tmp_path: Path) -> None:
    with by_way_of(standing, tmp_path / "kubeconfig"):
        assert standing.preview().changes == set()


def test_the_preview_of_a_switch_shows_the_route_alone_and_reads_as_the_switch(standing: SandboxEnvironment) -> None:
    standing.ensure_users_on("blue")
    before = standing.objects()
    standing.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
    preview = standing.preview("--diff")
    route = ROUTE[standing.routing]
    assert preview.changes == steps("update", route)
    assert f"~ {len(route)} to update\n" in preview.text
    said = [line.strip() for line in preview.text.partition("--outputs:--")[0].splitlines() if "=>" in line]
    fields = {"istio": ["subset", "x-color"], "selector": ["color"]}[standing.routing]
    both_ways = ['"blue" => "green"', '"green" => "blue"']
    record = [line for line in said if line.startswith(f"~ {metadata.SERVED}")]
    assert len(record) <= 1
    assert sorted(set(said) - set(record)) == sorted(f"~ {field}: {way}" for field in fields for way in both_ways)
    assert standing.objects() == before


def test_a_switch_and_its_roll_back_write_the_route_and_nothing_else(standing: SandboxEnvironment) -> None:
    standing.ensure_users_on("blue")
    route, before = ROUTE[standing.routing], standing.objects()
    for color in ("green", "blue"):
        assert standing.activate(color).changes == steps("update", route)
        after = standing.objects()
        assert changed(before, after) <= route
        assert [pods(each, after) for each in COLORS] == [pods(each, before) for each in COLORS]
        standing.users.wait_for(color)
        standing.testers.wait_for(other(color))


def test_the_outputs_tell_where_users_and_testers_come_in(standing: SandboxEnvironment) -> None:
    outputs, node = standing.outputs(), standing.cluster.node_address
    users, testers = outputs["url"], outputs["test"].removeprefix("curl ")
    if standing.routing == "istio":
        assert (users, testers) == (f"http://{standing.host}", f"--cookie test=true http://{standing.host}")
    else:
        ways_in = [entrance.url.replace(node, "<any node>") for entrance in (standing.users, standing.testers)]
        assert [users, testers] == ways_in


def test_a_color_comes_and_goes_without_touching_the_live_one(new_environment: Environments) -> None:
    """The live color is green here, and blue in most other tests."""
    live, idle, image = "green", "blue", {"blue:imageTag": None, "green:imageTag": "1.0"}
    environment = new_environment(ONE_COLOR | {"bluegreen:activeColor": live} | image)
    environment.up()
    alone = environment.objects()
    environment.deploy(idle, "2.0")
    assert ready(environment, idle) == 2
    assert changed(alone, environment.objects()) == {f"Deployment/myapp-{idle}", f"PodDisruptionBudget/myapp-{idle}"}
    assert pods(live, environment.objects()) == pods(live, alone)
    environment.test(idle)
    environment.testers.wait_for(idle)
    environment.retire(idle)
    environment.testers.wait_for(live)
    eventually(lambda: changed(alone, environment.objects()), {"VirtualService/myapp-blue-green"})
    assert pods(live, environment.objects()) == pods(live, alone)


def version(entrance: Endpoint) -> str:
    """The version that answers."""
    return str(json.loads(entrance.ask().body)["version"])


@pytest.fixture(scope="module")
def changing(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """An environment with both colors, for tests that change green, whose pods take a while to terminate."""
    config = BOTH_COLORS | {"green:drainSeconds": 4}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("changing"), config) as environment:
        environment.up()
        yield environment


def test_an_update_of_a_color_returns_when_its_new_pods_are_ready(changing: SandboxEnvironment) -> None:
    # Each way of replacing pods, and from one to the other.
    for strategy, tag in (("RollingUpdate", "3.0"), ("Recreate", "2.0")):
        changing.set({"green:strategy": strategy})
        changing.deploy("green", tag)
        assert ready(changing, "green") == 2
        # The old pods of a RollingUpdate answer until the gateway knows that they stop.
        eventually(lambda: version(changing.testers), tag)


def test_a_color_that_was_just_retired_can_be_deployed_again_at_once(changing: SandboxEnvironment) -> None:
    changing.retire("green")
    changing.deploy("green", "2.0")
    assert ready(changing, "green") == 2


def test_a_whole_life_leaves_nothing_in_the_namespace_or_in_the_work_tree(new_environment: Environments) -> None:
    work_tree = git_status()
    environment = new_environment(ONE_COLOR | {"bluegreen:env": {"GREETING": "hello"}} | ONE_POD)
    empty = environment.cluster.everything(environment.name)
    environment.set_secret("blue:secretEnv.DB_PASSWORD", "1234")
    environment.preview()
    environment.up()
    environment.run("refresh", "--yes", "--skip-preview")
    environment.destroy()
    eventually(lambda: environment.cluster.everything(environment.name), empty)
    assert git_status() == work_tree
