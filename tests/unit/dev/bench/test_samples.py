"""What is written is what was measured."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dev.bench.samples import SCHEMA, Failure, Results, runs_before
from tests.unit.dev.bench.made_up import INSTALLED, LINE, results, sample


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    written = results(
        sample("one", 1.5, timeline=LINE, errors=("gone",), failed=1, since_switch=61.0),
        sample("one", 1.5, kind="plan", load="", old="", new="", first_new=None, last_old=None, cut_over_ms=None, requests=0),
        failures=[Failure(contestant="one", kind="switch", round=2, reason="no answer")],
        memory={"one": [92_000_000]},
        footprints={"one": INSTALLED},
    )
    written.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == written


def test_results_without_a_sample_can_be_written_and_read(tmp_path: Path) -> None:
    results().write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == results()


def test_results_of_another_schema_are_not_misread(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps({"schema": SCHEMA + 1}))
    with pytest.raises(ValueError, match="another schema"):
        Results.read(tmp_path / "results.json")


def test_the_runs_before_are_the_finished_ones_of_the_same_machine_and_settings_newest_first(tmp_path: Path) -> None:
    like = results(sample("ours", 1))
    runs = {
        "2026-01-01": replace(like, began="first"),
        "2026-01-02": replace(like, finished=""),
        "2026-01-03": replace(like, machine={**like.machine, "cores": 64}),
        "2026-01-04": replace(like, settings={"rate": 1}),
        "2026-01-05": replace(like, began="second", machine={**like.machine, "stolen_percent": 3.0}),
        "2026-01-06": replace(like, began="third", settings={**like.settings, "full_requests": 1}),
        "2026-01-07": replace(like, began="latest"),
        "2026-01-08": replace(like, began="later"),
    }
    for name, run in runs.items():
        run.write(tmp_path / f"{name}.json")
    before = runs_before(runs["2026-01-07"], tmp_path / "2026-01-07.json")
    assert [each.began for each in before] == ["third", "second", "first"]
