"""What the command says of users is what it saw, or what the route says, and it says which of the two."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import SandboxCluster
from tests.command import Operator, Ran
from tests.engine.onlookers import same_config_afterwards, undisturbed
from tests.stack import BOTH_COLORS, environment_of_its_own

SMALL: dict[str, object] = {"bluegreen:replicas": 1, "green:maxReplicas": 2}


@pytest.fixture(scope="module")
def installed(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Operator, Ran]]:
    """An operator whose users are on blue, and how the first update ended."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("seen"), BOTH_COLORS | SMALL) as environment:
        operator = Operator(environment)
        yield operator, operator.run("up", "--json")


@pytest.fixture
def operator(installed: tuple[Operator, Ran]) -> Iterator[Operator]:
    with same_config_afterwards(installed[0].environment):
        yield installed[0]


def test_the_first_update_returns_when_users_are_served(installed: tuple[Operator, Ran]) -> None:
    operator, first = installed
    assert operator.environment.users.served_by() == "blue"
    (verified,) = [line for line in first.lines if line["event"] == "verified"]
    assert (verified["role"], verified["color"]) == ("users", "blue")
    (done,) = [line for line in first.lines if line["event"] == "done"]
    assert (done["active"], done["verified"]) == ("blue", ["users"])


def test_an_update_that_moves_nobody_claims_nothing(operator: Operator) -> None:
    assert "users: blue (by the route)" in operator.run("up").out


def test_the_status_has_the_route_and_who_answers_side_by_side(operator: Operator) -> None:
    status = operator.run("status", "--json").lines[0]
    assert status["active"] == "blue"
    assert (status["served"]["requests"], status["served"]["colors"], status["served"]["failed"]) == (8, {"blue": 8}, 0)
    assert "served: blue answered 8 of 8 requests" in operator.run("status").out


def test_the_status_says_who_is_not_reached_and_why_nobody_was_asked(operator: Operator) -> None:
    nobody = operator.run("status", "--url", "http://127.0.0.1:9")
    assert "served: 8 failed (ConnectionRefusedError" in nobody.out
    operator.environment.set({"bluegreen:host": "*"})
    unknown = operator.run("status", "--url", "")
    assert "served: not asked: nothing says where users come in" in unknown.out


def test_the_status_shows_an_autoscaler_that_cannot_scale(operator: Operator) -> None:
    environment = operator.environment
    broken = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics\nhere"}
    change = {"status": {"conditions": [broken], "currentReplicas": 1, "desiredReplicas": 1}}
    patch = ("--type=merge", "--subresource=status", "--patch", json.dumps(change))
    environment.cluster.kubectl("patch", "hpa", "myapp-green", "--namespace", environment.name, *patch)
    assert "autoscaler: that of green cannot scale: FailedGetResourceMetric: " in operator.run("status").out
    rows = {row["color"]: row["autoscaler"] for row in operator.run("status", "--json").lines[0]["rows"]}
    assert rows["blue"] == ""
    assert rows["green"].startswith("FailedGetResourceMetric: ")


ENVIRONMENTS = {
    "a list": ("environment:\n  - shop/prod\n", (["status"], ["activate", "green"], ["up"], ["rollback", "--now"])),
    "a definition": ("environment:\n  values: {pulumiConfig: {'bluegreen:namespace': other}}\n", (["rollback", "--now"],)),
}


@pytest.mark.parametrize(("section", "commands"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_a_stack_with_an_environment_that_cannot_be_resolved_is_refused_in_words(
    operator: Operator, tmp_path: Path, section: str, commands: tuple[list[str], ...]
) -> None:
    file = tmp_path / operator.config_file.name
    text = operator.config() + section
    file.write_text(text)
    other = Operator(operator.environment, file)
    with undisturbed(operator.environment):
        for command in commands:
            refused = other.run(*command, status=2)
            assert "gets config from a Pulumi ESC environment" in refused.err
            assert "does not support environments" in refused.err
            assert "Nothing was changed." in refused.err
    assert file.read_text() == text


def test_a_variable_that_changes_the_config_of_pulumi_alone_is_refused(operator: Operator) -> None:
    with undisturbed(operator.environment):
        for command in (["status"], ["rollback", "--now"]):
            refused = operator.run(*command, status=2, PULUMI_OPTION_CONFIG="bluegreen:namespace=other")
            assert "unset PULUMI_OPTION_CONFIG" in refused.err
