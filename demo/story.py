"""The steps of one release, blue 1.0 to green 2.0, there and back, and what users saw of each."""

import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from traffic.answers import Answers
from traffic.report import cut_over, totals


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: its name, the change of config it is, and which colors it moves users from and to, if any."""

    name: str
    change: Mapping[str, str | None]
    moves: tuple[str, str] | None = None


FIRST = Step(name="blue 1.0 serves", change={})

STEPS = (
    Step(name="deploy green 2.0", change={"green:imageTag": "2.0"}),
    Step(name="test green", change={"testColor": "green"}),
    Step(name="activate green", change={"activeColor": "green", "testColor": "blue"}, moves=("blue", "green")),
    Step(name="roll back", change={"activeColor": "blue", "testColor": "green"}, moves=("green", "blue")),
    Step(name="activate again", change={"activeColor": "green", "testColor": "blue"}, moves=("blue", "green")),
    Step(name="retire blue", change={"testColor": None, "blue:imageTag": None}),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one step cost: seconds of its commands, and the requests answered from its start to the next step's."""

    name: str
    seconds: float
    requests: int
    failed: int
    cut_over_ms: float | None


def outcome(step: Step, seconds: float, answers: Answers) -> Outcome:
    """`answers` are those from the step's start to the next step's start."""
    counted = totals(answers)
    moved = cut_over(answers, *step.moves) if step.moves else None
    return Outcome(
        name=step.name,
        seconds=round(seconds, 2),
        requests=counted.requests,
        failed=counted.failed,
        cut_over_ms=round(moved.milliseconds, 2) if moved else None,
    )


def served_by(url: str, header: str, cookie: str = "") -> str:
    """The color that serves one request to `url`, or nothing when the answer names none."""
    request = urllib.request.Request(url, headers={"Cookie": cookie} if cookie else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(answer.headers.get(header, ""))
    except OSError:
        return ""


def wait_until_served(url: str, color: str, header: str, cookie: str = "", in_a_row: int = 20) -> bool:
    """Whether `color` serves `in_a_row` requests in a row within ten seconds: the data plane has taken the route up."""
    deadline = time.monotonic() + 10
    row = 0
    while row < in_a_row and time.monotonic() < deadline:
        row = row + 1 if served_by(url, header, cookie) == color else 0
        if not row:
            time.sleep(0.02)
    return row >= in_a_row
