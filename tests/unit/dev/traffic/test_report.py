"""The figures are correct for any responses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.traffic.report import cut_over, histogram, latencies, totals
from tests.unit.dev.traffic.made_up import NS_PER_MS, ROWS, Made, answers


@given(ROWS)
def test_totals_account_for_every_request(rows: list[Made]) -> None:
    counted = totals(answers(rows))
    assert counted.requests == len(rows)
    assert counted.failed + sum(counted.succeeded.values()) == len(rows)
    assert counted.failed == sum(bool(row.error) for row in rows)


def test_totals_show_the_first_errors_in_order_of_time() -> None:
    rows = [Made(ended_ms=at, error=f"error at {at}") for at in (7, 3, 9, 1, 8, 2, 4)]
    assert totals(answers(rows)).errors == tuple(f"error at {at}" for at in (1, 2, 3, 4, 7))


@given(ROWS, st.integers(0, 5_000))
def test_adjacent_windows_contain_every_response_once(rows: list[Made], border_ms: int) -> None:
    run = answers(rows)
    before = run.between(0, border_ms * NS_PER_MS)
    after = run.between(border_ms * NS_PER_MS, 5_001 * NS_PER_MS)
    assert len(before) + len(after) == len(run)
    assert sorted([*before.ended, *after.ended]) == sorted(run.ended)


def test_a_copy_does_not_change_while_responses_arrive() -> None:
    run = answers([Made(1)])
    copy = run.copy()
    run.append(2, 3, 200, "green", "")
    assert (len(copy), copy.color) == (1, ["blue"])


@pytest.mark.parametrize(
    ("rows", "milliseconds"),
    [
        pytest.param([Made(10), Made(20, "green")], 0, id="old ends before new begins"),
        pytest.param([Made(10), Made(20, "green"), Made(27), Made(40, "green")], 7, id="both answer for a while"),
        pytest.param([Made(27), Made(40, "green"), Made(20, "green"), Made(10)], 7, id="rows in any order"),
        pytest.param([Made(20, "green"), Made(30, took_ms=25)], 10, id="a slow answer counts when it ends"),
        pytest.param([Made(20, "green"), Made(29, "blue", "status 500")], 9, id="failing is serving too"),
        pytest.param([Made(20, "green"), Made(25), Made(60, "", "timeout")], 5, id="no color, no side"),
    ],
)
def test_cut_over_is_from_first_new_to_last_old(rows: list[Made], milliseconds: float) -> None:
    switch = cut_over(answers(rows), "blue", "green")
    assert switch is not None
    assert switch.milliseconds == milliseconds


@pytest.mark.parametrize("color", ["blue", "green"])
def test_cut_over_is_none_if_a_color_never_responded(color: str) -> None:
    assert cut_over(answers([Made(10, color)]), "blue", "green") is None


@given(ROWS, st.sampled_from([100, 333.3, 10_000]))
def test_histogram_counts_every_response_in_its_bin(rows: list[Made], bin_ms: float) -> None:
    run = answers(rows)
    bins = histogram(run, bin_ms)
    counted = totals(run)
    assert {color: sum(counts) for color, counts in bins.succeeded.items()} == counted.succeeded
    assert sum(bins.failed) == counted.failed
    for index, failed in enumerate(bins.failed):
        since = bins.start_ns + index * bins.bin_ns
        window = totals(run.between(since, since + bins.bin_ns))
        assert failed == window.failed
        assert {color: counts[index] for color, counts in bins.succeeded.items() if counts[index]} == window.succeeded


def test_histogram_refuses_bins_of_no_length() -> None:
    with pytest.raises(ValueError, match="bin_ms=0"):
        histogram(answers([Made(1)]), 0)


def test_latencies_are_of_successes_by_color_and_nearest_rank() -> None:
    rows = [Made(1_000, "blue", took_ms=took) for took in range(1, 101)]
    rows += [Made(1_000, "green", took_ms=5), Made(1_000, "green", "timeout", took_ms=500)]
    blue, green = latencies(answers(rows)).values()
    assert (blue.p50, blue.p95, blue.p99, blue.max) == (50, 95, 99, 100)
    assert (green.p50, green.max) == (5, 5)
