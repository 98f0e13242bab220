"""An application that is live comes into an environment, and goes back, under load: nobody is turned away."""

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.traffic.answers import Answers
from dev.traffic.report import totals
from tests.cluster import SandboxCluster, eventually
from tests.entrance import Endpoint
from tests.ordinary import OrdinaryApplication, counted, ordinary_application

LONGEST_SECONDS = 600
# Few enough for a slow host, on which other tests run at the same time.
USERS_A_SECOND = int(os.environ.get("BLUEGREEN_USERS_A_SECOND", "200"))
NEW_A_SECOND = USERS_A_SECOND * 3 // 10


@pytest.fixture
def application(cluster: SandboxCluster, tmp_path: Path) -> Iterator[OrdinaryApplication]:
    with ordinary_application(cluster, tmp_path) as running:
        yield running


class Walk:
    """An adoption under load, with the moments at which each step began and had come to users."""

    def __init__(self, application: OrdinaryApplication, kept: Endpoint, new: Endpoint) -> None:
        self.application, self.new = application, new
        self.loads = kept.load(USERS_A_SECOND - NEW_A_SECOND, LONGEST_SECONDS), new.load(NEW_A_SECOND, LONGEST_SECONDS)
        self.began: dict[str, int] = {}
        self.settled: dict[str, int] = {}
        self.answers: list[Answers] = []

    def step(self, name: str, run: Callable[[], Any], served: str) -> None:
        """Makes a step, and waits until every new connection is served by `served`."""
        self.began[name] = time.time_ns()
        run()
        eventually(lambda: {self.application.served_by(self.new) for _ in range(20)}, {served})
        self.settled[name] = time.time_ns()

    @contextlib.contextmanager
    def under_load(self) -> Iterator[None]:
        with self.loads[0], self.loads[1]:
            yield
            assert all(load.live().running for load in self.loads)
        self.answers = [load.stop() for load in self.loads]

    def assert_nobody_was_turned_away(self) -> None:
        moments = [*sorted((moment, name) for name, moment in self.began.items()), (time.time_ns(), "")]
        failed = {
            name: errors
            for (since, name), (until, _) in itertools.pairwise(moments)
            if (errors := [error for found in self.answers for error in totals(found.between(since, until)).errors])
        }
        assert failed == {}
        assert [totals(found).failed for found in self.answers] == [0, 0]

    def served(self, since: int, until: int, *, only_new: bool = False) -> set[str]:
        """Who answered between two moments."""
        answers = self.answers[1:] if only_new else self.answers
        return {role for found in answers for role in counted(found.between(since, until).color)}


@pytest.mark.parametrize("routing", ["selector", "istio"])
def test_no_request_fails_while_an_application_comes_over_goes_back_and_comes_over_again(
    application: OrdinaryApplication, routing: str, figures: Callable[[str], None]
) -> None:
    """Without a Gateway and a VirtualService of its own: users stay with the Service, which the environment's own lead to."""
    host = ("--host", application.environment.host) if routing == "istio" else ()
    walk = Walk(application, application.users, application.new_users)
    with walk.under_load():
        walk.step("begin", lambda: application.begin("--routing", routing, *host), "old")
        walk.step("beside", application.next, "old")
        walk.step("users", application.next, "blue")
        walk.step("own", application.next, "blue")
        if host:
            # Users may have come in by the gateway meanwhile.
            assert "[bluegreen:WAY_BACK]" in application.back(status=13)
            application.environment.set({"bluegreen:allow": ["remove-live"]})
        walk.step("disown", application.back, "blue")
        application.environment.set({"bluegreen:allow": None})
        walk.step("users back", application.back, "old")
        walk.step("remove", application.back, "old")
        walk.step("beside again", application.next, "old")
        walk.step("users again", application.next, "blue")
        walk.step("own again", application.next, "blue")
        walk.step("finish", application.next, "blue")
        application.delete("deployment")
        eventually(lambda: len(application.pods()), 2)
    walk.assert_nobody_was_turned_away()
    # Before the step of the users no request reaches the color, although its pods have every label of the old ones.
    assert walk.served(walk.began["begin"], walk.began["users"]) == {"old"}
    assert walk.served(walk.settled["users"], walk.began["users back"], only_new=True) == {"blue"}
    assert walk.served(walk.settled["users back"], walk.began["users again"], only_new=True) == {"old"}
    figures(f"an adoption by {routing}, there, back and there: {sum(map(len, walk.answers)):,} requests, 0 failed")


def routed(application: OrdinaryApplication, subset: str) -> list[dict[str, Any]]:
    """A Gateway and a VirtualService as people write them, the DestinationRule of a subset too if one is named."""
    metadata = {"name": "web"}
    port = {"number": 80, "name": "http", "protocol": "HTTP"}
    hosts = [application.environment.host]
    gateway = {"selector": {"istio": "ingressgateway"}, "servers": [{"port": port, "hosts": hosts}]}
    destination = {"host": "web", **({"subset": subset} if subset else {})}
    route = {"hosts": hosts, "gateways": ["web"], "http": [{"name": "default", "route": [{"destination": destination}]}]}
    specs = {"Gateway": gateway, "VirtualService": route}
    if subset:
        specs["DestinationRule"] = {"host": "web", "subsets": [{"name": subset, "labels": {"tier": "front"}}]}
    version = "networking.istio.io/v1"
    return [{"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec} for kind, spec in specs.items()]


@pytest.mark.parametrize("subset", ["", "live"], ids=["a Service", "a subset"])
def test_no_request_fails_while_an_application_with_a_virtual_service_of_its_own_comes_over_and_goes_back(
    application: OrdinaryApplication, subset: str, figures: Callable[[str], None]
) -> None:
    theirs = routed(application, subset)
    application.apply(*theirs)
    entrance = application.by_host()
    eventually(lambda: {application.served_by(entrance) for _ in range(20)}, {"old"})
    walk = Walk(application, entrance, application.by_host(keep_alive=False))
    with walk.under_load():
        walk.step("begin", lambda: application.begin("--routing", "istio", "--host", application.environment.host), "old")
        walk.step("beside", application.next, "old")
        walk.step("users", application.next, "blue")
        walk.step("own", application.next, "blue")
        walk.step("their route away", lambda: application.delete("virtualservices.networking.istio.io"), "blue")
        assert "[bluegreen:WAY_BACK]" in application.back(status=13)
        walk.step("their route again", lambda: application.apply(*theirs), "blue")
        walk.step("disown", application.back, "blue")
        walk.step("users back", application.back, "old")
        walk.step("users again", application.next, "blue")
        walk.step("own again", application.next, "blue")
        walk.step("their route away again", lambda: application.delete("virtualservices.networking.istio.io"), "blue")
        walk.step("finish", application.next, "blue")
        walk.step("their gateway away", lambda: application.delete("gateways.networking.istio.io"), "blue")
        application.delete("deployment")
        eventually(lambda: len(application.pods()), 2)
    walk.assert_nobody_was_turned_away()
    assert walk.served(walk.began["begin"], walk.began["users"]) == {"old"}
    assert walk.served(walk.settled["users"], walk.began["users back"], only_new=True) == {"blue"}
    figures(f"an adoption with a VirtualService, there, back and there: {sum(map(len, walk.answers)):,} requests, 0 failed")
