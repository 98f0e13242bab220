"""Somebody changes the environment with kubectl: a plain preview shows it, and a plain update fixes it."""

import json
from collections.abc import Iterator

import pytest

from bluegreen.release.live import live_color
from bluegreen.release.refusals import Rule
from tests.cluster import SandboxCluster, eventually
from tests.engine.onlookers import (
    break_a_pod,
    by,
    pods,
    refused,
    same_config_afterwards,
    served_by,
    undisturbed,
)
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

OTHER_IMAGE = {"template": {"spec": {"containers": [{"name": "myapp", "image": "bluegreen.example/app:3.0"}]}}}


@pytest.fixture(scope="module")
def standing(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """Users on blue, testers on green."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), BOTH_COLORS) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"replicas": 1}, id="another number of pods"),
        pytest.param(OTHER_IMAGE, id="another image"),
    ],
)
def test_an_idle_color_is_mended_and_awaited_while_users_notice_nothing(
    standing: SandboxEnvironment, change: dict[str, object]
) -> None:
    wanted = standing.get("deployment", "myapp-green")["spec"]
    with served_by(standing, "blue"):
        kubectl_patch(standing, "deployment", "myapp-green", {"spec": change}, "strategic")
        assert standing.preview().written == {"update Deployment/myapp-green"}
        assert standing.up().written == {"update Deployment/myapp-green"}
        assert standing.get("deployment", "myapp-green")["status"]["readyReplicas"] == 2
    assert standing.get("deployment", "myapp-green")["spec"] == wanted
    assert standing.up().written == set()


def test_the_live_color_keeps_its_pods_until_the_users_have_left_it(standing: SandboxEnvironment) -> None:
    kubectl_patch(standing, "deployment", "myapp-blue", {"spec": OTHER_IMAGE}, "strategic")
    eventually(lambda: [settled(standing, "blue"), standing.users.served_by()], [True, "blue"])
    with undisturbed(standing):
        preview, update = standing.preview(), standing.up()
    assert [preview.written, update.written] == [set(), set()]
    said = "warning: blue runs bluegreen.example/app:3.0, which this stack did not deploy."
    assert [said in each.text for each in (preview, update)] == [True, True]
    kept = pods(standing, "blue")
    with served_by(standing, "blue", "green"):
        assert standing.activate("green").written == {"update VirtualService/myapp-blue-green"}
        standing.users.wait_for("green")
        assert pods(standing, "blue") == kept
    with served_by(standing, "green"):
        assert standing.up().written == {"update Deployment/myapp-blue"}
    standing.activate("blue")
    standing.users.wait_for("blue")


def test_users_do_not_move_to_an_image_that_somebody_else_deployed(standing: SandboxEnvironment) -> None:
    kubectl_patch(standing, "deployment", "myapp-green", {"spec": OTHER_IMAGE}, "strategic")
    eventually(lambda: settled(standing, "green"), True)
    remedy = "Fix the drift first: pulumi config set activeColor blue && pulumi up, then switch."
    with same_config_afterwards(standing), undisturbed(standing):
        standing.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
        refused(standing, *by(Rule.SAME_IMAGE, remedy))
    assert standing.up().written == {"update Deployment/myapp-green"}


def test_users_leave_a_color_that_is_broken_without_waiting_for_it(standing: SandboxEnvironment) -> None:
    broken = break_a_pod(standing, "blue")
    standing.users.wait_for("blue")  # by the pod that is left
    with served_by(standing, "blue", "green"):
        update = standing.activate("green")
        standing.users.wait_for("green")
    assert update.written == {"update VirtualService/myapp-blue-green"}
    standing.cluster.kubectl("delete", "pod", broken, "--namespace", standing.name, "--wait=false")


def kubectl_patch(environment: SandboxEnvironment, kind: str, name: str, change: object, way: str = "merge") -> None:
    where = ("--namespace", environment.name)
    environment.cluster.kubectl("patch", kind, name, *where, f"--type={way}", "--patch", json.dumps(change))


def settled(environment: SandboxEnvironment, color: str) -> bool:
    return live_color(environment.get("deployment", f"myapp-{color}")).is_ready
