"""The times of a move are those of real answers, counted from the moment the command was entered."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from dev.bench.cluster import BenchError
from dev.bench.contestants.base import Contestant, Move
from dev.bench.measure import NS, Span, bearable_rate, judge, merged, observe, observe_many
from dev.bench.samples import Sample, Timeline
from dev.traffic.load import Load
from tests.unit.cli.served import Asked, Reply, server
from tests.unit.dev.traffic.made_up import NS_PER_MS, Made, answers

MOVE = Move(commands=(), old="blue", new="green")
BASE = Sample(contestant="one", kind="switch", load="loaded", round=3, end=0)
ONE = cast(Contestant, SimpleNamespace(host="one.example", live="blue"))
SPAN = Span(began_ns=10 * NS, ended_ns=12 * NS)


def at(seconds: float, color: str = "blue", error: str = "") -> Made:
    return Made(seconds * NS / NS_PER_MS, color, error)


def test_a_move_is_timed_by_its_first_new_and_its_last_old_answer() -> None:
    judged = judge(BASE, MOVE, SPAN, answers([at(9), at(11), at(11.5, "green"), at(11.504), at(13, "green")]))
    assert (judged.first_new, judged.last_old, judged.end) == (1.5, 1.504, 2.0)
    assert judged.cut_over_ms == pytest.approx(4)
    assert (judged.requests, judged.failed, judged.round) == (5, 0, 3)


def test_a_cut_over_is_never_below_zero() -> None:
    assert judge(BASE, MOVE, SPAN, answers([at(11), at(11.5, "green")])).cut_over_ms == 0


def test_late_is_what_was_sent_after_the_first_new_answer_and_answered_by_the_old_color() -> None:
    first_new, in_flight, late = at(11.5, "green"), Made(11_501, took_ms=2), Made(11_503, took_ms=2)
    assert judge(BASE, MOVE, SPAN, answers([at(11), first_new, in_flight])).late == 0
    assert judge(BASE, MOVE, SPAN, answers([at(11), first_new, in_flight, late])).late == 1


def test_answers_from_before_the_command_move_nobody() -> None:
    judged = judge(BASE, MOVE, SPAN, answers([at(9.9, "green"), at(11), at(11.5, "green")]))
    assert judged.first_new == 1.5


def test_failures_before_and_after_the_move_are_counted() -> None:
    judged = judge(BASE, MOVE, SPAN, answers([at(9, "", "gone"), at(11), at(11.5, "green"), at(14, "green", "status 503")]))
    assert (judged.failed, judged.errors) == (2, ("gone", "status 503"))


def test_without_an_answer_of_one_color_there_is_no_sample() -> None:
    with pytest.raises(BenchError, match="no answer of blue or of green"):
        judge(BASE, MOVE, SPAN, answers([at(9), at(11.5, "green")]))


def test_the_timeline_begins_half_a_second_before_the_command() -> None:
    line = judge(BASE, MOVE, SPAN, answers([at(1), at(9.5), at(11), at(11.5, "green"), at(99, "green")])).timeline
    assert line == Timeline(
        first_ms=-500,
        bin_ms=25,
        succeeded={"blue": [1, *[0] * 59, 1, *[0] * 20], "green": [0] * 80 + [1]},
        failed=[0] * 81,
    )


def test_both_halves_of_the_load_are_counted_together() -> None:
    both = merged([answers([at(1)]), answers([at(2, "green"), at(3, "", "gone")])])
    assert (len(both), both.color, both.error) == (3, ["blue", "green", ""], ["", "", "gone"])


@pytest.mark.parametrize(
    "bring_users",
    [
        pytest.param(lambda: observe(BASE, "one.example", MOVE, rate=100), id="one move"),
        pytest.param(lambda: observe_many(BASE, ONE, rate=100, requests=9), id="one after the other"),
        pytest.param(lambda: bearable_rate("one.example", "blue"), id="none"),
    ],
)
def test_users_come_when_the_old_color_serves_and_not_before(
    bring_users: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Asked] = []

    def answer(each: Asked) -> Reply:
        asked.append(each)
        return Reply(404) if each.before < 5 else Reply(headers={"x-served-by": "blue"})

    def users_come(_load: Load) -> None:
        raise BenchError("users come")

    monkeypatch.setattr(Load, "start", users_come)
    with server(answer) as url:
        monkeypatch.setenv("GATEWAY_URL", url)
        with pytest.raises(BenchError, match="users come"):
            bring_users()
    assert len(asked) == 5 + 20
    assert {each.host for each in asked} == {"one.example"}
