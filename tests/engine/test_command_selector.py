"""The command with the selector's routing: there is no proxy that names the color, and testers have a port of their own."""

from typing import Any

import pytest

from tests.command import Operator
from tests.conftest import Environments
from tests.engine.onlookers import patch
from tests.stack import BOTH_COLORS


@pytest.fixture
def operator(new_environment: Environments) -> Operator:
    """One who has blue 1.0 live and green 2.0 ready, each behind a node port."""
    operator = Operator(new_environment(BOTH_COLORS | {"bluegreen:routing": "selector"}))
    operator.environment.up()
    operator.environment.users.wait_for("blue")
    return operator


def reached(operator: Operator) -> list[str]:
    """Where users and testers come in, and the header by which the application names its color."""
    environment = operator.environment
    return ["--url", environment.users.url, "--test-url", environment.testers.url, "--color-header", "x-served-by"]


def roles(operator: Operator) -> dict[str, Any]:
    seen = operator.run("status", "--json").lines[0]
    assert seen["routing"] == "selector"
    assert seen["drift"] == []
    return {row["color"]: (row["role"], row["share"]) for row in seen["rows"]}


def verified(operator: Operator, verb: str, *arguments: str) -> list[tuple[str, str]]:
    """Runs a word, and returns who was found to be served by which color."""
    lines = operator.run(verb, *arguments, *reached(operator), "--json").lines
    return [(line["role"], line["color"]) for line in lines if line["event"] == "verified"]


def test_users_and_testers_are_moved_back_and_forth_and_every_move_is_verified(operator: Operator) -> None:
    users, testers = operator.environment.users, operator.environment.testers
    assert roles(operator) == {"blue": ("live", "100 % of users"), "green": ("test", "the test port")}
    assert verified(operator, "test", "green") == [("testers", "green")]
    assert verified(operator, "activate", "green") == [("users", "green")]
    assert (users.served_by(), testers.served_by()) == ("green", "blue")
    assert roles(operator) == {"blue": ("test", "the test port"), "green": ("live", "100 % of users")}
    assert verified(operator, "rollback") == [("users", "blue")]
    assert (users.served_by(), testers.served_by()) == ("blue", "green")


def test_rollback_now_moves_users_and_testers_and_leaves_no_difference_behind(operator: Operator) -> None:
    environment = operator.environment
    operator.run("activate", "green", *reached(operator))
    moved = operator.run("rollback", "--now", *reached(operator), "--json").lines
    assert [(each["origin"], each["target"]) for each in moved if each["event"] == "moved"] == [("green", "blue")]
    environment.users.wait_for("blue")
    environment.testers.wait_for("green")
    assert roles(operator) == {"blue": ("live", "100 % of users"), "green": ("test", "the test port")}
    again = operator.run("rollback", "--now", *reached(operator), "--json").lines
    assert [each["target"] for each in again if each["event"] in ("moved", "already")] == ["blue"]
    assert environment.users.served_by() == "blue"
    assert environment.run("up", "--refresh", "--skip-preview", "--yes").written == set()


def test_without_a_header_that_names_the_color_answers_are_what_counts(operator: Operator) -> None:
    moved = operator.run("activate", "green", "--url", operator.environment.users.url)
    assert "20 requests in a row" in moved.out
    assert operator.environment.users.served_by() == "green"


def test_a_switch_that_the_application_does_not_confirm_is_no_success(operator: Operator) -> None:
    """The testers' port stands for a wrong address: blue goes on answering there when users are on green."""
    wrong = ["--url", operator.environment.testers.url, "--color-header", "x-served-by"]
    failed = operator.run("activate", "green", *wrong, status=10)
    assert "are not served by green" in failed.err
    assert "by blue" in failed.err


def test_testers_without_an_address_are_not_moved(operator: Operator) -> None:
    before = operator.environment.objects()
    refused = operator.run("test", "green", "--url", operator.environment.users.url, status=2)
    assert "give the address with --test-url" in refused.err
    assert operator.environment.objects() == before


def test_what_somebody_has_done_to_the_services_is_fixed_by_an_update_or_named(operator: Operator) -> None:
    environment = operator.environment
    for service, color in (("myapp", "green"), ("myapp-test", "blue")):
        patch(environment, "service", service, [{"op": "replace", "path": "/spec/selector/color", "value": color}])
    environment.users.wait_for("green")
    assert environment.preview().written == {"update Service/myapp", "update Service/myapp-test"}
    operator.run("up", *reached(operator))
    assert (environment.users.served_by(), environment.testers.served_by()) == ("blue", "green")
    assert environment.up().written == set()
    environment.cluster.kubectl("delete", "service", "myapp-test", "--namespace", environment.name)
    assert "Service myapp-test is in the state of this stack" in environment.up(succeeds=False).text
    assert environment.run("up", "--refresh", "--skip-preview", "--yes").written == {"create Service/myapp-test"}
    assert environment.up().written == set()
