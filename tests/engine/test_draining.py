"""Requests that take long end well on the color that took them up, whatever happens to it meanwhile."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.request import Request, urlopen

import pytest

from tests.cluster import SandboxCluster, eventually
from tests.engine.onlookers import pods
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

SLOW_SECONDS = 5
SECONDS_BETWEEN = 0.5


@dataclass(frozen=True, kw_only=True)
class Slow:
    """A slow request: when it was sent and answered, by the monotonic clock, and what the answer was."""

    sent: float
    answered: float
    status: int
    color: str


@pytest.fixture(scope="module")
def standing(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """Users on blue, testers on green."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), BOTH_COLORS) as environment:
        environment.up()
        environment.users.wait_for("blue")
        environment.testers.wait_for("green")
        yield environment


def slow(environment: SandboxEnvironment, cookie: str) -> Slow:
    headers = {"Host": environment.host, "Cookie": cookie}
    request = Request(f"{environment.cluster.gateway_url}/slow?seconds={SLOW_SECONDS}", headers=headers)
    sent = time.monotonic()
    with urlopen(request, timeout=SLOW_SECONDS + 15) as answer:
        answer.read()
        return Slow(sent=sent, answered=time.monotonic(), status=answer.status, color=answer.headers["x-served-by"])


def slow_ones_until(happened: Callable[[], None], environment: SandboxEnvironment, cookie: str = "theme=dark") -> set[str]:
    """Sends slow requests one after the other until something has happened; the colors that served those in flight then."""
    over = threading.Event()

    def wait() -> float:
        try:
            happened()
            return time.monotonic()
        finally:
            over.set()

    with ThreadPoolExecutor(max_workers=200) as users:
        moment = users.submit(wait)
        sent = [users.submit(slow, environment, cookie)]
        while not over.wait(SECONDS_BETWEEN):
            sent.append(users.submit(slow, environment, cookie))
    answers = [each.result() for each in sent]
    assert {each.status for each in answers} == {200}
    return {each.color for each in answers if each.sent < moment.result() < each.answered}


def test_requests_in_flight_survive_the_switch_and_the_retirement_of_their_color(standing: SandboxEnvironment) -> None:
    def switched() -> None:
        standing.activate("green")
        standing.users.wait_for("green")

    assert "blue" in slow_ones_until(switched, standing)

    def told_to_leave() -> None:
        eventually(lambda: len(pods(standing, "blue")), 0, seconds=60)  # those on their way out do not count

    with ThreadPoolExecutor() as aside:
        update = aside.submit(standing.retire, "blue")
        assert "blue" in slow_ones_until(told_to_leave, standing, cookie="test=true")
        update.result()
