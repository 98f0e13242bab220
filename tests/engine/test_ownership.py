"""An environment has one owner, also with providers that take an existing object over without a word."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.release import metadata
from bluegreen.release.refusals import Rule
from tests.cli import pulumi
from tests.cluster import SandboxCluster
from tests.command import Operator
from tests.conftest import Environments
from tests.engine.onlookers import (
    AnotherStack,
    RenamedStack,
    by,
    pods,
    refused,
    same_config_afterwards,
    served_by,
    undisturbed,
)
from tests.stack import BOTH_COLORS, ONE_COLOR, ONE_POD, SandboxEnvironment, environment_of_its_own


@pytest.fixture(scope="module")
def owned(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """An environment of a stack of its own: users on blue, testers on green."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("owned"), BOTH_COLORS | ONE_POD) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


def test_a_second_stack_beside_the_first_is_refused_with_the_way_out(owned: SandboxEnvironment, tmp_path: Path) -> None:
    """The classic mistake: `pulumi stack init green; pulumi up`."""
    change = {"bluegreen:activeColor": "green", "bluegreen:testColor": "blue", "bluegreen:host": "else.example"}
    second = AnotherStack(owned, tmp_path, "green", owned.state, change)
    with undisturbed(owned):
        refused(
            second,
            *by(Rule.ONE_OWNER),
            f"pulumi stack select organization/bluegreen/{owned.name}.",
            "set an app or a namespace",
        )


def test_the_same_stack_on_another_state_takes_nothing_over_unless_it_is_meant(
    owned: SandboxEnvironment, tmp_path: Path
) -> None:
    lost = AnotherStack(owned, tmp_path, owned.name, tmp_path / "state", {"bluegreen:replicas": 2})
    with undisturbed(owned):
        refused(lost, *by(Rule.ONE_OWNER), "use the backend and the context that made it, or bring it into this state")
    lost.set(ONE_POD | {"bluegreen:allow": ["adopt"]})
    with undisturbed(owned):
        assert "warning: bluegreen:allow has adopt, so this goes on:\n" in lost.up().text


def stack(environment: SandboxEnvironment, *command: str) -> None:
    """A command about the state of the stack, which takes no config file."""
    variables = environment._variables
    done = pulumi("stack", *command, "--stack", environment.name, project=environment.project, variables=variables)
    assert done.status == 0, str(done)


def test_a_copy_of_a_state_is_refused_as_long_as_the_original_exists(owned: SandboxEnvironment, tmp_path: Path) -> None:
    copy = AnotherStack(owned, tmp_path, "copy", owned.state, {})
    state = tmp_path / "state.json"
    stack(owned, "export", "--file", str(state))
    state.write_text(state.read_text().replace(f"urn:pulumi:{owned.name}::", "urn:pulumi:copy::"))
    stack(copy, "import", "--file", str(state))
    with undisturbed(owned):
        refused(copy, *by(Rule.ONE_OWNER), f"pulumi stack select organization/bluegreen/{owned.name}.")


def test_a_renamed_stack_is_recognized_and_users_notice_nothing(new_environment: Environments) -> None:
    environment = new_environment(BOTH_COLORS | ONE_POD)
    environment.up()
    environment.users.wait_for("blue")
    kept = {color: pods(environment, color) for color in ("blue", "green")}
    renamed = RenamedStack(environment, f"{environment.name}-new")
    environment.config_file = renamed.config_file
    operator = Operator(environment, renamed.config_file)
    said = "The state of this stack records the objects"
    with served_by(environment, "blue"):
        seen = operator.run("status", "--json", "--stack", renamed.name).lines[0]
        assert seen["drift"] == [f"a color belongs to the stack {environment.name}"]
        assert said.lower() in renamed.preview().text.lower()
        assert said.lower() in renamed.up().text.lower()
        assert renamed.up().written == set()
    assert {color: pods(environment, color) for color in ("blue", "green")} == kept
    owners = {
        item["metadata"]["annotations"][metadata.OWNER]
        for key, item in environment.objects().items()
        if key.partition("/")[0] in ("Deployment", "Service", "VirtualService", "Gateway", "DestinationRule")
    }
    assert owners == {f"organization/bluegreen/{renamed.name}"}
    assert operator.run("status", "--json", "--stack", renamed.name).lines[0]["drift"] == []


@pytest.mark.parametrize("kind", ["Service", "Gateway"])
def test_an_object_of_nobody_is_not_taken_over(new_environment: Environments, kind: str) -> None:
    """An application that ran before: its Service selects pods that the first update would leave behind."""
    environment = new_environment(ONE_COLOR)
    bodies = {
        "Service": ("v1", "myapp", {"selector": {"app": "legacy"}, "ports": [{"port": 80}]}),
        "Gateway": (
            "networking.istio.io/v1",
            "myapp-gateway",
            {
                "selector": {"istio": "other"},
                "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["a.example"]}],
            },
        ),
    }
    version, name, spec = bodies[kind]
    item = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": environment.name}, "spec": spec}
    environment.cluster.kubectl("create", "--filename=-", stdin=json.dumps(item))
    before = environment.objects()[f"{kind}/{name}"]
    refused(environment, *by(Rule.ONE_OWNER), f"to create {kind} {name}", "belongs to no stack")
    assert environment.objects()[f"{kind}/{name}"] == before


def test_another_name_for_the_same_cluster_replaces_nothing(owned: SandboxEnvironment) -> None:
    context = owned.cluster.kubectl("config", "current-context").strip()
    with same_config_afterwards(owned), undisturbed(owned):
        owned.set({"bluegreen:context": context})
        assert owned.up().written == set()
