"""A failure of one contestant costs nobody else anything, and nothing that was measured is lost."""

from pathlib import Path
from string import Template

import pytest
import yaml

from dev.bench import measure, run
from dev.bench.cluster import BenchError, Command
from dev.bench.contestants.base import MANIFESTS, ROLLBACK, Contestant
from dev.bench.results import Results, Sample
from tests.unit.dev.bench.made_up import results, sample


class First(Contestant):
    """A contestant without a cluster."""

    slug = name = "first"
    resets = 0

    def reset(self) -> None:
        self.resets += 1

    def install(self) -> None:
        raise AssertionError("reset is enough here")

    def move(self, kind: str) -> list[Command]:
        raise AssertionError(f"{kind} is not observed here")


class Second(First):
    slug = name = "second"


class Short(First):
    slug = name = "short"
    moves = (ROLLBACK,)
    rounds = 1


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def observe(contestant: Contestant, kind: str, load: str, rate: int) -> Sample:
        assert rate == run.RATES[load]
        return sample(contestant.name, kind=kind, load=load)

    monkeypatch.setattr(measure, "observe", observe)
    monkeypatch.setattr(run, "MINUTE_SECONDS", 0)
    return tmp_path / "results.json"


def measured(file: Path) -> list[tuple[str, str]]:
    return [(taken.contestant, taken.kind) for taken in Results.read(file).samples]


def test_a_round_ends_with_the_rollbacks_of_a_minute_later(file: Path) -> None:
    run.Run([First(), Second()], results(), file).round(0)
    kinds = ["switch", "rollback", "switch", "release"]
    turns = [(name, kind) for name in ("first", "second") for kind in kinds]
    assert measured(file) == [*turns, ("first", "rollback later"), ("second", "rollback later")]


def test_each_round_begins_with_another_contestant(file: Path) -> None:
    running = run.Run([First(), Second()], results(), file)
    running.round(0)
    running.round(1)
    assert [measured(file)[place][0] for place in (0, 10)] == ["first", "second"]


def test_a_contestant_is_measured_in_its_own_moves_and_rounds_only(file: Path) -> None:
    running = run.Run([Short()], results(), file)
    running.round(0)
    running.round(1)
    assert measured(file) == [("short", "rollback")]


def test_a_failure_is_noted_and_the_environment_is_made_anew(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    observe = measure.observe

    def fails(contestant: Contestant, kind: str, load: str, rate: int) -> Sample:
        if (contestant.name, kind) == ("first", "rollback"):
            raise BenchError("no answer\nand more")
        return observe(contestant, kind, load, rate)

    monkeypatch.setattr(measure, "observe", fails)
    first = First()
    run.Run([first, Second()], results(), file).round(0)
    assert [kind for name, kind in measured(file) if name == "first"] == ["switch"]
    assert len([kind for name, kind in measured(file) if name == "second"]) == 5
    assert Results.read(file).failures == ["first, rollback, probed: no answer"]
    assert first.resets == 1


def test_a_mistake_in_the_benchmark_is_not_taken_for_a_failure_of_a_contestant(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> Sample:
        raise AttributeError("a mistake")

    monkeypatch.setattr(measure, "observe", mistaken)
    with pytest.raises(AttributeError, match="a mistake"):
        run.Run([First()], results(), file).round(0)


@pytest.mark.parametrize("manifest", sorted(path.name for path in MANIFESTS.iterdir()))
def test_a_manifest_has_no_other_values_than_the_contestants_give(manifest: str) -> None:
    names = ("tag", "color", "users", "testers", "host", "namespace")
    text = Template((MANIFESTS / manifest).read_text()).substitute({name: f"a-{name}" for name in names})
    assert all(content["kind"] for content in yaml.safe_load_all(text))
