"""Measures the request rate that this host can sustain with one core idle.

Load generator, cluster and engine share the host. A rate that takes every core distorts everything that is measured: kube-proxy
applies a route late, an update takes minutes, the demo's own requests get no response. A rate is sustainable if, for 1.5
seconds,
  1. no request fails,
  2. at least 95 % of the requests get a response, 95 % of these within 100 ms, and
  3. one core is idle (half a core on a host with a single core).
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
"""Requests a second; the result on the slowest host."""

_TRIAL_RATE = 400
_SETTLE_SECONDS, _READ_SECONDS = 0.5, 1.5
_LONGEST_NS = 100_000_000
_ENOUGH = 0.95  # share of the expected responses, and of the cores that must be idle
_LESS = 0.75
_TICKS = Path("/proc/stat")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The measurement at one rate. `problem` is why the responses show that the rate is too high, or empty."""

    rate: int
    idle_cores: float
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.rate:,} requests a second: {self.problem or 'responses in time'}, {self.idle_cores:.1f} cores idle"


@dataclass(frozen=True, kw_only=True)
class ProcessorTime:
    """CPU ticks of all cores together since the host started, and the idle ones among them."""

    total: int
    idle: int

    @classmethod
    def now(cls) -> Self:
        """Reads the ticks from the kernel. A host without /proc/stat counts as idle, so that only the responses decide."""
        if not _TICKS.exists():
            return cls(total=time.time_ns(), idle=time.time_ns())
        ticks = [int(value) for value in _TICKS.read_text().split(maxsplit=9)[1:9]]
        return cls(total=sum(ticks), idle=ticks[3] + ticks[4])

    def idle_cores_until(self, later: "ProcessorTime") -> float:
        """The average number of idle cores between two readings."""
        return (os.cpu_count() or 1) * (later.idle - self.idle) / max(1, later.total - self.total)


def bearable_rate(load: Callable[[int], Load], most: int, say: Callable[[Reading], None] = lambda _: None) -> int:
    """The highest sustainable rate in requests a second, from `LOWEST_RATE` to `most`, rounded down to two digits.

    `load` makes the load for a rate; `say` is called with every reading. Raises LoadError if requests fail even at
    `LOWEST_RATE`, or vegeta cannot be run.
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
    """Estimates the rate from the CPU cost of a trial, and lowers it until a reading confirms it.

    `idle_cores` is the number of idle cores without load. For the other arguments and the result see `bearable_rate`.
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
        raise LoadError(f"This host cannot sustain even {rate} requests a second: {reading.problem}")
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
    """Why the responses show that `rate` is too high; empty if they do not.

    No request of the whole load may fail. Number and latency are those of the responses from since_ns to until_ns.
    """
    counted = totals(answers)
    if counted.failed:
        return f"{counted.failed:,} of {counted.requests:,} failed ({counted.errors[0]})"
    span = answers.between(since_ns, until_ns)
    sent = rate * (until_ns - since_ns) / 1e9
    if len(span) < _ENOUGH * sent:
        return f"{len(span):,} responses instead of {sent:,.0f}"
    late = sum(ended - started > _LONGEST_NS for started, ended in zip(span.started, span.ended, strict=True))
    return f"{late:,} of {len(span):,} responses took more than 100 ms" if late > (1 - _ENOUGH) * len(span) else ""
