"""istiod is stopped: the route is written, and the proxies never hear of it. Nobody claims that users were moved."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import ROOT
from tests.command import Operator
from tests.conftest import Environments
from tests.engine.onlookers import served_by
from tests.stack import BOTH_COLORS

pytestmark = pytest.mark.alone


@contextlib.contextmanager
def istiod_stopped() -> Iterator[None]:
    """Stops the istiod of this sandbox, and lets it go on afterwards."""
    program = os.fsencode((ROOT / ".sandbox" / "bin").resolve() / "pilot-discovery")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cmdline").read_bytes().split(b"\0")[0] == program:
                found.append(int(entry.name))
    assert found, f"no process runs {program!r}"
    try:
        for pid in found:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in found:
            os.kill(pid, signal.SIGCONT)


def test_a_route_that_is_not_applied_is_found_by_the_program_the_command_and_the_status(
    new_environment: Environments,
) -> None:
    environment = new_environment(BOTH_COLORS | {"bluegreen:replicas": 1, "bluegreen:verify": True})
    environment.set({"bluegreen:url": environment.cluster.gateway_url})
    operator = Operator(environment)
    environment.up()
    assert environment.users.served_by() == "blue"
    with istiod_stopped(), served_by(environment, "blue"):
        environment.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
        failed = environment.up(succeeds=False)
        assert "Users are not served by green" in failed.text
        assert "seen:  status 200 by blue" in failed.text

        status = operator.run("status", "--json").lines[0]
        assert (status["active"], status["served"]["colors"], status["drift"]) == ("green", {"blue": 8}, [])
        shown = operator.run("status").out
        assert "served: blue answered 8 of 8 requests" in shown
        assert "the route sends users to green, but blue answered 8 of 8 requests" in shown
        assert "users: green (by the route)" in operator.run("up").out  # it writes nothing, and asks nobody

        environment.set({"bluegreen:activeColor": "blue", "bluegreen:testColor": "green", "bluegreen:verify": None})
        assert "users: blue (verified)" in operator.run("up").out
        environment.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
        unserved = operator.run("up", status=10)
        assert "are not served by green" in unserved.err
        assert "seen:  status 200 by blue" in unserved.err
        assert "The route sends users to green." in unserved.err
    environment.users.wait_for("green")
