"""Users move only where there is room for them; `--match-room` makes room first."""

from collections.abc import Iterator

import pytest

from bluegreen.release.refusals import Rule
from tests.cluster import SandboxCluster, eventually
from tests.command import Operator
from tests.engine.onlookers import by, refused, same_config_afterwards, served_by, undisturbed
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

ONE_POD: dict[str, object] = {
    "bluegreen:replicas": 1,
    "bluegreen:resources": {"requests": {"cpu": "10m"}},
}


@pytest.fixture(scope="module")
def crowded(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Users on blue, which somebody has scaled to three pods; green has one."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("crowded"), BOTH_COLORS | ONE_POD) as environment:
        environment.up()
        environment.users.wait_for("blue")
        scale(environment, "blue", 3)
        yield Operator(environment)


def scale(environment: SandboxEnvironment, color: str, pods: int) -> None:
    """What an autoscaler, or a person, does beside the stack."""
    where = ("--namespace", environment.name)
    environment.cluster.kubectl("scale", f"deployment/myapp-{color}", f"--replicas={pods}", *where)
    eventually(lambda: ready(environment, color), pods, seconds=60)


def ready(environment: SandboxEnvironment, color: str) -> int:
    found = environment.get("deployment", f"myapp-{color}")["status"]
    return int(found.get("readyReplicas", 0)) if found.get("replicas", 0) == found.get("readyReplicas", 0) else -1


def test_users_do_not_move_to_fewer_pods_than_serve_them(crowded: Operator) -> None:
    environment = crowded.environment
    said = "green has room for 1 (1 of 1 pods are ready), blue serves with 3 ready pods"
    with same_config_afterwards(environment), undisturbed(environment):
        environment.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
        refused(environment, *by(Rule.ROOM), said, "bluegreen activate green --match-room", "add less-room to bluegreen:allow")
        assert "blue 1.0 -> green 2.0 (3 pods -> 1 pod)" in crowded.run("plan", status=13).out
    before = crowded.config()
    with undisturbed(environment):
        assert said in crowded.run("activate", "green", status=13).err
    assert crowded.config() == before


def test_match_room_scales_the_color_before_users_move_and_an_autoscaler_raises_it_by_its_minimum(crowded: Operator) -> None:
    environment = crowded.environment
    with served_by(environment, "blue", "green"):
        moved = crowded.run("activate", "green", "--match-room")
        assert "green: 3 pods are ready, as many as of blue" in moved.out
        assert ready(environment, "green") == 3
        assert environment.users.served_by() == "green"
    scale(environment, "blue", 1)
    environment.set({"blue:maxReplicas": 2})
    crowded.run("up")
    refused = crowded.run("rollback", "--match-room", status=13)
    assert "blue:maxReplicas is 2" in refused.err
    environment.set({"blue:maxReplicas": 4})
    with served_by(environment, "blue", "green"):
        crowded.run("rollback", "--match-room")
        assert ready(environment, "blue") == 3
        assert environment.users.served_by() == "blue"
    assert 'blue:replicas: "3"' in crowded.config()
