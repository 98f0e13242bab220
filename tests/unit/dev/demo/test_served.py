"""The demo waits for a color as long as there is progress, on a host of any speed, and reports the last other response."""

from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from bluegreen.probe import Response
from bluegreen.release.endpoint import Endpoint
from dev.demo import served
from dev.demo.served import MOST_OTHERS, wait_until_served
from dev.demo.stack import DemoError

BLUE, GREEN = Response(status=200, color="blue"), Response(status=200, color="green")
NO_RESPONSE = Response(error="TimeoutError: timed out")


class Clock:
    """The time as the tests want it: nothing but requests takes any."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Users:
    """An endpoint with these responses; each takes `seconds`."""

    def __init__(self, responses: Iterator[Response], clock: Clock, seconds: float) -> None:
        self._responses, self._clock, self._seconds = responses, clock, seconds
        self.requests = 0

    def get(self, _: Endpoint) -> Response:
        self.requests += 1
        self._clock.now += self._seconds
        return next(self._responses)


def wait(monkeypatch: pytest.MonkeyPatch, responses: Iterator[Response], seconds: float) -> Users:
    clock = Clock()
    monkeypatch.setattr(served, "time", clock)
    users = Users(responses, clock, seconds)
    monkeypatch.setattr(served, "get", users.get)
    wait_until_served(Endpoint(url="http://users", color_header="x-color"), "green")
    return users


def test_a_slow_host_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    wait(monkeypatch, chain(repeat(BLUE, 100), repeat(GREEN)), seconds=3)


def test_single_failed_requests_do_not_end_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = chain.from_iterable(repeat((NO_RESPONSE, BLUE), 50))
    assert wait(monkeypatch, chain(rows, repeat(GREEN)), seconds=5).requests == 120


def test_a_color_serves_after_twenty_responses_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wait(monkeypatch, chain(repeat(GREEN, 19), [BLUE], repeat(GREEN)), seconds=0.01).requests == 40


def test_another_color_that_keeps_serving_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DemoError, match=f"green does not serve .* serve {MOST_OTHERS} requests. The last one: .*200 by blue"):
        wait(monkeypatch, repeat(BLUE), seconds=0.01)


def test_an_endpoint_without_responses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DemoError, match=r"12 requests. The last one: TimeoutError"):
        wait(monkeypatch, repeat(NO_RESPONSE), seconds=5)
