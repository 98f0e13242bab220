"""Made-up responses, for tests without traffic."""

from collections.abc import Iterable
from typing import NamedTuple

from hypothesis import strategies

from dev.traffic.answers import Answers

NS_PER_MS = 1_000_000


class Made(NamedTuple):
    """One answer: when it ended and how long it took, in milliseconds."""

    ended_ms: float
    color: str = "blue"
    error: str = ""
    took_ms: float = 1


def answers(rows: Iterable[Made]) -> Answers:
    made = Answers()
    for row in rows:
        ended = round(row.ended_ms * NS_PER_MS)
        made.append(ended - round(row.took_ms * NS_PER_MS), ended, 503 if row.error else 200, row.color, row.error)
    return made


ROWS = strategies.lists(
    strategies.builds(
        Made,
        ended_ms=strategies.integers(0, 5_000),
        color=strategies.sampled_from(["blue", "green", ""]),
        error=strategies.sampled_from(["", "", "status 503"]),
        took_ms=strategies.integers(0, 900),
    ),
    max_size=60,
)
