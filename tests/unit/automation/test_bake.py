"""A color that is worse is found out, and a color that is as good as the old one is not."""

import itertools

import pytest

from automation import bake
from automation.bake import Before, Counts, is_worse
from automation.smoke import Check
from release.probe import Entrance
from tests.unit.automation.served import Reply, server

GOOD = Before(counts=Counts(requests=100), passing=())


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [
        ((100, 0), (1000, 2), False),
        ((100, 0), (1000, 3), False),
        ((100, 0), (60, 3), True),
        ((100, 5), (60, 3), False),
        ((100, 5), (60, 6), True),
        ((0, 0), (3, 3), True),
    ],
    ids=["two failures", "far below one percent", "five percent", "as bad as before", "worse than bad", "nothing to compare"],
)
def test_worse_is_more_failures_than_before(before: tuple[int, int], now: tuple[int, int], worse: bool) -> None:
    counts = [Counts(requests=requests, failed=failed) for requests, failed in (before, now)]
    assert is_worse(*counts) is worse


def test_a_color_that_fails_one_request_in_twenty_is_found_out_in_seconds() -> None:
    count = itertools.count(1)
    with server(lambda _: Reply(status=500 if next(count) % 20 == 0 else 200, headers={"x-color": "green"})) as url:
        verdict = bake.watch(Entrance(url=url), "green", 20, GOOD, lambda *_: None)
    assert "requests failed" in verdict.worse
    assert verdict.seconds < 10
    assert verdict.counts.failed == bake.LEAST_FAILED


def test_a_good_color_bakes_to_the_end() -> None:
    with server(lambda _: Reply(headers={"x-color": "green"})) as url:
        verdict = bake.watch(Entrance(url=url), "green", 1, GOOD, lambda *_: None)
    assert verdict.worse == ""
    assert verdict.counts.failed == 0
    assert verdict.counts.requests > 10


def test_a_check_that_passed_before_and_fails_now_is_enough() -> None:
    check = Check(path="/ping", body="fine")
    with server(lambda asked: Reply(body="", headers={"x-color": "green"}) if asked.path == "/ping" else Reply()) as url:
        verdict = bake.watch(
            Entrance(url=url, color_header=""), "green", 10, Before(counts=Counts(), passing=(check,)), lambda *_: None
        )
    assert "GET /ping, which passed before the switch" in verdict.worse


def test_a_check_that_failed_before_says_nothing_of_the_new_color() -> None:
    checks = [Check(path="/", status=418), Check(path="/")]
    with server(lambda _: Reply(headers={"x-color": "blue"})) as url:
        assert bake.before(Entrance(url=url), "blue", checks).passing == (checks[1],)
