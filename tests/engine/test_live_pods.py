"""What an update may do to pods: those of the live color stay, and a value that changes rolls its own color alone."""

from collections.abc import Iterator

import pytest

from tests.cluster import SandboxCluster
from tests.engine.onlookers import pods, served_by
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own


@pytest.fixture(scope="module")
def standing(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """Users on blue, testers on green, and variables of both kinds."""
    config = BOTH_COLORS | {"bluegreen:env": {"GREETING": "hello"}}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), config) as environment:
        environment.set_secret("bluegreen:secretEnv.DB_PASSWORD", "1234")
        environment.up()
        environment.users.wait_for("blue")
        yield environment


def test_scaling_the_live_color_keeps_its_pods(standing: SandboxEnvironment) -> None:
    before = pods(standing, "blue")
    with served_by(standing, "blue"):
        standing.set({"blue:replicas": 3})
        assert standing.up().written == {"update Deployment/myapp-blue"}
        assert set(before) < set(pods(standing, "blue"))
        standing.set({"blue:replicas": 2})
        standing.up()
    assert len(set(before) & set(pods(standing, "blue"))) == 2


@pytest.mark.parametrize("kind", ["env", "secretEnv"])
def test_another_value_of_the_test_color_rolls_that_color_alone(standing: SandboxEnvironment, kind: str) -> None:
    before = {color: pods(standing, color) for color in ("blue", "green")}
    with served_by(standing, "blue"):
        if kind == "env":
            standing.set({"green:env": {"GREETING": "good day"}})
        else:
            standing.set_secret("green:secretEnv.DB_PASSWORD", "5678")
        standing.up()
    assert pods(standing, "blue") == before["blue"]
    assert set(pods(standing, "green")).isdisjoint(before["green"])
    assert standing.get("deployment", "myapp-green")["status"]["readyReplicas"] == 2
