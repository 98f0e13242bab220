"""A command claims only what it saw with real requests; what it did not see, it reports as what the route says."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bluegreen.cli import emergency, verification
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress
from bluegreen.cli.rollback import rollback_now
from bluegreen.cli.session import Session
from bluegreen.cli.up import up
from bluegreen.cli.updates import EngineStep, Record
from bluegreen.probe import wait_for
from bluegreen.release.config_reader import read_settings
from bluegreen.release.endpoint import Endpoint
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.settings import Settings
from bluegreen.release.traffic import Traffic
from tests.unit.cli.served import Asked, Reply, server
from tests.unit.program import BOTH_COLORS

COLORS = {name: LiveColor(image=f"shop:{tag}") for name, tag in (("blue", "1.0"), ("green", "2.0"))}
ROUTE = EngineStep(operation="update", kind="VirtualService", name="shop-blue-green", is_object=True)


@dataclass
class Selection:
    """An environment that users enter at `endpoint`, if anything says so."""

    endpoint: Endpoint | None

    def settings(self) -> Settings:
        return read_settings(BOTH_COLORS)

    def known_users(self) -> Endpoint | None:
        return self.endpoint


@dataclass(frozen=True, kw_only=True)
class Update(Session):
    """A session whose next update leads the route (the last color of it) to `then`, in these steps."""

    selection: Any
    then: str = "blue"
    steps: tuple[EngineStep, ...] = ()
    route: list[str] = field(default_factory=lambda: ["blue"])
    foreign: str = ""

    def live(self) -> Live:
        return Live(traffic=Traffic.to(self.route[-1]), route_owner="", colors=COLORS, foreign=self.foreign)

    def apply(self, *_: Any, **__: Any) -> Record:
        self.route.append(self.then)
        return Record(ended=[*self.steps])


@pytest.fixture
def users() -> Iterator[tuple[Endpoint, list[Asked], list[str]]]:
    """Where users enter, the requests so far, and the color that serves them (the last one in the list)."""
    asked: list[Asked] = []
    served = ["blue"]

    def answer(one: Asked) -> Reply:
        asked.append(one)
        return Reply(headers={"x-color": served[-1]})

    with server(answer) as url:
        yield Endpoint(url=url, color_header="x-color"), asked, served


Users = tuple[Endpoint, list[Asked], list[str]]


def session(endpoint: Endpoint | None, **update: Any) -> Update:
    return Update(selection=Selection(endpoint), progress=Progress(is_json=False), **update)


def test_an_update_that_moves_users_says_what_was_seen(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint, asked, served = users
    served.append("green")
    up(session(endpoint, then="green"))
    said = capsys.readouterr().out
    assert "users: green served 20 requests in a row" in said
    assert "up: nothing to do; users: green (verified), testers: none" in said
    assert len(asked) == 20


def test_an_update_that_moves_nobody_sends_no_request_and_says_what_the_route_says(
    users: Users, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint, asked, _ = users
    up(session(endpoint))
    assert "users: blue (by the route), testers: none" in capsys.readouterr().out
    assert asked == []


def test_an_update_that_writes_the_route_is_verified_also_if_the_color_is_the_same(users: Users) -> None:
    endpoint, asked, _ = users
    up(session(endpoint, steps=(ROUTE,)))
    assert len(asked) == 20


def test_users_that_the_route_moved_and_another_color_serves_are_an_error(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint, _, _ = users
    monkeypatch.setattr(verification, "wait_for", functools.partial(wait_for, seconds=0.2))
    with pytest.raises(ReleaseError, match=r"Users at .* are not served by green") as failure:
        up(session(endpoint, then="green"))
    assert failure.value.status is Exit.SMOKE_TEST_FAILED
    assert "seen:  status 200 by blue" in str(failure.value)
    assert "route: The route sends users to green." in str(failure.value)


def test_a_move_that_nobody_can_look_at_is_not_called_verified(capsys: pytest.CaptureFixture[str]) -> None:
    up(session(None, then="green"))
    assert "users: green (by the route; not verified: give --url, or bluegreen:url)" in capsys.readouterr().out


def test_answers_that_name_no_color_verify_no_color(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint, _, _ = users
    up(session(Endpoint(url=endpoint.url, color_header=""), then="green"))
    said = capsys.readouterr().out
    assert "20 requests in a row were answered; no answer names the color" in said
    assert "users: green (by the route)" in said


def roll_back(session: Update) -> None:
    """`rollback --now`, whose first half has written the route."""
    moved = emergency.Moved(origin="green", target="blue", test="", place="here", seconds=0.01)
    rollback_now(session, None, moved=moved)


def test_rollback_now_is_verified_too(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    roll_back(session(users[0]))
    assert "users: blue (verified)" in capsys.readouterr().out
    roll_back(session(None))
    assert "users: blue (by the route; not verified: give --url, or bluegreen:url)" in capsys.readouterr().out


def test_rollback_now_does_not_advise_to_roll_back(users: Users, monkeypatch: pytest.MonkeyPatch) -> None:
    users[2].append("green")
    monkeypatch.setattr(verification, "wait_for", functools.partial(wait_for, seconds=0.2))
    with pytest.raises(ReleaseError, match="are not served by blue") as failure:
        roll_back(session(users[0]))
    assert failure.value.status is Exit.SMOKE_TEST_FAILED
    assert "users back" not in str(failure.value)


def test_a_route_with_rules_of_somebody_else_is_not_verified_after_rollback_now(
    users: Users, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint, asked, _ = users
    roll_back(session(endpoint, foreign="a rule redirects all requests"))
    assert "users: blue (by the route; a rule redirects all requests)" in capsys.readouterr().out
    assert asked == []


def test_machines_read_which_roles_were_verified(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint, _, _ = users
    for then in ("blue", "green"):
        users[2].append(then)
        own = Update(selection=Selection(endpoint), progress=Progress(is_json=True), then=then)
        up(own)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    done = [(line["active"], line["verified"]) for line in lines if line["event"] == "done"]
    assert done == [("blue", []), ("green", ["users"])]
