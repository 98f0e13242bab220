"""Who answers users right now, by a few real requests. What the route says is another thing: a mesh may not have applied it."""

import queue
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bluegreen.probe import Response, in_background, sample
from bluegreen.release.endpoint import Endpoint

REQUESTS = 8
SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """How `requests` were answered at `url`.

    `colors` counts the answers by the color that gave them, "" for an answer that names none. `failed` counts the requests that
    no application answered; `last_failure` says how the last of these ended.
    """

    url: str
    requests: int
    colors: Mapping[str, int]
    failed: int
    last_failure: str = ""

    def __str__(self) -> str:
        parts = [f"{color or 'an unnamed color'} answered {count}" for color, count in sorted(self.colors.items())]
        parts += [f"{self.failed} failed ({self.last_failure})"] if self.failed else []
        return f"{', '.join(parts)} of {self.requests} requests at {self.url}"

    def differs(self, *colors: str) -> bool:
        """Whether users get something else than `colors`, those of the route. Answers that name no color do not show it."""
        return bool(self.failed) or not self.colors.keys() <= {"", *colors}


def counted(url: str, answers: Sequence[Response]) -> Seen:
    """The answers of some requests at `url`, counted."""
    failures = [answer for answer in answers if not answer.is_served]
    colors = Counter(answer.color for answer in answers if answer.is_served)
    last = str(failures[-1]) if failures else ""
    return Seen(url=url, requests=len(answers), colors=dict(colors), failed=len(failures), last_failure=last)


def begin_requests(endpoint: Endpoint | None) -> Callable[[], Seen | None]:
    """Sends the requests in the background; the function it returns waits for the answers. That is None without an endpoint."""
    if endpoint is None:
        return lambda: None
    answers: queue.SimpleQueue[Sequence[Response]] = queue.SimpleQueue()
    in_background(lambda: answers.put(sample(endpoint, REQUESTS, SECONDS)))
    return lambda: counted(endpoint.url, answers.get())
