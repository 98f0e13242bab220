"""What fails costs nobody else anything, and nothing that was measured is lost."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from dev.bench import controllers, measure, peers, schedule
from dev.bench.cluster import ROOT, BenchError
from dev.bench.contestants.base import ROLLBACK_LATER, Command, Contestant, Move
from dev.bench.contestants.flagger import Flagger
from dev.bench.record import MOST_FAILURES
from dev.bench.samples import Results, Sample
from dev.bench.schedule import Run, Settings
from tests.unit.dev.bench.made_up import LINE, NOTHING_INSTALLED, results, sample


class Made(Contestant):
    """A contestant without a cluster: `trouble` is what its next move raises."""

    name = "made up"
    slug = "made-up"
    trouble: Exception | None = None
    resets = 0

    def reset(self) -> None:
        self.resets += 1
        self.live = "blue"

    def install(self) -> None:
        raise AssertionError("reset is enough here")

    def prepare(self, kind: str) -> None:
        assert kind
        if self.trouble:
            raise self.trouble

    def move(self, kind: str) -> Move:
        assert kind
        return self.to_idle()

    def plan(self) -> Command | None:
        return None


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "results.json"


@pytest.fixture
def run(file: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def observed(base: Sample, _host: str, move: Move, _rate: int) -> Sample:
        return replace(base, old=move.old, new=move.new, first_new=1.0, last_old=1.0, end=1.1, cut_over_ms=0.0, requests=9)

    def timed(base: Sample, _commands: object) -> Sample:
        return replace(base, end=1.0)

    monkeypatch.setattr(measure, "observe", observed)
    monkeypatch.setattr(measure, "timed", timed)
    return Run(Settings(minute=0), results(), file)


def kinds(file: Path) -> list[str]:
    return [each.kind for each in Results.read(file).samples]


def test_a_turn_moves_users_there_back_there_again_and_on(run: Run, file: Path) -> None:
    contestant = Made()
    run._one_turn(contestant, 0)
    assert kinds(file) == ["switch", "rollback", "switch", "release"]
    assert contestant.live == "blue"


def test_on_an_idle_sandbox_all_switch_before_any_release_each_round_beginning_with_another(run: Run, file: Path) -> None:
    class Second(Made):
        name = "second"

    run._idle([Made(), Second()])
    taken = Results.read(file).samples
    of_a_kind = 2 * Settings().rounds
    wanted = [("switch", "idle"), ("rollback", "alone"), ("release", "alone")]
    assert [(each.kind, each.load) for each in taken] == [each for each in wanted for _ in range(of_a_kind)]
    assert [each.contestant for each in taken[:4]] == ["made up", "second", "second", "made up"]


def test_on_an_idle_sandbox_nobody_is_rolled_back_later(run: Run, file: Path) -> None:
    contestant = Made()
    run._idle([contestant])
    run._roll_back_the_due([contestant], 0, contestant)
    assert ROLLBACK_LATER not in kinds(file)


def test_whoever_cannot_move_users_is_not_asked_to(run: Run, file: Path) -> None:
    class Floor(Made):
        moves = ()

    run._idle([Floor()])
    assert set(kinds(file)) == {"switch"}


def test_flagger_is_measured_as_often_as_everybody_else(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Process:
        def resident_bytes(self) -> int:
            return 1

    def reset(copy: Flagger) -> None:
        copy.live = "blue"

    monkeypatch.setattr(schedule, "APART_SECONDS", 0)
    monkeypatch.setattr(schedule, "footprint", lambda _copy: NOTHING_INSTALLED)
    monkeypatch.setattr(peers, "build", lambda _tool: Path())
    monkeypatch.setattr(controllers, "stop_recorded", lambda: None)
    monkeypatch.setattr(Flagger, "install_controller", lambda _folder: None)
    monkeypatch.setattr(Flagger, "start_controller", lambda _folder: Process())
    monkeypatch.setattr(Flagger, "reset", reset)
    run._flagger()
    assert Counter(kinds(file)) == {"release": Settings().rounds, "rollback": Settings().rounds}


class Ours(Made):
    is_ours = True


def test_ours_alone_switch_again_and_again_at_the_fixed_rate_and_then_under_half_of_what_the_machine_bears(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def observe_many(base: Sample, contestant: Contestant, rate: int, requests: int) -> tuple[list[Sample], None]:
        asked.append((base.load, contestant.slug, rate, requests))
        return [], None

    class Second(Ours):
        slug = "second"

    monkeypatch.setattr(measure, "bearable_rate", lambda _host, _color: 5000)
    monkeypatch.setattr(measure, "observe_many", observe_many)
    run._switch_after_switch([Made(), Ours(), Second()])
    usual = Settings()
    assert asked == [
        ("steady", "made-up", usual.rate, usual.steady_requests // 2),
        ("steady", "second", usual.rate, usual.steady_requests // 2),
        ("full", "made-up", 2500, usual.full_requests // 2),
        ("full", "second", 2500, usual.full_requests // 2),
    ]


def test_of_many_switches_a_long_cut_over_alone_keeps_its_timeline(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed = [sample("made up", 1, load="steady", cut_over_ms=span, timeline=LINE) for span in (10.0, 10.1)]
    monkeypatch.setattr(measure, "observe_many", lambda *_: (observed, None))
    run._many([Ours()], "steady", 1000, 10)
    assert [each.timeline is not None for each in Results.read(file).samples] == [False, True]


def test_whoever_was_released_a_minute_ago_is_rolled_back_once(run: Run, file: Path) -> None:
    contestant = Made()
    run._one_turn(contestant, 0)
    for _ in range(2):
        run._roll_back_the_due([contestant], 0, contestant)
    assert kinds(file).count(ROLLBACK_LATER) == 1
    assert Results.read(file).samples[-1].since_switch is not None


def test_a_failure_is_noted_keeps_the_samples_and_makes_the_environment_anew(run: Run, file: Path) -> None:
    contestant = Made()
    run._one_turn(contestant, 0)
    contestant.trouble = BenchError(f"no answer in {ROOT}/x")
    run._move(contestant, "switch", "probed", 1)
    found = Results.read(file)
    assert len(found.samples) == 4
    assert [(each.kind, each.round, each.reason) for each in found.failures] == [("switch", 1, "no answer in ./x")]
    assert contestant.resets == 1


def test_a_contestant_that_goes_on_failing_is_left_out(run: Run, file: Path) -> None:
    contestant = Made()
    contestant.trouble = BenchError("no answer")
    for number in range(MOST_FAILURES + 2):
        run._one_turn(contestant, number)
    assert len(Results.read(file).failures) == MOST_FAILURES


def test_a_mistake_in_the_benchmark_is_not_taken_for_a_failure_of_a_contestant(run: Run) -> None:
    contestant = Made()
    contestant.trouble = AttributeError("a mistake")
    with pytest.raises(AttributeError, match="a mistake"):
        run._one_turn(contestant, 0)
