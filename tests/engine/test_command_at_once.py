"""Commands that are started together, and commands that are killed: the environment always comes to what was wanted."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.traffic.report import totals
from tests.cluster import SandboxCluster
from tests.command import LONGEST_SECONDS, Operator
from tests.stack import BOTH_COLORS, ONE_POD, environment_of_its_own, other

KILLS = 4


@pytest.fixture(scope="module")
def operator(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Blue 1.0 is live and green 2.0 ready, until a test moves users."""
    config = BOTH_COLORS | ONE_POD
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("at-once"), config) as environment:
        operator = Operator(environment)
        operator.run("up")
        environment.users.wait_for("blue")
        yield operator


@pytest.mark.parametrize("checkouts", ["one", "two"])
def test_two_switches_started_together_end_well_one_after_the_other(operator: Operator, tmp_path: Path, checkouts: str) -> None:
    target = other(operator.environment.users.served_by())
    second = operator if checkouts == "one" else operator.elsewhere(tmp_path)
    started = [runner.start("activate", target) for runner in (operator, second)]
    ended = [process.communicate(timeout=LONGEST_SECONDS) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    assert operator.environment.users.served_by() == target
    assert all(f"activeColor: {target}" in runner.config() for runner in (operator, second))


def moments(seconds: float) -> list[float]:
    """When to kill a command that takes `seconds`: once in each part of it, in any order. SEED=... chooses them again."""
    seed = int(os.environ.get("SEED", time.time_ns() % 1_000_000))
    print(f"SEED={seed} chooses these moments again")
    chance = random.Random(seed)
    chosen = [seconds * (part + chance.random()) / KILLS for part in range(KILLS)]
    chance.shuffle(chosen)
    return chosen


def test_a_command_that_was_killed_is_run_again_and_users_notice_nothing(operator: Operator, figures: Any) -> None:
    environment = operator.environment
    color = other(environment.users.served_by())
    with environment.users.load(rate=100, seconds=600) as load:
        for moment in moments(operator.run("activate", color).seconds):
            color = other(color)
            process = operator.start("activate", color)
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=LONGEST_SECONDS)
            operator.run("activate", color)
            assert environment.users.served_by() == color
            assert operator.run("status", "--json").lines[0]["drift"] == []
        assert load.live().running
    counted = totals(load.stop())
    assert counted.failed == 0, counted.errors
    figures(f"{KILLS} switches killed by SIGKILL and run again: 0 of {counted.requests} requests failed")
