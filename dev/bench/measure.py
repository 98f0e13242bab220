"""One measurement: a move of users by a contestant's commands, seen by requests that come all the while.

A move has ended when
  1. every command has ended,
  2. the new color answers, and
  3. the old color has not answered for a second.
"""

import os
import time
from dataclasses import replace
from urllib.parse import urlsplit

from bluegreen.probe import wait_for
from bluegreen.release.endpoint import Endpoint
from dev.bench.cluster import LONGEST_SECONDS, BenchError
from dev.bench.contestants.base import Contestant
from dev.bench.results import Sample
from dev.traffic.answers import Answers
from dev.traffic.load import MAX_SECONDS, Load
from dev.traffic.report import cut_over, totals

QUIET_SECONDS = 0.5  # between the first request and the command
COLOR_HEADER = "x-served-by"  # the sample application's own, so that all contestants are measured by the same header


def observe(contestant: Contestant, kind: str, load: str, rate: int) -> Sample:
    """Moves the users of `contestant` under `rate` requests a second, and measures what they see.

    Raises BenchError if the live color does not serve before, a command fails, or users do not move; the load is then stopped.
    """
    contestant.prepare(kind)
    url, host, old, new = os.environ["GATEWAY_URL"], contestant.host, contestant.live, contestant.idle
    waited = wait_for(Endpoint(url=url, host=host, color_header=COLOR_HEADER), old)
    if not waited.is_served:
        raise BenchError(f"{old} does not serve {host} after {waited.seconds:.0f} s: {waited.last_other}")
    commands = contestant.move(kind)
    gateway = {urlsplit(url).hostname or ""}
    with Load(f"{url}/", rate=rate, seconds=MAX_SECONDS, host=host, color_header=COLOR_HEADER, allowed=gateway) as users:
        time.sleep(QUIET_SECONDS)
        began_ns = time.time_ns()
        for command in commands:
            command.run()
        ended_ns = time.time_ns()
        deadline = time.monotonic() + LONGEST_SECONDS
        while (served := users.live().per_second).get(old) or not served.get(new):
            if time.monotonic() > deadline:
                raise BenchError(f"users have not moved from {old} to {new} after {LONGEST_SECONDS} s: {served}")
            time.sleep(0.1)
    contestant.moved()
    sample = Sample(contestant=contestant.name, kind=kind, load=load, end=_seconds(began_ns, ended_ns))
    return judge(sample, old, new, began_ns, users.stop())


def judge(sample: Sample, old: str, new: str, began_ns: int, answers: Answers) -> Sample:
    """The sample with what users saw. Raises BenchError if one of the colors has not answered since the command began."""
    moved = cut_over(answers.between(began_ns, max(answers.ended) + 1), old, new)
    if moved is None:
        raise BenchError(f"no answer of {old} or of {new} was seen after the command's start")
    counted = totals(answers)
    return replace(
        sample,
        last_old=_seconds(began_ns, moved.last_old_ns),
        cut_over_ms=round(moved.milliseconds, 3),
        requests=counted.requests,
        failed=counted.failed,
        errors=list(counted.errors),
    )


def _seconds(began_ns: int, at_ns: int) -> float:
    return round((at_ns - began_ns) / 1e9, 4)
