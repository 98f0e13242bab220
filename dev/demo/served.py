"""Waits until a color serves, on a host of any speed.

How long the proxy takes to apply a route, and a request to get its response, depends on the host. So responses end the wait,
not a timeout. It ends when
  1. the color has served `IN_A_ROW` requests in a row, or
  2. `MOST_OTHERS` requests were not served by it (about 12 s on an idle host), or
  3. there was no response at all for `LONGEST_SILENCE_SECONDS`.
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
    """Waits until `color` serves at `endpoint`. Raises `DemoError` with the last other response if it does not."""
    row, others, last_response = 0, 0, time.monotonic()
    while row < IN_A_ROW:
        response = get(endpoint)
        if not response.error:
            last_response = time.monotonic()
        if serves(endpoint, response, color):
            row += 1
            continue
        row, others = 0, others + 1
        silent_seconds = time.monotonic() - last_response
        if others >= MOST_OTHERS or silent_seconds > LONGEST_SILENCE_SECONDS:
            raise DemoError(
                f"{color} does not serve {endpoint.url}: it did not serve {others} requests. The last one: {response}.\n"
                f"Check the route and the pods: kubectl get all --namespace {NAMESPACE}"
            )
        time.sleep(_PAUSE_SECONDS)
