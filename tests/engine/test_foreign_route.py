"""Somebody else has written into the route: it is reported in words, is not overwritten, and does not hold up the way out."""

import json
from collections.abc import Iterator

import pytest

from bluegreen.release.refusals import Rule
from tests.cluster import SandboxCluster
from tests.command import Operator
from tests.engine.onlookers import by, patch, same_config_afterwards, served_by
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

ROUTE = "myapp-blue-green"
MAINTENANCE = {"name": "maintenance", "match": [{"uri": {"prefix": "/pay"}}], "redirect": {"uri": "/down"}}


@pytest.fixture(scope="module")
def operator(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Users on blue, testers on green."""
    directory = tmp_path_factory.mktemp("foreign")
    with environment_of_its_own(cluster, directory, BOTH_COLORS | {"bluegreen:replicas": 1}) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield Operator(environment)


def rules(environment: SandboxEnvironment) -> list[dict[str, object]]:
    found: list[dict[str, object]] = environment.get("virtualservice", ROUTE)["spec"]["http"]
    return found


def test_a_maintenance_page_is_reported_and_not_overwritten(operator: Operator) -> None:
    environment, said = operator.environment, "rule 1 (maintenance) redirects some requests before users reach a color"
    patch(environment, "virtualservice", ROUTE, [{"op": "add", "path": "/spec/http/0", "value": MAINTENANCE}])
    with served_by(environment, "blue"):
        seen = operator.run("status", "--json").lines[0]
        assert said in seen["foreign"]
        assert "kubectl edit virtualservice" in seen["next"][0]
        assert said in environment.up().text
        assert said in operator.run("plan").out  # by a preview
        with same_config_afterwards(environment):
            environment.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
            for command in (["preview"], ["up", "--skip-preview", "--yes"]):
                refused = environment.run(*command, succeeds=False, recorded=False).text
                assert by(Rule.ROUTE_KEPT)[0] in refused
                assert said in refused
                assert "overwrite-route" in refused
                assert "Traceback" not in refused
    assert json.dumps(rules(environment)[0], sort_keys=True) == json.dumps(MAINTENANCE, sort_keys=True)


def kubectl_edit(environment: SandboxEnvironment, change: list[dict[str, object]]) -> None:
    """Somebody changes the route with kubectl, and so owns its rules from now on."""
    where = ("--namespace", environment.name, "--type=json", "--patch", json.dumps(change))
    environment.cluster.kubectl("patch", "virtualservice", ROUTE, *where)


def test_an_emergency_moves_users_and_keeps_the_maintenance_page(operator: Operator) -> None:
    environment = operator.environment
    environment.users.wait_for("blue")
    kubectl_edit(environment, [{"op": "remove", "path": "/spec/http/0"}])
    operator.run("activate", "green")
    kubectl_edit(environment, [{"op": "add", "path": "/spec/http/0", "value": MAINTENANCE}])
    with served_by(environment, "green", "blue"):
        went = operator.run("rollback", "--now", status=7)
        environment.users.wait_for("blue")
    assert rules(environment)[0] == MAINTENANCE
    assert "Users have moved to blue by the route, but this stack was not updated" in went.err
    assert by(Rule.ROUTE_KEPT)[0] in went.err
    assert "activeColor: blue" in operator.config()
    assert "users are on blue already" in operator.run("rollback", "--now", status=7).out
    environment.set({"bluegreen:allow": ["overwrite-route"]})
    operator.run("up")
    environment.set({"bluegreen:allow": None})
    assert [rule["name"] for rule in rules(environment)] == ["myapp-test", "myapp-default"]
    assert operator.run("status", "--json").lines[0]["drift"] == []
    assert environment.up().written == set()


def test_an_emergency_gathers_users_whom_somebody_has_split(operator: Operator) -> None:
    environment = operator.environment
    operator.run("activate", "green")
    targets = [
        {
            "destination": {"host": "myapp", "subset": color},
            "weight": weight,
            "headers": {"response": {"set": {"x-color": color}}},
        }
        for color, weight in (("green", 90), ("blue", 10))
    ]
    kubectl_edit(environment, [{"op": "replace", "path": "/spec/http/1/route", "value": targets}])
    said = "rule 2 (myapp-default) splits all requests (green 90 %, blue 10 %)"
    with served_by(environment, "green", "blue"):
        seen = operator.run("status", "--json").lines[0]
        assert said in seen["foreign"]
        assert {row["color"]: row["role"] for row in seen["rows"]} == {"green": "live", "blue": "live"}
        assert said in environment.preview().text
        operator.run("rollback", "--now")
        environment.users.wait_for("blue")
    assert [rule["name"] for rule in rules(environment)] == ["myapp-test", "myapp-default"]
    assert operator.run("status", "--json").lines[0]["foreign"] == ""
    assert environment.up().written == set()
