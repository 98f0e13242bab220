"""The times of a move are those of real responses, counted from the moment when the command was started."""

from typing import Any

import pytest

from dev.bench import measure
from dev.bench.cluster import BenchError, Command
from dev.bench.contestants.base import Contestant
from dev.bench.results import Sample
from dev.traffic.load import Load
from tests.unit.cli.served import Asked, Reply, server
from tests.unit.dev.bench.made_up import sample
from tests.unit.dev.traffic.made_up import NS_PER_MS, Made, answers


def judged(*rows: Made) -> Sample:
    return measure.judge(sample("one"), "blue", "green", 10_000 * NS_PER_MS, answers(rows))


def test_a_move_lasts_until_the_last_response_of_the_old_color() -> None:
    found = judged(Made(9_000), Made(11_000), Made(11_500, "green"), Made(11_504), Made(13_000, "green"))
    assert found.last_old == 1.504
    assert found.cut_over_ms == pytest.approx(4)
    assert found.requests == 5


def test_a_cut_over_is_never_below_zero() -> None:
    assert judged(Made(11_000), Made(11_500, "green")).cut_over_ms == 0


def test_responses_from_before_the_command_move_nobody() -> None:
    assert judged(Made(9_900, "green"), Made(11_000), Made(11_500, "green")).cut_over_ms == 0


def test_failures_before_and_after_the_move_are_counted() -> None:
    found = judged(Made(9_000, "", "gone"), Made(11_000), Made(11_500, "green"), Made(14_000, "green", "status 503"))
    assert (found.failed, found.errors) == (2, ["gone", "status 503"])


def test_without_a_response_of_one_color_there_is_no_sample() -> None:
    with pytest.raises(BenchError, match="no answer of blue or of green"):
        judged(Made(9_000), Made(11_500, "green"))


class Still(Contestant):
    """A contestant whose users never move."""

    slug = name = "still"

    def install(self) -> None:
        """There is no cluster."""

    def move(self, kind: str) -> list[Command]:
        assert kind
        return []


def test_the_load_begins_when_the_old_color_serves_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Asked] = []

    def answer(request: Asked) -> Reply:
        asked.append(request)
        return Reply(404) if request.before < 5 else Reply(headers={"x-served-by": "blue"})

    def started(_: Any) -> None:
        raise BenchError("the load has begun")

    monkeypatch.setattr(Load, "start", started)
    with server(answer) as url:
        monkeypatch.setenv("GATEWAY_URL", url)
        with pytest.raises(BenchError, match="the load has begun"):
            measure.observe(Still(), "switch", "probed", rate=100)
    assert len(asked) == 5 + 20
    assert {request.host for request in asked} == {"still.bench.example"}


def test_a_command_that_fails_is_reported_with_its_output() -> None:
    with pytest.raises(BenchError, match=r"(?s)'.*echo why; exit 3' failed with status 3:\nwhy"):
        Command(arguments=("sh", "-c", "echo why; exit 3")).run()
