"""The rate that this host bears: how many requests a second leave a core to spare, found by sending some.

Load generator, cluster and engine share one host. A rate that takes every core starves all that is measured: kube-proxy applies
a route late, an update takes minutes, the demo's own requests get no answer. A host bears a rate if, for a second and a half,
  1. no request fails,
  2. as many requests are answered as are sent, 95 % of them within 100 ms, and
  3. one core is idle (half a core on a host that has only one).
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dev.traffic.answers import Answers
from dev.traffic.load import Load
from dev.traffic.report import totals
from dev.traffic.vegeta import LoadError

LOWEST_RATE = 100
"""Requests a second that every host gets, however slow."""

_TRIAL_RATE = 400
_SETTLE_SECONDS, _READ_SECONDS = 0.5, 1.5
_LONGEST_NS = 100_000_000
_ENOUGH = 0.95  # of the answers in time, and of the cores that must be idle
_LESS = 0.75
_TICKS = Path("/proc/stat")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What came of one rate: how many cores were idle, and why the answers show that it is too much, if they do."""

    rate: int
    idle_cores: float
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.rate:,} requests a second: {self.problem or 'answered in time'}, {self.idle_cores:.1f} cores idle"


@dataclass(frozen=True, kw_only=True)
class ProcessorTime:
    """Ticks of all cores together since the host started, and how many of them were idle."""

    total: int
    idle: int

    @classmethod
    def now(cls) -> Self:
        """Read the ticks from the kernel; a host without /proc/stat counts as idle, so that the answers alone decide."""
        if not _TICKS.exists():
            return cls(total=time.time_ns(), idle=time.time_ns())
        ticks = [int(value) for value in _TICKS.read_text().split(maxsplit=9)[1:9]]
        return cls(total=sum(ticks), idle=ticks[3] + ticks[4])

    def idle_cores_until(self, later: "ProcessorTime") -> float:
        """Return how many cores were idle between the two, on average."""
        return (os.cpu_count() or 1) * (later.idle - self.idle) / max(1, later.total - self.total)


def bearable_rate(load: Callable[[int], Load], most: int, say: Callable[[Reading], None] = lambda _: None) -> int:
    """Return the highest rate that this host bears, from `LOWEST_RATE` to `most`, rounded down to two digits.

    Args:
        load: Makes the load of a rate.
        most: Requests a second.
        say: Gets each reading when it has been taken.

    Raises:
        LoadError: Requests fail even at `LOWEST_RATE`, or vegeta cannot be run.
    """
    before = ProcessorTime.now()
    time.sleep(_SETTLE_SECONDS)
    idle_cores = before.idle_cores_until(ProcessorTime.now())

    def read(rate: int) -> Reading:
        reading = _read(load(rate), rate)
        say(reading)
        return reading

    return search(read, most=most, cores=os.cpu_count() or 1, idle_cores=idle_cores)


def search(read: Callable[[int], Reading], *, most: int, cores: int, idle_cores: float) -> int:
    """Find the rate by readings: a trial shows what a request takes; the rate that should fit is lowered until it does.

    `idle_cores` were idle before. For the other arguments and the result see `bearable_rate`.
    """
    spare = min(1.0, cores / 2)
    trial = read(min(_TRIAL_RATE, most))
    taken = max(idle_cores - trial.idle_cores, 0.01)
    rate = _rounded(max(LOWEST_RATE, min(most, trial.rate * (idle_cores - spare) / taken)))
    while (reading := read(rate)).problem or reading.idle_cores < _ENOUGH * spare:
        if rate == LOWEST_RATE:
            break
        rate = max(LOWEST_RATE, _rounded(_LESS * rate))
    if reading.problem:
        raise LoadError(f"Even {rate} requests a second are not answered as they should be: {reading.problem}")
    return rate


def _rounded(rate: float) -> int:
    step: int = 10 ** max(0, len(str(int(rate))) - 2)
    return int(rate) // step * step


def _read(load: Load, rate: int) -> Reading:
    with load:
        time.sleep(_SETTLE_SECONDS)
        before, since_ns = ProcessorTime.now(), time.time_ns()
        time.sleep(_READ_SECONDS)
        idle_cores, until_ns = before.idle_cores_until(ProcessorTime.now()), time.time_ns()
    return Reading(rate=rate, idle_cores=idle_cores, problem=problem(load.stop(), rate, since_ns, until_ns))


def problem(answers: Answers, rate: int, since_ns: int, until_ns: int) -> str:
    """Return why the answers show that `rate` is too much, or nothing. All answers may not fail; those of the span count."""
    counted = totals(answers)
    if counted.failed:
        return f"{counted.failed:,} of {counted.requests:,} failed ({counted.errors[0]})"
    span = answers.between(since_ns, until_ns)
    sent = rate * (until_ns - since_ns) / 1e9
    if len(span) < _ENOUGH * sent:
        return f"{len(span):,} answers instead of {sent:,.0f}"
    late = sum(ended - started > _LONGEST_NS for started, ended in zip(span.started, span.ended, strict=True))
    return f"{late:,} of {len(span):,} answers took more than 100 ms" if late > (1 - _ENOUGH) * len(span) else ""
