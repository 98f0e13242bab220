"""One measurement: a move of users by a contestant's commands, seen by requests that come all the while.

The load goes over kept-alive and over new connections, both counted together. A move has ended when
  1. every command has ended,
  2. the new color answers, and
  3. the old color has not answered for a second.
"""

import os
import subprocess
import time
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bluegreen.probe import wait_for
from bluegreen.release.endpoint import Endpoint
from dev.bench.cluster import LONGEST_SECONDS, BenchError
from dev.bench.contestants.base import SWITCH, Command, Contestant, Move
from dev.bench.samples import Sample, Timeline
from dev.traffic.answers import Answers
from dev.traffic.load import MAX_SECONDS, Load
from dev.traffic.report import CutOver, cut_over, histogram, totals

NS = 1_000_000_000
QUIET_SECONDS = 0.5  # between what was before and the command
BIN_MS = 25
RATES = (2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000)
MOST_NEW = 100  # new connections a second
COLOR_HEADER = "x-served-by"  # the sample application's own, so all contestants are told apart by the same word


def _wait_until_served(host: str, color: str) -> None:
    """Waits until `color` serves `host`: what a contestant has just made may not have reached the gateway yet.

    Raises BenchError when it does not.
    """
    waited = wait_for(Endpoint(url=os.environ["GATEWAY_URL"], host=host, color_header=COLOR_HEADER), color)
    if not waited.is_served:
        raise BenchError(f"users of {host} are not served by {color} after {waited.seconds:.0f} s: {waited.last_other}")


class Users:
    """Requests at `rate` a second to one host of the gateway, half of them, but at most `MOST_NEW`, each on a connection of
    its own. They come when `color` serves the host, and not before; BenchError when it does not.

    A connection for one request costs the machine as much as many others, and keeps a port for a minute after its end: long
    before the last one is taken, the kernel spends all its time looking for a free one.
    """

    def __init__(self, host: str, color: str, rate: int, seconds: float = MAX_SECONDS) -> None:
        self._host, self._color = host, color
        url = os.environ["GATEWAY_URL"] + "/"
        gateway = {urlsplit(url).hostname or ""}
        new = min(rate // 2, MOST_NEW)
        halves = {True: rate - new, False: new}
        self._loads = [
            Load(url, rate=half, seconds=seconds, keep_alive=is_kept, host=host, color_header=COLOR_HEADER, allowed=gateway)
            for is_kept, half in halves.items()
            if half
        ]

    def __enter__(self) -> Self:
        _wait_until_served(self._host, self._color)
        for load in self._loads:
            load.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> Answers:
        """Stops, and returns the answers of both halves."""
        return merged([load.stop() for load in self._loads])

    def served_last_second(self) -> dict[str, int]:
        """Answers per color, of about the last second."""
        counts: dict[str, int] = {}
        for load in self._loads:
            for color, count in load.live().per_second.items():
                counts[color] = counts.get(color, 0) + count
        return counts

    def wait_for(self, move: Move, seconds: float = LONGEST_SECONDS) -> None:
        """Waits until users have moved. Raises BenchError when they have not."""
        deadline = time.monotonic() + seconds
        while (served := self.served_last_second()).get(move.old) or not served.get(move.new):
            if time.monotonic() > deadline:
                raise BenchError(f"users have not moved from {move.old} to {move.new} after {seconds:.0f} s: {served}")
            time.sleep(0.1)


def merged(parts: Sequence[Answers]) -> Answers:
    """The rows of all parts."""
    return Answers(
        started=array("q", [value for part in parts for value in part.started]),
        ended=array("q", [value for part in parts for value in part.ended]),
        status=array("H", [value for part in parts for value in part.status]),
        color=[value for part in parts for value in part.color],
        error=[value for part in parts for value in part.error],
    )


@dataclass(frozen=True, kw_only=True)
class Span:
    """When the commands of one operation began and ended, as of `time.time_ns()`."""

    began_ns: int
    ended_ns: int


def run(commands: Sequence[Command]) -> Span:
    """Runs the commands one after the other. Raises BenchError with the output of one that fails or hangs."""
    began = time.time_ns()
    for command in commands:
        _run(command)
    return Span(began_ns=began, ended_ns=time.time_ns())


def _run(command: Command) -> None:
    process = subprocess.Popen(
        command.arguments,
        cwd=command.directory,
        env={**os.environ, **command.variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            said, _ = process.communicate(timeout=LONGEST_SECONDS)
        except BaseException:
            process.kill()
            raise
    if process.returncode not in command.statuses:
        raise BenchError(f"'{command}' ended with status {process.returncode}:\n{said.strip()}")


def timed(base: Sample, commands: Sequence[Command]) -> Sample:
    """Measures how long the commands take when nothing else goes on. Raises BenchError when one fails."""
    time.sleep(QUIET_SECONDS)
    span = run(commands)
    return replace(base, end=_seconds(span.ended_ns, span))


def observe(base: Sample, host: str, move: Move, rate: int) -> Sample:
    """Measures `move` under `rate` requests a second to `host`; `base` says what it is a sample of.

    Raises BenchError when nobody is served before, a command fails, or users do not move; the load is stopped in any case.
    """
    with Users(host, move.old, rate) as users:
        time.sleep(QUIET_SECONDS)
        span = run(move.commands)
        users.wait_for(move)
        answers = users.stop()
    return judge(base, move, span, answers)


def judge(base: Sample, move: Move, span: Span, answers: Answers) -> Sample:
    """The sample of one move out of all the answers around it."""
    moved = cut_over(answers.between(span.began_ns, max(answers.ended) + 1), move.old, move.new)
    if moved is None:
        raise BenchError(f"no answer of {move.old} or of {move.new} was seen after the command's start")
    counted = totals(answers)
    return replace(
        base,
        old=move.old,
        new=move.new,
        first_new=_seconds(moved.first_new_ns, span),
        last_old=_seconds(moved.last_old_ns, span),
        end=_seconds(span.ended_ns, span),
        cut_over_ms=round(moved.milliseconds, 3),
        late=moved.late,
        requests=counted.requests,
        failed=counted.failed,
        errors=counted.errors,
        timeline=timeline(answers, span, moved),
    )


def _seconds(at_ns: int, span: Span) -> float:
    return round((at_ns - span.began_ns) / NS, 4)


def timeline(answers: Answers, span: Span, moved: CutOver) -> Timeline:
    """The answers from half a second before the command to a second and a half after the move, or ten seconds at the most."""
    since = span.began_ns - NS // 2
    until = min(max(moved.last_old_ns, span.ended_ns) + NS * 3 // 2, since + 10 * NS)
    bins = histogram(answers.between(since, until), BIN_MS)
    return Timeline(
        first_ms=round((bins.start_ns - span.began_ns) / 1e6, 3),
        bin_ms=BIN_MS,
        succeeded=bins.succeeded,
        failed=bins.failed,
    )


def observe_many(base: Sample, contestant: Contestant, rate: int, requests: int) -> tuple[list[Sample], BenchError | None]:
    """Measures switches one after the other under one load, until it has sent `requests`, or for nine minutes.

    Returns the samples, and the error that ended them too early: a command that failed, or users who did not move. Raises
    BenchError when nobody is served before.
    """
    done: list[tuple[Move, Span]] = []
    failure = None
    with Users(contestant.host, contestant.live, rate) as users:
        until = time.monotonic() + min(MAX_SECONDS - 60, requests / rate)
        while time.monotonic() < until and not failure:
            began_ns = time.time_ns()
            try:
                done.append(_switch(contestant, users))
            except BenchError as error:
                failure = error
        answers = users.stop()
    end_ns = began_ns if failure else max(answers.ended) + 1
    # Every answer is of one switch: the first takes what came before it as well, the last what came after.
    windows = list(pairwise([0, *(span.began_ns - NS // 2 for _, span in done[1:]), end_ns]))[: len(done)]
    return [judge(base, move, span, answers.between(*each)) for (move, span), each in zip(done, windows, strict=True)], failure


def _switch(contestant: Contestant, users: Users) -> tuple[Move, Span]:
    contestant.prepare(SWITCH)
    move = contestant.move(SWITCH)
    span = run(move.commands)
    users.wait_for(move)
    contestant.live = move.new
    return move, span


def bearable_rate(host: str, color: str) -> int:
    """The highest rate at which the machine still answers in time when nothing else goes on, found in steps of three seconds.

    In time: at least 98 % of the rate is answered, nothing fails, and 99 % of the answers take less than 50 ms. Raises
    BenchError when `color` does not serve the host.
    """
    best = RATES[0]
    for rate in RATES:
        with Users(host, color, rate, seconds=3) as users:
            time.sleep(3)
            answers = users.stop()
        took = sorted(ended - started for started, ended in zip(answers.started, answers.ended, strict=True))
        is_slow = took[len(took) * 99 // 100] > 50_000_000
        if is_slow or totals(answers).failed or len(answers) < 0.98 * 3 * rate:
            break
        best = rate
    return best
