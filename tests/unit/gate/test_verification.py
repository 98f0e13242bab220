"""`bluegreen:verify`: an update that wrote the route ends well only if users are served by the active color."""

import asyncio
import functools
from collections.abc import Iterator
from typing import Any

import pulumi
import pytest

from bluegreen import probe
from bluegreen.cli.outcomes import Exit
from bluegreen.cli.updates import Record, UpdateError
from bluegreen.gate.verification import Verification
from bluegreen.release.config_reader import SettingsError, read_settings
from bluegreen.routing import LAYERS
from tests.unit.cli.served import Asked, Reply, server
from tests.unit.program import BOTH_COLORS, run

ROUTE = "VirtualService/shop-blue-green"


@pytest.fixture
def users() -> Iterator[tuple[str, list[Asked]]]:
    """The URL of users who are served by blue, and their requests."""
    asked: list[Asked] = []

    def answer(one: Asked) -> Reply:
        asked.append(one)
        return Reply(headers={"x-color": "blue"})

    with server(answer) as url:
        yield url, asked


@pytest.fixture(autouse=True)
def _without_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", lambda _: None)
    monkeypatch.setattr(pulumi, "info", lambda *_, **__: None)


def verify(url: str, active: str, *, is_written: bool = True) -> None:
    """One run of the program that wrote the route, or left it as it was."""
    roles = {"bluegreen:activeColor": active, "bluegreen:testColor": "green" if active == "blue" else "blue"}
    verification = Verification(read_settings(BOTH_COLORS | roles | {"bluegreen:url": url, "bluegreen:verify": "true"}))
    route: Any = None
    for hook in verification.hooks() if is_written else ():
        hook.callback(pulumi.ResourceHookArgs("urn", "id", "name", "type"))
    asyncio.run(verification.until_served(route))


def test_a_route_that_was_written_is_verified_with_twenty_requests_in_a_row(users: tuple[str, list[Asked]]) -> None:
    url, asked = users
    verify(url, "blue")
    assert len(asked) == probe.IN_A_ROW


def test_an_update_that_left_the_route_as_it_was_sends_no_request(users: tuple[str, list[Asked]]) -> None:
    url, asked = users
    verify(url, "green", is_written=False)
    assert asked == []


def test_users_who_are_served_by_another_color_fail_the_update_in_words_that_the_command_knows(
    users: tuple[str, list[Asked]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, _ = users
    monkeypatch.setattr(probe, "wait_for", functools.partial(probe.wait_for, seconds=0.2))
    monkeypatch.setattr("bluegreen.gate.verification.LONGEST_SECONDS", 0.2)
    with pytest.raises(pulumi.RunError, match="Users are not served by green") as failure:
        verify(url, "green")
    message = str(failure.value)
    for said in (url, "status 200 by blue", "it is written and sends users to green", "bluegreen status", "rollback --now"):
        assert said in message
    error = UpdateError(Exit.ERROR, "", Record(errors=[message]))
    assert error.status is Exit.SMOKE_TEST_FAILED


NOWHERE = [{}, {"bluegreen:host": "*.shop.example"}, {"bluegreen:routing": "selector", "bluegreen:host": "shop.example"}]


@pytest.mark.parametrize("config", NOWHERE, ids=["no host", "a wildcard", "a selector's host"])
def test_verification_needs_an_address(config: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="nothing says where users enter"):
        read_settings(BOTH_COLORS | config | {"bluegreen:verify": "true"}, layers=LAYERS)
    assert not read_settings(BOTH_COLORS | config).verify


def test_only_a_program_that_verifies_notes_that_the_route_was_written() -> None:
    address = {"bluegreen:host": "shop.example"}
    with_it, without = (run(BOTH_COLORS | address | change).objects()[ROUTE] for change in ({"bluegreen:verify": "true"}, {}))
    assert [*with_it.request.hooks.after_create] == [*with_it.request.hooks.after_update] == ["route-is-written"]
    assert [*without.request.hooks.after_create] == [*without.request.hooks.after_update] == []
