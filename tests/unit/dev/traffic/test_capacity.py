"""The measured rate leaves a core idle, and failing requests are an error instead of a low rate."""

import re
from collections.abc import Callable, Iterable

import pytest

from dev.traffic.capacity import LOWEST_RATE, ProcessorTime, Reading, problem, search
from dev.traffic.vegeta import LoadError
from tests.unit.dev.traffic.made_up import Made, answers

MOST = 2000


def host(
    *, cores: int = 2, idle: float | None = None, cost_ms: float, fails_from: int = 10_000
) -> tuple[Callable[[int], Reading], list[int]]:
    """A host where a request takes `cost_ms` of CPU time and fails at high rates, and the list of rates that are read."""
    rates: list[int] = []

    def read(rate: int) -> Reading:
        rates.append(rate)
        left = max(0.0, (cores if idle is None else idle) - rate * cost_ms / 1000)
        return Reading(rate=rate, idle_cores=left, problem="timed out" if rate >= fails_from or not left else "")

    return read, rates


@pytest.mark.parametrize(
    ("cores", "idle", "cost_ms", "least", "most"),
    [
        pytest.param(2, 2.0, 0.3, MOST, MOST, id="a fast host gets all"),
        pytest.param(16, 16.0, 0.9, MOST, MOST, id="a large host gets all"),
        pytest.param(2, 2.0, 0.9, 1000, 1111, id="a usual host"),
        pytest.param(2, 2.0, 2.7, 330, 370, id="a host three times slower"),
        pytest.param(2, 1.5, 0.9, 500, 555, id="a host with half a core taken"),
        pytest.param(2, 0.4, 0.9, LOWEST_RATE, LOWEST_RATE, id="a host with no core to spare"),
        pytest.param(1, 1.0, 0.9, 500, 555, id="a host with one core spares half of it"),
    ],
)
def test_the_measured_rate_leaves_a_core_idle(cores: int, idle: float, cost_ms: float, least: int, most: int) -> None:
    read, _ = host(cores=cores, idle=idle, cost_ms=cost_ms)
    assert least <= search(read, most=MOST, cores=cores, idle_cores=idle) <= most


def test_the_rate_is_lowered_until_no_request_fails() -> None:
    read, _ = host(cost_ms=0.1, fails_from=900)
    assert 600 <= search(read, most=MOST, cores=2, idle_cores=2) < 900


def test_a_rate_is_lowered_if_it_costs_more_than_its_trial() -> None:
    def read(rate: int) -> Reading:
        return Reading(rate=rate, idle_cores=1.9 if rate <= 400 else 0.9 if rate > 1000 else 1.1)

    assert 700 <= search(read, most=MOST, cores=2, idle_cores=2) <= 1000


def test_failures_at_the_lowest_rate_are_an_error() -> None:
    read, rates = host(cost_ms=0.1, fails_from=1)
    with pytest.raises(LoadError, match=f"even {LOWEST_RATE} requests a second: timed out"):
        search(read, most=MOST, cores=2, idle_cores=2)
    assert len(rates) < 15


def regular_rows(milliseconds: int, count: int, **change: object) -> Iterable[Made]:
    return (Made(ended_ms=number * milliseconds, **change) for number in range(count))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param(regular_rows(10, 100), "", id="all in time"),
        pytest.param([*regular_rows(10, 99), Made(995, error="refused")], r"1 of 100 failed \(refused\)", id="one failed"),
        pytest.param(regular_rows(20, 50), "50 responses instead of 100", id="half of the responses missing"),
        pytest.param(regular_rows(10, 100, took_ms=150), "100 of 100 responses took more than 100 ms", id="late"),
    ],
)
def test_an_excessive_rate_is_reported_with_the_reason(rows: Iterable[Made], words: str) -> None:
    assert re.fullmatch(words, problem(answers(rows), 100, 0, 1_000_000_000))


def test_idle_cores_are_computed_from_two_readings_of_cpu_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    before, after = ProcessorTime(total=1000, idle=700), ProcessorTime(total=1400, idle=900)
    assert before.idle_cores_until(after) == 1.0
    now = ProcessorTime.now()
    assert 0 < now.idle <= now.total
