"""Every claim follows from the samples: who is ahead and by what factor, which goal is met, when a change may not pass."""

from dataclasses import replace

import pytest

from dev.bench.judgement import BARE, FLOOR, OURS, Lead, QuickVerdict, Row, goals, lead, repetition, rows, spread
from dev.bench.samples import Results
from tests.unit.dev.bench.made_up import INSTALLED, NOTHING_INSTALLED, results, sample

UP, COMMAND = OURS
ARGO = "Argo Rollouts"


def row(**medians: float) -> Row:
    values = {name: found for name, median in medians.items() if (found := spread([median]))}
    return Row(title="", unit="s", digits=2, values=values)


def test_a_spread_is_the_median_between_the_lowest_and_the_highest() -> None:
    found = spread([3, 1, 2, 9])
    assert found
    assert (found.median, found.low, found.high, found.count) == (2.5, 1, 9, 4)
    assert spread([]) is None


@pytest.mark.parametrize(
    ("medians", "expected"),
    [
        pytest.param({UP: 1.0, ARGO: 3.0}, Lead(leaders=(UP,), behind=ARGO, factor=3.0), id="ours"),
        pytest.param({UP: 3.0, ARGO: 1.0}, Lead(leaders=(ARGO,), behind=UP, factor=3.0), id="a peer"),
        pytest.param(
            {UP: 4.0, COMMAND: 2.0, ARGO: 1.0, BARE: 1.5},
            Lead(leaders=(ARGO,), behind=COMMAND, factor=2.0),
            id="the best of ours",
        ),
        pytest.param({UP: 1.0, BARE: 1.04}, Lead(leaders=(UP, BARE), behind=None, factor=None), id="all even"),
        pytest.param(
            {UP: 1.0, BARE: 1.04, ARGO: 2.0}, Lead(leaders=(UP, BARE), behind=ARGO, factor=2.0), id="even, and one behind"
        ),
        pytest.param({UP: 0, BARE: 0, ARGO: 92}, Lead(leaders=(UP, BARE), behind=ARGO, factor=None), id="nothing at all"),
        pytest.param({UP: 1.0, COMMAND: 2.0}, None, id="only ours"),
        pytest.param({ARGO: 1.0}, None, id="only others"),
    ],
)
def test_who_is_ahead_and_by_what_factor(medians: dict[str, float], expected: Lead | None) -> None:
    assert lead(row(**medians)) == expected


def test_values_that_cannot_be_told_apart_are_even_and_make_no_factor() -> None:
    found = lead(replace(row(**{UP: 1.6, BARE: 0.02, ARGO: 4.8}), resolution=2))
    assert found == Lead(leaders=(UP, BARE), behind=ARGO, factor=None)


def title_of(found: Results, start: str) -> Row:
    return next(each for each in rows(found) if each.title.startswith(start))


def test_a_row_holds_the_samples_of_its_kind_and_load_alone() -> None:
    found = results(sample(UP, 1.1), sample(UP, 1.3), sample(UP, 9, load="loaded"), sample(UP, 9, kind="release"))
    value = title_of(found, "Switch: command to its end").values[UP]
    assert value.median == pytest.approx(1.2)
    assert value.count == 2


def test_memory_and_objects_count_whatever_is_installed() -> None:
    found = results(
        sample(UP, 1),
        sample(ARGO, 1),
        memory={ARGO: [90_000_000, 94_000_000]},
        footprints={UP: NOTHING_INSTALLED, ARGO: INSTALLED},
    )
    assert {name: each.median for name, each in title_of(found, "Memory").values.items()} == {UP: 0, ARGO: 92}
    assert {name: each.median for name, each in title_of(found, "Installed into the cluster: objects").values.items()} == {
        UP: 0,
        ARGO: 17,
    }


def test_failed_requests_are_counted_over_all_samples_of_a_contestant() -> None:
    found = results(sample(UP, 1, failed=2), sample(UP, 1, load="loaded", failed=3), sample(ARGO, 1))
    assert {name: each.median for name, each in title_of(found, "Failed").values.items()} == {UP: 5, ARGO: 0}


def test_a_spread_is_that_of_the_runs_before_as_well_and_the_median_is_of_the_run_alone() -> None:
    latest = results(sample(UP, 2.0), sample(UP, 2.2))
    earlier = [results(sample(UP, end), sample(UP, 2.0)) for end in (1.5, 2.9, 99)]
    [value] = [row.values[UP] for row in rows(latest, earlier) if row.title == "Switch: command to its end"]
    assert value.median == pytest.approx(2.1)
    assert (value.low, value.high, value.count) == (1.5, 2.9, 2)


def test_what_is_only_counted_has_no_spread_of_other_runs() -> None:
    latest, earlier = results(sample(UP, 1)), results(sample(UP, 1, failed=3))
    [value] = [row.values[UP] for row in rows(latest, [earlier]) if row.title.startswith("Failed requests")]
    assert (value.low, value.high) == (0, 0)


def test_a_figure_is_repeated_when_it_lies_within_the_spread_that_was_stated_before() -> None:
    def switches(*ends: float) -> Results:
        return results(*(sample(UP, end, load="idle", first_new=None, last_old=None) for end in ends))

    before = [switches(1.0, 1.2), switches(1.3, 1.4), switches(1.6, 1.7), switches(9.0, 9.0)]
    switch = "With the sandbox to itself: a switch (`pulumi up`)"

    def outside(seconds: float) -> tuple[str, ...]:
        found = repetition(switches(seconds, seconds), before)
        assert found
        return found.outside

    assert outside(1.7) == ()
    assert outside(1.704) == ()
    assert outside(1.71) == (switch,)
    assert outside(0.99) == (switch,)
    assert repetition(switches(1), []) is None


def met(found: Results) -> dict[str, bool]:
    return {goal.title: goal.is_met for goal in goals(found)}


@pytest.mark.parametrize(("seconds", "is_met"), [(1.2, True), (1.21, False)], ids=["at the limit", "above it"])
def test_a_switch_on_an_idle_machine_meets_its_goal_up_to_the_limit(seconds: float, is_met: bool) -> None:
    assert met(results(sample(UP, seconds, load="idle")))["Switch by `pulumi up`, idle sandbox"] is is_met


def test_a_goal_in_seconds_stands_beside_what_pulumi_takes_with_nothing_to_do() -> None:
    found = goals(results(sample(UP, 1.5, load="idle"), sample(FLOOR, 1.25, load="idle")))
    assert found[0].measured == "1.50 s; Pulumi with nothing to do: 1.25 s"
    assert not found[0].is_met


@pytest.mark.parametrize(("seconds", "is_met"), [(1.1, True), (1.11, False)], ids=["at the limit", "above it"])
def test_the_ratio_to_the_bare_program_meets_its_goal_up_to_the_limit(seconds: float, is_met: bool) -> None:
    found = results(sample(UP, seconds, load="idle"), sample(BARE, 1, load="idle"), sample(UP, 9))
    assert met(found)["Switch by `pulumi up`, beside the bare program"] is is_met


@pytest.mark.parametrize(
    ("requests", "switches", "failed", "is_met"),
    [
        pytest.param(50_000, 20, 0, True, id="enough"),
        pytest.param(49_999, 20, 0, False, id="too few requests"),
        pytest.param(60_000, 19, 0, False, id="too few switches"),
        pytest.param(50_000, 20, 1, False, id="one failed"),
    ],
)
def test_the_goal_of_a_million_requests(requests: int, switches: int, failed: int, is_met: bool) -> None:
    taken = [sample(UP, 1, load="full", requests=requests) for _ in range(switches)]
    taken[0] = sample(UP, 1, load="full", requests=requests, failed=failed)
    assert met(results(*taken, sample(ARGO, 1)))["Requests over our switches"] is is_met


@pytest.mark.parametrize(
    ("name", "kind", "seconds", "goal"),
    [
        pytest.param(COMMAND, "rollback", 0.3, "`bluegreen rollback --now`, to last old answer", id="rollback --now"),
        pytest.param(UP, "release", 6.0, "Whole release by `pulumi up`, to last old answer", id="a release"),
    ],
)
def test_a_goal_in_seconds_is_judged_with_the_sandbox_to_itself(name: str, kind: str, seconds: float, goal: str) -> None:
    def judged(last_old: float) -> bool:
        alone = sample(name, 9, kind=kind, load="alone", last_old=last_old)
        return met(results(alone, sample(name, 99, kind=kind)))[goal]

    assert judged(seconds)
    assert not judged(seconds + 0.01)


@pytest.mark.parametrize(("load", "is_met"), [("loaded", False), ("steady", False), ("full", True), ("probed", True)])
def test_the_cut_over_is_judged_by_its_median_and_by_its_worst_at_the_fixed_rate(load: str, is_met: bool) -> None:
    spans = [(1.0, "loaded"), (9.0, "steady"), (60.0, load)]
    found = met(results(*(sample(UP, 1, load=load, cut_over_ms=span) for span, load in spans)))
    assert found["Cut-over at the fixed rate, median"]
    assert found["Cut-over at the fixed rate, worst"] is is_met


def test_failures_are_compared_under_the_loads_that_came_to_all() -> None:
    elsewhere = [sample(UP, 1, load=load, failed=5) for load in ("steady", "full", "alone")]
    found = results(sample(UP, 1, failed=2), *elsewhere, sample(ARGO, 1, failed=3))
    failed = next(row for row in rows(found) if row.title.startswith("Failed requests"))
    assert {name: spread.median for name, spread in failed.values.items()} == {UP: 2, ARGO: 3}


def test_without_samples_there_is_no_goal() -> None:
    assert goals(results()) == []


@pytest.mark.parametrize(
    ("ours", "failed", "words"),
    [
        pytest.param(1.25, 0, [], id="at the limit"),
        pytest.param(1.26, 0, ["1.26 times as long"], id="too slow"),
        pytest.param(1.0, 1, ["1 of 500 requests failed"], id="a failed request"),
        pytest.param(1.3, 2, ["1.30 times as long", "2 of 500"], id="both"),
    ],
)
def test_a_change_that_costs_too_much_or_loses_a_request_does_not_pass(ours: float, failed: int, words: list[str]) -> None:
    verdict = QuickVerdict(ours=(ours, ours, 9), bare=(1, 1, 0.5), requests=500, failed=failed)
    assert len(verdict.complaints) == len(words)
    assert all(word in said for word, said in zip(words, verdict.complaints, strict=True))
