"""Commands that are started together, and commands that are killed: the environment always comes to what was wanted."""

import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command import LONGEST_SECONDS, Operator
from tests.conftest import Environments
from tests.stack import BOTH_COLORS, other
from traffic.report import totals

KILLS = 20


@pytest.fixture
def operator(new_environment: Environments) -> Operator:
    """One who has blue 1.0 live and green 2.0 ready."""
    operator = Operator(new_environment(BOTH_COLORS))
    operator.run("up")
    operator.environment.users.wait_for("blue")
    return operator


@pytest.mark.parametrize("checkouts", ["one", "two"])
def test_two_switches_started_together_end_well_one_after_the_other(operator: Operator, tmp_path: Path, checkouts: str) -> None:
    second = operator if checkouts == "one" else operator.elsewhere(tmp_path)
    started = [each.start("activate", "green") for each in (operator, second)]
    ended = [process.communicate(timeout=LONGEST_SECONDS) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    assert operator.environment.users.served_by() == "green"
    assert all("activeColor: green" in each.config() for each in (operator, second))


def test_a_command_that_was_killed_is_run_again_and_users_notice_nothing(operator: Operator, figures: Any) -> None:
    environment, color = operator.environment, "blue"
    with environment.users.load(rate=100, seconds=540) as load:
        for _ in range(KILLS):
            color = other(color)
            process = operator.start("activate", color)
            time.sleep(random.uniform(0.05, 4))
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=LONGEST_SECONDS)
            operator.run("activate", color)
            assert environment.users.served_by() == color
            assert operator.run("status", "--json").lines[0]["drift"] == []
    counted = totals(load.stop())
    assert counted.failed == 0, counted.errors
    figures(f"{KILLS} switches killed by SIGKILL and run again: 0 of {counted.requests} requests failed")
