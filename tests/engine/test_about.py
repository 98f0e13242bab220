"""Two runners, each with a checkout of its own: a subcommand of the one that is behind changes nothing but what it is about."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from bluegreen.release.refusals import Rule, mark
from tests.cluster import SandboxCluster
from tests.command import LONGEST_SECONDS, Operator
from tests.engine.onlookers import served_by, undisturbed
from tests.stack import BOTH_COLORS, environment_of_its_own


@pytest.fixture(scope="module")
def runner(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """A runner with the checkout that is up to date: users on blue, testers on green."""
    config = BOTH_COLORS | {"bluegreen:replicas": 1}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("runner"), config) as environment:
        operator = Operator(environment)
        operator.run("up")
        environment.users.wait_for("blue")
        yield operator


def waits_for_the_lock(process: "subprocess.Popen[str]") -> bool:
    """Reads the JSON lines of a command until it says that it waits; False when it ends instead."""
    assert process.stdout
    return any('"waiting for ' in line for line in process.stdout)


@contextmanager
def stopped(process: "subprocess.Popen[str]") -> Iterator[None]:
    """The process does nothing meanwhile."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_a_deploy_that_waited_for_a_switch_of_another_runner_does_not_move_users_back(runner: Operator, tmp_path: Path) -> None:
    environment, behind = runner.environment, runner.elsewhere(tmp_path)
    before = behind.config()
    environment.locks.mkdir(parents=True, exist_ok=True)
    lock = environment.locks / "11111111-2222-3333-4444-555555555555.json"
    lock.write_text('{"pid": 1, "username": "ada", "hostname": "elsewhere", "timestamp": "2026-01-02T03:04:05Z"}')
    late = behind.start("deploy", "blue", "--image", "1.0", "--json")
    assert waits_for_the_lock(late)
    with ExitStack() as until_the_end:
        with stopped(late):
            lock.unlink()
            runner.run("activate", "green")
            until_the_end.enter_context(served_by(environment, "green"))
        out, err = late.communicate(timeout=LONGEST_SECONDS)
        assert late.returncode == 13, out + err
        assert Rule.ABOUT in out
        assert "bluegreen deploy blue, but the config also asks for users from green to blue" in out
        assert "git pull" in out
        assert behind.config() == before
        behind.run("deploy", "blue", "--image", "1.0", "--from-state")
    runner.run("activate", "blue")
    environment.users.wait_for("blue")


def test_a_switch_from_a_checkout_that_is_behind_deploys_nothing(runner: Operator, tmp_path: Path) -> None:
    behind = runner.elsewhere(tmp_path)
    before = behind.config()
    runner.run("deploy", "green", "--image", "3.0")
    with undisturbed(runner.environment):
        refused = behind.run("activate", "green", status=13)
    assert f"Refused {mark(Rule.ABOUT)}: {Rule.ABOUT.sentence}" in refused.err
    assert "new pods of green" in refused.err
    assert "users stay on blue" in refused.err
    assert behind.config() == before


def test_a_deploy_from_a_checkout_that_is_behind_does_not_scale_the_live_color(runner: Operator, tmp_path: Path) -> None:
    environment, behind = runner.environment, runner.elsewhere(tmp_path)
    environment.set({"blue:replicas": 2})
    runner.run("up")
    with served_by(environment, "blue"):
        refused = behind.run("deploy", "green", "--image", "2.0", status=13)
        assert "a change of Deployment myapp-blue" in refused.err
        assert environment.get("deployment", "myapp-blue")["spec"]["replicas"] == 2
