"""Watches a new color after a switch with real requests and smoke tests, and compares it with the old color before the switch.

The new color is worse if one of these is true:
  1. a smoke test that passed before the switch has failed `CHECK_FAILURES` times in a row;
  2. more requests fail than before (no response, or a status of 500 or more), by the test in `Score`;
  3. more requests are rejected than before (a status from 400 to 499), by the same test.
The switch itself does not count: until the color has answered `IN_A_ROW` requests in a row, responses of the old color are
ignored, and `SWITCH_LOSSES` requests of the first second may fail.

`Watch` decides by the observations that it receives, without clock or threads. `requests` sends the real requests.
"""

import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bluegreen.cli import smoke
from bluegreen.probe import IN_A_ROW, LONGEST_SECONDS, Response, get, in_background, serves
from bluegreen.release.endpoint import Endpoint

RATE = 50
BEFORE_SECONDS = 10.0
LEAST_BEFORE_SECONDS = 3.0
# A request that takes longer has failed, unless the old color took as long.
PATIENCE_SECONDS = 2.0
# The most requests that wait for a response at the same time.
MOST_AT_ONCE = 200

# A request that times out while this process gets no CPU time for this long does not count.
STALL_SECONDS = 0.5

CHECK_FAILURES = 2
CHECK_EVERY_SECONDS = 1.0

SWITCH_SECONDS = 1.0
SWITCH_LOSSES = 5
SERVED_WITHIN_SECONDS = 20.0

# The sequential test: the additional share of failures to detect, the share that is always tolerated, the confidence of the
# share before the switch (1.64 standard deviations: 95 %), and the odds that decide (e^7: 1,100 to 1). By simulation, at
# `RATE` requests a second: with as many errors as before, one bake of a minute in 300 is rolled back; five percentage points
# more are found in five seconds on average.
WORSE_BY = 0.05
ALWAYS_TOLERATED = 0.015
DEVIATIONS = 1.64
DECIDES_AT = 7.0

FAILED, REFUSED, OLD_COLOR = "failed", "were refused", "were answered by the old color"


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
class Observation:
    """One observation: the response to a request, the outcome of a check, or only the time.

    `at` and `sent` are seconds since the watch began; `sent` is when the request of `response` was sent.
    """

    at: float
    sent: float = 0.0
    response: Response | None = None
    check: smoke.Check | None = None
    outcome: smoke.Outcome | None = None


@dataclass(frozen=True, kw_only=True)
class Before:
    """The old color before the switch: requests by kind, the slowest successful response (s), and the checks that passed."""

    color: str
    counts: Mapping[str, Counts]
    slowest_seconds: float = 0.0
    passing: tuple[smoke.Check, ...] = ()

    @property
    def patience_seconds(self) -> float:
        """How long a request may take after the switch."""
        return min(LONGEST_SECONDS, max(PATIENCE_SECONDS, 2 * self.slowest_seconds))


class Score:
    """A sequential test (Wald's, as a CUSUM) of whether more requests fail than before.

    The score is a log likelihood ratio: `WORSE_BY` more failures than before, against as many as before. A failure raises it,
    a success lowers it, never below 0. At `DECIDES_AT` the requests since the score was 0 are e^`DECIDES_AT` times likelier
    with more failures. The share before is the upper bound of its estimate (Wilson's interval, `DEVIATIONS`), and at least
    `ALWAYS_TOLERATED`.
    """

    def __init__(self, before: Counts) -> None:
        self._before = before
        usual = min(0.99, max(ALWAYS_TOLERATED, _upper_bound(before)))
        worse = min(usual + WORSE_BY, (1 + usual) / 2)
        self._failure, self._success = math.log(worse / usual), math.log((1 - worse) / (1 - usual))
        self._level = 0.0
        self._requests = self._failed = 0

    def take(self, is_failed: bool) -> None:
        """Counts one request."""
        self._level += self._failure if is_failed else self._success
        self._requests, self._failed = self._requests + 1, self._failed + is_failed
        if self._level <= 0:
            self._level, self._requests, self._failed = 0.0, 0, 0

    @property
    def is_worse(self) -> bool:
        return self._level >= DECIDES_AT

    @property
    def counts(self) -> Counts:
        """The requests since the score was 0 last, by which it decides."""
        return Counts(requests=self._requests, failed=self._failed)


def _upper_bound(counts: Counts) -> float:
    """The largest share of failures that `counts` allow (Wilson's score interval)."""
    if not counts.requests:
        return 0.0
    share, over = counts.failed / counts.requests, DEVIATIONS**2 / counts.requests
    return (share + over / 2 + math.sqrt(share * (1 - share) * over + over**2 / 4)) / (1 + over)


def kind(endpoint: Endpoint, response: Response, color: str, old: str = "") -> str:
    """What is wrong with a response that `color` should have given, after `old`; empty if nothing is."""
    if response.is_served and serves(endpoint, response, color):
        return REFUSED if response.status >= 400 else ""
    return OLD_COLOR if response.is_served and old and response.color == old else FAILED


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How a watch ended, after how many seconds, and all requests that counted.

    `worse` says why the new color is worse; `unserved` is the last response if users are not, or no longer, served by it. Both
    are empty if all is well.
    """

    seconds: float
    counts: Counts
    worse: str = ""
    unserved: str = ""


@dataclass
class Watch:
    """Judges the observations of `color` after the switch, one by one, for `seconds`."""

    endpoint: Endpoint
    color: str
    before: Before
    seconds: float
    is_served: bool = False
    _row: int = 0
    _lost: int = 0
    _counts: Counts = field(default_factory=Counts)
    _other: str = ""
    _checks: dict[smoke.Check, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._scores = {problem: Score(self.before.counts.get(problem, Counts())) for problem in (FAILED, REFUSED, OLD_COLOR)}

    @property
    def counts(self) -> Counts:
        """All requests so far that counted."""
        return self._counts

    def take(self, seen: Observation) -> Verdict | None:
        """Takes an observation. Returns the verdict as soon as there is one."""
        worse = ""
        if seen.response:
            worse = self._answered(seen.sent, seen.response)
        elif seen.check and seen.outcome:
            worse = self._checked(seen.check, seen.outcome)
        if worse:
            return Verdict(seconds=seen.at, counts=self._counts, worse=worse)
        is_late = not self.is_served and seen.at >= SERVED_WITHIN_SECONDS
        if is_late or self._scores[OLD_COLOR].is_worse:
            return Verdict(seconds=seen.at, counts=self._counts, unserved=self._other or "no response")
        return Verdict(seconds=seen.at, counts=self._counts) if self.is_served and seen.at >= self.seconds else None

    def _answered(self, sent: float, response: Response) -> str:
        what = kind(self.endpoint, response, self.color, self.before.color)
        self._other = str(response) if what else self._other
        self._row = 0 if what in (FAILED, OLD_COLOR) else self._row + 1
        self.is_served = self.is_served or self._row >= IN_A_ROW
        if self._is_of_the_switch(sent, what):
            return ""
        for problem, score in self._scores.items():
            score.take(what == problem)
        self._counts = Counts(requests=self._counts.requests + 1, failed=self._counts.failed + (what == FAILED))
        worse = next((problem for problem in (FAILED, REFUSED) if self._scores[problem].is_worse), "")
        return self._why(worse) if worse else ""

    def _is_of_the_switch(self, sent: float, what: str) -> bool:
        """Whether a response may come from the switch itself, so that it says nothing about the new color."""
        if what == OLD_COLOR and not self.is_served:
            return True
        if what == FAILED and sent < SWITCH_SECONDS and self._lost < SWITCH_LOSSES:
            self._lost += 1
            return True
        return False

    def _why(self, what: str) -> str:
        now, before = self._scores[what].counts, self.before.counts.get(what, Counts())
        return (
            f"{now.failed} of {now.requests} requests {what}, the last one with {self._other}; "
            f"before the switch {before.failed} of {before.requests}"
        )

    def _checked(self, check: smoke.Check, outcome: smoke.Outcome) -> str:
        self._checks[check] = self._checks.get(check, 0) + 1 if outcome.failure else 0
        if self._checks[check] < CHECK_FAILURES:
            return ""
        return f"{outcome.name}, which passed before the switch: {outcome.failure}"


def before_seconds(bake_seconds: float) -> float:
    """How long to watch before the switch, for a watch of `bake_seconds` afterwards."""
    return max(LEAST_BEFORE_SECONDS, min(BEFORE_SECONDS, bake_seconds))


def before(endpoint: Endpoint, color: str, checks: Sequence[smoke.Check], seconds: float = BEFORE_SECONDS) -> Before:
    """Runs each check once, and watches the color that serves now for `seconds`, and until every request has a response."""
    passing = tuple(check for check in checks if not smoke.run(check, endpoint).failure)
    return counted(endpoint, color, passing, requests(endpoint, LONGEST_SECONDS, seconds=seconds))


def counted(endpoint: Endpoint, color: str, passing: tuple[smoke.Check, ...], seen: Iterable[Observation]) -> Before:
    """What was seen of `color` before the switch, counted."""
    responses = [observation.response for observation in seen if observation.response]
    kinds = [kind(endpoint, response, color) for response in responses]
    counts = {problem: Counts(requests=len(kinds), failed=kinds.count(problem)) for problem in (FAILED, REFUSED, OLD_COLOR)}
    good = [response.seconds for response, what in zip(responses, kinds, strict=True) if what != FAILED]
    return Before(color=color, counts=counts, slowest_seconds=max(good, default=0.0), passing=passing)


def watch(
    watched: Watch, seen: Iterable[Observation], on_served: Callable[[], None], report: Callable[[float, Counts], None]
) -> Verdict:
    """Judges observations until there is a verdict.

    Calls `on_served` once, when the new color serves users, and `report` about every five seconds.
    """
    is_reported, next_report = False, 5.0
    verdict = Verdict(seconds=0.0, counts=Counts(), unserved="no response")
    for observation in seen:
        if found := watched.take(observation):
            verdict = found
        if watched.is_served and not is_reported:
            is_reported = True
            on_served()
        if found:
            break
        if observation.at >= next_report:
            next_report = observation.at + 5
            report(observation.at, watched.counts)
    return verdict


def requests(
    endpoint: Endpoint, patience_seconds: float, *, seconds: float = math.inf, checks: Sequence[smoke.Check] = ()
) -> Iterator[Observation]:
    """Sends `RATE` requests a second for `seconds` and runs the checks beside them. Yields the observations as they come.

    No request waits for another one. A request fails after `patience_seconds`. Ends with the last response.
    """
    inbox: queue.SimpleQueue[Observation] = queue.SimpleQueue()
    over = threading.Event()
    began = time.monotonic()

    def passed() -> float:
        return time.monotonic() - began

    def send(sent: float) -> None:
        response = get(endpoint, seconds=patience_seconds)
        inbox.put(Observation(at=passed(), sent=sent, response=response))

    def check() -> None:
        while checks and not over.wait(CHECK_EVERY_SECONDS):
            for smoke_test in checks:
                outcome = smoke.run(smoke_test, endpoint)
                inbox.put(Observation(at=passed(), check=smoke_test, outcome=outcome))

    in_background(check)
    due, waiting, latest, stalled = 0.0, 0, 0.0, -1.0
    # A request without a response long after its time hangs in the name lookup, which has no time limit of its own.
    until = seconds + patience_seconds + 1
    try:
        while (now := passed()) < seconds or (waiting and now < until):
            if due <= now < seconds:
                if waiting < MOST_AT_ONCE:
                    in_background(lambda sent=now: send(sent))
                    waiting += 1
                # Requests that were missed while this process had no CPU time are not sent later.
                due = max(due + 1 / RATE, now)
            try:
                seen = inbox.get(timeout=max(0.001, due - passed()) if now < seconds else 0.1)
            except queue.Empty:
                seen = Observation(at=passed())
            latest, gap = passed(), passed() - latest
            stalled = latest if gap > STALL_SECONDS else stalled
            waiting -= seen.response is not None
            is_ours = seen.response is not None and seen.response.is_late and seen.sent <= stalled
            yield Observation(at=seen.at) if is_ours else seen
    finally:
        over.set()
