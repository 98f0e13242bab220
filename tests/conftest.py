"""Fixtures for the tests that need a cluster. They fail without one, and are never skipped."""

import os
import signal
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import chance, vault, work
from tests.cluster import ROOT, NoClusterError, SandboxCluster, connect
from tests.stack import SandboxEnvironment, environment_of_its_own

# A slow host must not fail a property. Hypothesis prints how to reproduce what it has found.
hypothesis.settings.register_profile(
    "any host", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any host")

# Chosen before any process for parallel tests begins.
chance.seed()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Gives Hypothesis the seed of the run, if the command line does not."""
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = str(chance.seed())


_FIGURES = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session", autouse=True)
def tools_on_path() -> Iterator[None]:
    """The load generator is found as a shell finds it that has sourced `.sandbox/env`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{ROOT / '.sandbox' / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Whoever runs the tests in the background: a shell's job ignores Ctrl-C there, and so would the engine, which then waits
    five seconds for its plugins to end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxCluster]:
    """The cluster that `make sandbox` has made ready."""
    try:
        found = connect()
    except NoClusterError as error:
        pytest.fail(str(error), pytrace=False)
    with vault.serving() as address:
        yield SandboxCluster({**found.variables, **address, **work.cheaper(tmp_path_factory.mktemp("cheaper"))})


class Environments:
    """Makes environments of the test's own, each with the config it is given; they are gone when the test is over."""

    def __init__(self, cluster: SandboxCluster, directory: Path, until_the_end: ExitStack) -> None:
        self.made: list[SandboxEnvironment] = []
        self._cluster, self._directory, self._until_the_end = cluster, directory, until_the_end

    def __call__(self, config: Mapping[str, object]) -> SandboxEnvironment:
        directory = self._directory / f"environment-{len(self.made)}"
        own = self._until_the_end.enter_context(environment_of_its_own(self._cluster, directory, config))
        self.made.append(own)
        return own


@pytest.fixture
def new_environment(cluster: SandboxCluster, tmp_path: Path) -> Iterator[Environments]:
    with ExitStack() as until_the_end:
        yield Environments(cluster, tmp_path, until_the_end)


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Takes a line of what a test has measured; all of them are shown at the end of the run."""
    return request.config.stash.setdefault(_FIGURES, []).append


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Sends the figures of a parallel process to the one that shows them."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = session.config.stash.get(_FIGURES, [])
        session.config.workeroutput["work"] = dict(work.done)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes the figures of a parallel process that has ended."""
    output = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(_FIGURES, []).extend(output.get("figures", []))
    work.done.update(output.get("work", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"{chance.VARIABLE}={chance.seed()}: what tests left to chance in this run")
    lines = [*terminalreporter.config.stash.get(_FIGURES, []), *([work.summary(work.done)] if work.done else [])]
    if lines:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join(lines) + "\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to a failure what its environments look like, before they are deleted."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            made = value.made if isinstance(value, Environments) else [value] if isinstance(value, SandboxEnvironment) else []
            report.sections += [(f"environment {each.name}", each.evidence()) for each in made]
    return report
