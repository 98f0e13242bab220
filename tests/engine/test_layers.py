"""What every routing layer must do, on the real engine and cluster: the built-in layers, and one in a file of its own."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from bluegreen.release.refusals import Rule
from tests.cluster import SandboxCluster, eventually
from tests.command import Operator
from tests.engine import toy_layer
from tests.engine.onlookers import break_a_pod, by, patch, refused, same_config_afterwards, served_by, undisturbed
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

SWITCH: dict[str, object] = {"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"}
MAINTENANCE = {"name": "maintenance", "match": [{"uri": {"prefix": "/pay"}}], "redirect": {"uri": "/down"}}
TOY = toy_layer.__name__


@dataclass(frozen=True, kw_only=True)
class Case:
    """One layer. `route` are the objects that a switch writes, and `decides` the one that decides about users.

    `by_hand` is a JSON Patch of that object that moves users to green; `foreign` one that leaves users on blue and is
    reported as `said`. `is_kept`: an emergency keeps what `foreign` wrote.
    """

    name: str
    testers: str
    route: set[str]
    decides: tuple[str, str]
    by_hand: list[dict[str, Any]]
    foreign: list[dict[str, Any]]
    said: str
    is_kept: bool


def _replaced(path: str, value: object) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


_TOY_DATA = {"users": {"blue": 100}, "testers": "green", "cookie": "test=true"}
_TOY_BY_HAND = json.dumps(_TOY_DATA | {"users": {"green": 100}})
_TOY_FOREIGN = json.dumps(_TOY_DATA | {"owner": "team"})

CASES = {
    "istio": Case(
        name="istio",
        testers="cookie test=true",
        route={"VirtualService/myapp-blue-green"},
        decides=("VirtualService", "myapp-blue-green"),
        by_hand=[
            _replaced("/spec/http/1/route/0/destination/subset", "green"),
            _replaced("/spec/http/1/route/0/headers/response/set/x-color", "green"),
        ],
        foreign=[{"op": "add", "path": "/spec/http/0", "value": MAINTENANCE}],
        said="rule 1 (maintenance) redirects some requests before users reach a color",
        is_kept=True,
    ),
    "selector": Case(
        name="selector",
        testers="the test port",
        route={"Service/myapp", "Service/myapp-test"},
        decides=("Service", "myapp"),
        by_hand=[_replaced("/spec/selector/color", "green")],
        foreign=[{"op": "remove", "path": "/spec/selector/app"}],
        said="Service myapp selects color=blue",
        is_kept=False,
    ),
    TOY: Case(
        name="toy",
        testers="cookie test=true",
        route={"ConfigMap/myapp-traffic"},
        decides=("ConfigMap", "myapp-traffic"),
        by_hand=[_replaced("/metadata/annotations/traffic", _TOY_BY_HAND)],
        foreign=[_replaced("/metadata/annotations/traffic", _TOY_FOREIGN)],
        said=f"ConfigMap myapp-traffic says {_TOY_FOREIGN}",
        is_kept=True,
    ),
}


@pytest.fixture(scope="module", params=CASES)
def installed(
    request: pytest.FixtureRequest, cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxEnvironment]:
    """The environment of a layer: users on blue, testers on green, a pod each."""
    config = BOTH_COLORS | {"bluegreen:routing": request.param, "bluegreen:replicas": 1}
    with contextlib.ExitStack() as until_the_end:
        made = environment_of_its_own(cluster, tmp_path_factory.mktemp("layer"), config)
        environment = until_the_end.enter_context(made)
        if request.param == TOY:
            proxy = toy_layer.Proxy(cluster.variables, environment.name, "myapp")
            until_the_end.enter_context(proxy.serving())
            environment.set({"bluegreen:proxyUrl": proxy.url})
        environment.up()
        environment.users.wait_for("blue")
        yield environment


class Person(Operator):
    """An operator who gives the command the addresses of the environment."""

    def __init__(self, environment: SandboxEnvironment) -> None:
        super().__init__(environment)
        users, testers = environment.users, environment.testers
        self._options += ["--url", users.url, "--test-url", testers.url, "--color-header", users.color_header]
        self.case = CASES[environment.routing]

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.run("status", "--json").lines[0]
        return found

    def roles(self) -> dict[str, tuple[str, str]]:
        """Who gets which color by the route, which is as the config says."""
        seen = self.status()
        assert (seen["routing"], seen["drift"], seen["foreign"]) == (self.case.name, [], "")
        return {row["color"]: (row["role"], row["share"]) for row in seen["rows"]}

    def verified(self, *command: str) -> list[tuple[str, str]]:
        """Runs a subcommand, and returns who was found to be served by which color."""
        lines = self.run(*command, "--json").lines
        return [(line["role"], line["color"]) for line in lines if line["event"] == "verified"]

    def write_by_hand(self, change: list[dict[str, Any]]) -> None:
        """Somebody changes the object that decides about users."""
        kind, name = self.case.decides
        patch(self.environment, kind.lower(), name, change)


@pytest.fixture
def person(installed: SandboxEnvironment) -> Iterator[Person]:
    """One whose users are on blue and whose testers are on green, before and after the test."""
    person = Person(installed)
    yield person
    if installed.users.served_by() != "blue" or person.status()["drift"]:
        person.run("activate", "blue")


def test_the_status_has_the_route_and_who_answers(person: Person) -> None:
    seen = person.status()
    assert person.roles() == {"blue": ("live", "100 % of users"), "green": ("test", person.case.testers)}
    assert (seen["active"], seen["test"], seen["served"]["colors"]) == ("blue", "green", {"blue": 8})


def test_a_plan_shows_the_switch_and_touches_nothing(person: Person) -> None:
    environment = person.environment
    with same_config_afterwards(environment), undisturbed(environment):
        environment.set(SWITCH)
        told = person.run("plan", "--markdown").out
        assert environment.preview().changes == {f"update {item}" for item in person.case.route}
    assert "blue 1.0 -> green 2.0" in told
    assert "- Pods: none change" in told
    for item in person.case.route:
        kind, _, name = item.partition("/")
        assert f"| `~` | {kind} | {name} |" in told


def test_users_and_testers_are_moved_back_and_forth_and_every_move_is_verified(person: Person) -> None:
    environment = person.environment
    with served_by(environment, "blue", "green"):
        assert person.verified("test", "green") == [("testers", "green")]
        assert person.verified("activate", "green") == [("users", "green")]
        assert (environment.users.served_by(), environment.testers.served_by()) == ("green", "blue")
        assert person.roles() == {"blue": ("test", person.case.testers), "green": ("live", "100 % of users")}
        assert person.verified("rollback") == [("users", "blue")]
        assert (environment.users.served_by(), environment.testers.served_by()) == ("blue", "green")


def test_without_a_test_color_there_are_no_testers(person: Person) -> None:
    environment = person.environment
    with same_config_afterwards(environment), served_by(environment, "blue"):
        environment.set({"bluegreen:testColor": None})
        person.run("up")
        assert person.status()["test"] == ""
    with served_by(environment, "blue"):
        environment.up()
        environment.testers.wait_for("green")


def test_rollback_now_moves_users_and_testers_once_and_leaves_no_difference_behind(person: Person) -> None:
    environment = person.environment
    person.run("activate", "green")
    with served_by(environment, "blue", "green"):
        moved = person.run("rollback", "--now", "--json").lines
        assert [(line["origin"], line["target"]) for line in moved if line["event"] == "moved"] == [("green", "blue")]
        environment.users.wait_for("blue")
        environment.testers.wait_for("green")
    assert person.roles() == {"blue": ("live", "100 % of users"), "green": ("test", person.case.testers)}
    again = person.run("rollback", "--now", "--json").lines
    assert [line["target"] for line in again if line["event"] in ("moved", "already")] == ["blue"]
    assert environment.users.served_by() == "blue"
    assert environment.run("up", "--refresh", "--skip-preview", "--yes").written == set()


def test_users_whom_somebody_has_moved_are_shown_and_moved_back_by_an_update(person: Person) -> None:
    environment, (kind, name) = person.environment, person.case.decides
    with served_by(environment, "blue", "green"):
        person.write_by_hand(person.case.by_hand)
        environment.users.wait_for("green")
        assert "the config has blue as active color, the route green" in person.status()["drift"]
        assert environment.preview().written == {f"update {kind}/{name}"}
        person.run("up")
        assert environment.users.served_by() == "blue"
    assert environment.up().written == set()


def test_what_somebody_wrote_into_the_route_is_shown_and_not_overwritten(person: Person) -> None:
    environment, case = person.environment, person.case
    person.write_by_hand(case.foreign)
    before = environment.get(*case.decides)
    with served_by(environment, "blue"):
        seen = person.status()
        assert case.said in seen["foreign"]
        assert seen["next"][0].startswith(f"kubectl edit {case.decides[0].lower()} {case.decides[1]} ")
        assert case.said in person.run("plan").out
        assert case.said in environment.run("up", "--skip-preview", "--yes").text
        with same_config_afterwards(environment):
            environment.set(SWITCH)
            refused(environment, by(Rule.ROUTE_KEPT)[0], case.said, "overwrite-route")
    assert environment.get(*case.decides) == before
    with served_by(environment, "blue", "green"):
        went = person.run("rollback", "--now", "green", status=7 if case.is_kept else 0)
        environment.users.wait_for("green")
    assert (case.said in person.status()["foreign"] or by(Rule.ROUTE_KEPT)[0] in went.err) is case.is_kept
    with same_config_afterwards(environment):
        environment.set({"bluegreen:allow": ["overwrite-route"]})
        person.run("up")
    environment.set(SWITCH)
    assert person.roles() == {"blue": ("test", case.testers), "green": ("live", "100 % of users")}
    assert environment.up().written == set()


def test_a_color_that_is_not_ready_gets_no_users_and_pods_do_not_change_in_the_same_update(person: Person) -> None:
    environment = person.environment
    with same_config_afterwards(environment), undisturbed(environment):
        environment.set(SWITCH | {"green:imageTag": "3.0"})
        refused(environment, *by(Rule.NEVER_BOTH))
    broken = break_a_pod(environment, "green")
    with same_config_afterwards(environment), undisturbed(environment):
        environment.set(SWITCH)
        refused(environment, *by(Rule.READY))
    environment.cluster.kubectl("delete", "pod", broken, "--namespace", environment.name, "--wait=false")
    eventually(lambda: environment.get("deployment", "myapp-green")["status"].get("readyReplicas"), 1)


def test_a_switch_that_no_response_confirms_is_no_success(person: Person) -> None:
    failed = person.run("activate", "green", "--color-header", "x-nobody", status=10)
    assert "are not served by green" in failed.err
    assert "The route sends users to green." in failed.err


def only(layer: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("installed", [layer], indirect=True)


@only("selector")
def test_testers_without_an_address_are_not_moved(person: Person) -> None:
    with undisturbed(person.environment):
        unknown = person.run("test", "green", "--test-url", "", status=2)
    assert "give the address with --test-url" in unknown.err


@only("selector")
def test_without_a_header_that_names_the_color_answers_are_what_counts(person: Person) -> None:
    moved = person.run("activate", "green", "--color-header", "")
    assert "20 requests in a row" in moved.out
    assert person.environment.users.served_by() == "green"


@only("selector")
def test_a_service_of_the_testers_that_somebody_has_deleted_is_named_and_created_again(person: Person) -> None:
    environment = person.environment
    environment.cluster.kubectl("delete", "service", "myapp-test", "--namespace", environment.name)
    assert "Service myapp-test is in the state of this stack" in environment.up(succeeds=False).text
    assert environment.run("up", "--refresh", "--skip-preview", "--yes").written == {"create Service/myapp-test"}
    assert environment.up().written == set()


@only("istio")
def test_an_emergency_gathers_users_whom_somebody_has_split(person: Person) -> None:
    environment = person.environment
    targets = [
        {
            "destination": {"host": "myapp", "subset": color},
            "weight": weight,
            "headers": {"response": {"set": {"x-color": color}}},
        }
        for color, weight in (("green", 90), ("blue", 10))
    ]
    person.run("activate", "green")
    person.write_by_hand([_replaced("/spec/http/1/route", targets)])
    said = "rule 2 (myapp-default) splits all requests (green 90 %, blue 10 %)"
    with served_by(environment, "green", "blue"):
        seen = person.status()
        assert said in seen["foreign"]
        assert {row["color"]: row["role"] for row in seen["rows"]} == {"green": "live", "blue": "live"}
        assert said in environment.preview().text
        person.run("rollback", "--now")
        environment.users.wait_for("blue")
    assert person.status()["foreign"] == ""
    assert environment.up().written == set()
