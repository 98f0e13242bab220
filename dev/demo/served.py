"""Waiting until a color serves, on a host however slow.

How long a route takes to reach the proxy depends on the host, and so does how long a request takes. So the wait is bounded by
what is seen and not by the clock. It ends when
  1. the color has served `IN_A_ROW` requests in a row, or
  2. `MOST_OTHERS` requests were not served by it, about 12 s of them on an idle host, or
  3. nobody has answered at all for `LONGEST_SILENCE_SECONDS`.
"""

import time

from bluegreen.probe import get, serves
from bluegreen.release.endpoint import Endpoint
from dev.demo.stack import NAMESPACE, DemoError

IN_A_ROW = 20
MOST_OTHERS = 500
LONGEST_SILENCE_SECONDS = 60.0
_PAUSE_SECONDS = 0.02


def wait_until_served(endpoint: Endpoint, color: str) -> None:
    """Wait until `color` serves at `endpoint`. Raises `DemoError` if it does not, with what was seen instead."""
    row, others, answered_at = 0, 0, time.monotonic()
    while row < IN_A_ROW:
        answer = get(endpoint)
        if not answer.error:
            answered_at = time.monotonic()
        if serves(endpoint, answer, color):
            row += 1
            continue
        row, others = 0, others + 1
        silent_seconds = time.monotonic() - answered_at
        if others >= MOST_OTHERS or silent_seconds > LONGEST_SILENCE_SECONDS:
            raise DemoError(
                f"{endpoint.url} is not served by {color}: {others} requests were not, the last of them: {answer}.\n"
                f"See who serves what: kubectl get all --namespace {NAMESPACE}"
            )
        time.sleep(_PAUSE_SECONDS)
