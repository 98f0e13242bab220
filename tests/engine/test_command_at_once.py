"""Commands that are started together, and commands that are killed: the environment always comes to what was wanted."""

import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.traffic.report import totals
from tests.chance import chance
from tests.cluster import SandboxCluster
from tests.command import LONGEST_SECONDS, Operator
from tests.engine.onlookers import by_way_of
from tests.engine.recorder import recorder
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


class Events:
    """What a command does, in requests to the API server and lines of output; it is killed at the event `last`."""

    def __init__(self) -> None:
        self.count, self._last = 0, 0
        self._process: subprocess.Popen[str] | None = None

    def add(self, _: object) -> None:
        self.count += 1
        if self._process and self._last and self.count >= self._last:
            self._process.kill()

    def of(self, process: "subprocess.Popen[str]", last: int = 0) -> int:
        """Counts the events of `process` until it has ended, and returns how many there were."""
        self.count, self._last, self._process = 0, last, process
        reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reader.start()
        process.wait(LONGEST_SECONDS)
        reader.join(LONGEST_SECONDS)
        process.communicate(timeout=LONGEST_SECONDS)
        return self.count

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.add(line)


def test_a_command_that_was_killed_is_run_again_and_users_notice_nothing(
    operator: Operator, tmp_path: Path, figures: Any
) -> None:
    """Killed once in each part of what it does, in an order and at events that BLUEGREEN_TEST_SEED chooses."""
    environment, events = operator.environment, Events()
    color = other(environment.users.served_by())
    kubeconfig = str(tmp_path / "kubeconfig")
    random = chance("killed commands")
    with (
        recorder(environment.cluster.variables, events.add) as (server, _),
        by_way_of(environment, Path(kubeconfig), server=server),
        environment.users.load(rate=100, seconds=600) as load,
    ):
        many = events.of(operator.start("activate", color, "--json", KUBECONFIG=kubeconfig))
        for part in random.sample(range(KILLS), KILLS):
            color = other(color)
            last = 1 + int(many * (part + random.random()) / KILLS)
            events.of(operator.start("activate", color, "--json", KUBECONFIG=kubeconfig), last)
            operator.run("activate", color)
            assert environment.users.served_by() == color
            assert operator.run("status", "--json").lines[0]["drift"] == []
        assert load.live().running
    counted = totals(load.stop())
    assert counted.failed == 0, counted.errors
    figures(f"{KILLS} switches killed by SIGKILL at events of {many} and run again: 0 of {counted.requests} requests failed")
