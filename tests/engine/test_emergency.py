"""`rollback --now` on the sandbox: users move once and only where it is right, and nothing is left behind."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bluegreen.cli import lock
from bluegreen.release.refusals import Rule
from tests.cluster import SandboxCluster
from tests.command import LONGEST_SECONDS, Operator, Ran
from tests.engine.onlookers import AnotherStack, break_a_pod, by, by_way_of, served_by, undisturbed
from tests.engine.recorder import Request, recorder
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

ROUTE = "myapp-blue-green"


@pytest.fixture(scope="module")
def shared(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The environment of this module: both colors with two pods each."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("emergency"), BOTH_COLORS) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield Operator(environment)


@pytest.fixture
def operator(shared: Operator) -> Operator:
    """Users on green, testers on blue, and blue served before."""
    if "activeColor: green" not in shared.config():
        shared.run("activate", "green")
    return shared


def moves(ran: Ran) -> list[tuple[str, str]]:
    """The moves of users that a command reports."""
    return [(line["origin"], line["target"]) for line in ran.lines if line["event"] == "moved"]


def in_step(operator: Operator, color: str) -> None:
    """Route, config and state say the same: `color`."""
    seen = operator.run("status", "--json").lines[0]
    assert (seen["active"], seen["drift"], seen["foreign"]) == (color, [], "")
    assert f"activeColor: {color}" in operator.config()
    (route,) = (resource for resource in operator.environment.state_resources() if resource["urn"].endswith(f"::{ROUTE}"))
    assert route["inputs"]["spec"]["http"][-1]["route"][0]["destination"]["subset"] == color


def test_after_a_roll_back_by_pulumi_up_it_says_already(operator: Operator) -> None:
    operator.environment.activate("blue")
    ran = operator.run("rollback", "--now", "--json")
    assert moves(ran) == []
    (already,) = (line for line in ran.lines if line["event"] == "already")
    assert already["target"] == "blue"
    assert "context" in already["place"]
    assert operator.environment.users.served_by() == "blue"


def test_a_command_line_that_is_not_understood_and_another_stack_write_nothing(operator: Operator, tmp_path: Path) -> None:
    environment = operator.environment
    other = Operator(AnotherStack(environment, tmp_path, "other", environment.state, {}))
    with undisturbed(environment, "green"):
        operator.run("rollback", "--now", "--timeout", "5x", status=2)
        refused = other.run("rollback", "--now", status=13)
    assert by(Rule.ONE_OWNER)[0] in refused.err
    assert f"belong to the stack organization/bluegreen/{environment.name}" in refused.err
    assert "Nothing was written; users stay on green (context" in refused.err


def killed_between_the_halves(operator: Operator) -> None:
    # The second half waits for its turn at the config file.
    with lock.turn(operator.config_file, 0, lambda _: None):
        process = operator.start("rollback", "--now", "--json")
        assert process.stdout
        for line in process.stdout:
            if json.loads(line)["event"] == "moved":
                break
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=LONGEST_SECONDS)
    operator.environment.users.wait_for("blue")
    assert "activeColor: green" in operator.config()


def preview_and_up(operator: Operator) -> None:
    assert operator.environment.preview().written == {f"update VirtualService/{ROUTE}"}
    operator.run("up")


# What is run after it was killed -> the color that users are on then.
AFTERWARDS: dict[str, tuple[Callable[[Operator], object], str]] = {
    "the same again": (lambda operator: operator.run("rollback", "--now"), "blue"),
    "activate where users are": (lambda operator: operator.run("activate", "blue"), "blue"),
    "rollback": (lambda operator: operator.run("rollback"), "blue"),
    "activate what the config says": (lambda operator: operator.run("activate", "green"), "green"),
    "up": (preview_and_up, "green"),
}


@pytest.mark.parametrize(("run", "color"), AFTERWARDS.values(), ids=AFTERWARDS)
def test_killed_between_its_halves_it_is_seen_and_whatever_is_run_next_ends_in_step(
    operator: Operator, run: Callable[[Operator], object], color: str
) -> None:
    with served_by(operator.environment, "green", "blue"):
        killed_between_the_halves(operator)
        assert "the config has green as active color, the route blue" in operator.run("status", "--json").lines[0]["drift"]
        run(operator)
        operator.environment.users.wait_for(color)
    in_step(operator, color)


def test_one_ready_pod_of_two_is_enough_and_is_said(operator: Operator) -> None:
    environment = operator.environment
    broken = break_a_pod(environment, "blue")
    with served_by(environment, "green", "blue"):
        went = operator.run("rollback", "--now", "--json")
        environment.users.wait_for("blue")
    assert moves(went) == [("green", "blue")]
    assert [line["message"] for line in went.lines if line["event"] == "warning" and "ready" in line["message"]] == [
        "blue has 1 of 2 pods ready; green served with 2"
    ]
    environment.cluster.kubectl("delete", "pod", broken, "--namespace", environment.name, "--wait=false")


def test_a_route_that_somebody_writes_at_the_same_moment_is_read_again(operator: Operator, tmp_path: Path) -> None:
    environment = operator.environment
    interfered: list[str] = []

    def interfere(request: Request) -> None:
        if request.method == "PATCH" and not interfered:
            interfered.append(request.path)
            where = ["--namespace", environment.name, "--field-manager=somebody"]
            environment.cluster.kubectl("annotate", "virtualservice", ROUTE, "team=shop", *where)

    with (
        served_by(environment, "green", "blue"),
        recorder(environment.cluster.variables, interfere) as (server, asked),
        by_way_of(environment, tmp_path / "kubeconfig", server=server),
    ):
        went = operator.run("rollback", "--now", "--json", KUBECONFIG=str(tmp_path / "kubeconfig"))
        patches = [request for request in asked if request.method == "PATCH" and request.is_ours]
    assert moves(went) == [("green", "blue")]
    assert len(patches) == 2
    assert environment.get("virtualservice", ROUTE)["metadata"]["annotations"]["team"] == "shop"
    in_step(operator, "blue")


def test_users_whom_somebody_has_moved_by_hand_are_moved_back_by_activate(operator: Operator) -> None:
    environment = operator.environment
    with served_by(environment, "green", "blue"):
        set_users(environment, "blue")
        environment.users.wait_for("blue")
        operator.run("activate", "green")
        assert environment.users.served_by() == "green"
    in_step(operator, "green")


def set_users(environment: SandboxEnvironment, color: str) -> None:
    """Somebody moves users with kubectl."""
    change = [
        {"op": "replace", "path": "/spec/http/1/route/0/destination/subset", "value": color},
        {"op": "replace", "path": "/spec/http/1/route/0/headers/response/set/x-color", "value": color},
    ]
    where = ("--namespace", environment.name, "--type=json", "--patch", json.dumps(change))
    environment.cluster.kubectl("patch", "virtualservice", ROUTE, *where)


def test_a_deleted_route_is_named_and_created_again_by_a_refresh(operator: Operator) -> None:
    environment = operator.environment
    environment.cluster.kubectl("delete", "virtualservice", ROUTE, "--namespace", environment.name)
    said = f"VirtualService {ROUTE} is in the state of this stack, and somebody has deleted it"
    for command in (["preview"], ["up", "--skip-preview", "--yes"]):
        assert said in environment.run(*command, succeeds=False).text
    assert f"VirtualService {ROUTE} does not exist" in operator.run("rollback", "--now", status=13).err
    assert environment.run("up", "--skip-preview", "--yes", "--refresh").written == {f"create VirtualService/{ROUTE}"}
    environment.users.wait_for("green")
    in_step(operator, "green")
    assert environment.up().written == set()
