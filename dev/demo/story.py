"""The steps of one release, blue 1.0 to green 2.0, there and back, and what users saw of each."""

from collections.abc import Mapping
from dataclasses import dataclass

from dev.traffic.answers import Answers
from dev.traffic.report import cut_over, totals


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
