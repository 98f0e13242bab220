"""Watching users after a switch: real requests and the smoke tests, compared with how it was before.

The new color is worse when, numbered as they are judged:
  1. a smoke test that passed before the switch has failed `CHECK_FAILURES` times in a row;
  2. of the requests of the last `WINDOW_SECONDS`, at least `LEAST_FAILED` failed, and their share is higher than before the
     switch by more than `TOLERATED` percent.
A request fails when nobody answers, the status is 500 or more, or another color answers than should. At `RATE` requests a
second, a color that fails 5 % of them is found out within about two seconds.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from automation import smoke
from release.probe import Entrance

RATE = 40
BEFORE_SECONDS = 3.0
WINDOW_SECONDS = 30.0
LEAST_FAILED = 3
TOLERATED = 1.0
CHECK_FAILURES = 2
CHECK_EVERY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many requests were sent, and how many of them failed."""

    requests: int = 0
    failed: int = 0

    @property
    def percent(self) -> float:
        return 100 * self.failed / self.requests if self.requests else 0.0

    def __str__(self) -> str:
        return f"{self.failed} of {self.requests} requests failed ({self.percent:.1f} %)"


@dataclass(frozen=True, kw_only=True)
class Before:
    """How it was before the switch: the requests, and the smoke tests that passed."""

    counts: Counts
    passing: tuple[smoke.Check, ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a watch ended: why the new color is worse, or nothing, after how long, and all that was counted."""

    worse: str
    seconds: float
    counts: Counts


def is_worse(before: Counts, now: Counts) -> bool:
    """Whether more requests fail than before, by the second rule above."""
    return now.failed >= LEAST_FAILED and now.percent > before.percent + TOLERATED


def before(entrance: Entrance, color: str, checks: Sequence[smoke.Check]) -> Before:
    """Looks for `BEFORE_SECONDS` at the color that serves now, and runs each check once."""
    passing = tuple(check for check in checks if not smoke.run(check, entrance).failure)
    outcomes = list(_asked(entrance, color, BEFORE_SECONDS))
    return Before(counts=_count(outcomes), passing=passing)


def watch(entrance: Entrance, color: str, seconds: float, compared: Before, tell: Callable[[float, Counts], None]) -> Verdict:
    """Watches for `seconds`, or until the color is worse. `tell` hears of it about every five seconds."""
    began = time.monotonic()
    window: deque[tuple[float, bool]] = deque()
    failures = dict.fromkeys(compared.passing, 0)
    requests = failed = 0
    next_check, next_word = began, began + 5

    def verdict(worse: str) -> Verdict:
        return Verdict(worse=worse, seconds=time.monotonic() - began, counts=Counts(requests=requests, failed=failed))

    for is_good in _asked(entrance, color, seconds):
        now = time.monotonic()
        requests, failed = requests + 1, failed + (not is_good)
        window.append((now, is_good))
        while window[0][0] < now - WINDOW_SECONDS:
            window.popleft()
        counts = _count([good for _, good in window])
        if is_worse(compared.counts, counts):
            return verdict(f"{counts}; before the switch {compared.counts}")
        if now >= next_check:
            next_check = now + CHECK_EVERY_SECONDS
            if worse := _checked(entrance, failures):
                return verdict(worse)
        if now >= next_word:
            next_word = now + 5
            tell(now - began, Counts(requests=requests, failed=failed))
    return verdict("")


def _checked(entrance: Entrance, failures: dict[smoke.Check, int]) -> str:
    """Runs every check, and returns the first that has failed often enough."""
    for check in failures:
        outcome = smoke.run(check, entrance)
        failures[check] = failures[check] + 1 if outcome.failure else 0
        if failures[check] >= CHECK_FAILURES:
            return f"{outcome.name}, which passed before the switch: {outcome.failure}"
    return ""


def _asked(entrance: Entrance, color: str, seconds: float) -> Iterator[bool]:
    """Whether each of the requests of `seconds` was good, as they are sent."""
    end = time.monotonic() + seconds
    due = time.monotonic()
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        yield entrance.serves(entrance.ask(), color)
        # Requests that were missed while one was slow are not made up for.
        due = max(due + 1 / RATE, time.monotonic())


def _count(outcomes: Sequence[bool]) -> Counts:
    return Counts(requests=len(outcomes), failed=sum(not good for good in outcomes))
