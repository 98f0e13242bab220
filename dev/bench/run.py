"""The full run: the contestants take turns, each round in another order, and load comes to one at a time.

Every controller runs all the while. A sample is written down as soon as it is taken; if an attempt fails, it is noted, the
contestant's environment is made anew, and the run goes on.
"""

import os
import platform
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from dev.bench import cluster, measure, peers
from dev.bench.contestants.base import RELEASE, ROLLBACK, ROLLBACK_LATER, SWITCH, Contestant
from dev.bench.contestants.manifests import ArgoRollouts, Flagger, Kubectl
from dev.bench.contestants.programs import BarePulumi, BluegreenCommand, PulumiUp
from dev.bench.results import LOADED, PROBED, Results
from dev.sandbox.errors import SandboxError
from dev.sandbox.mesh import ISTIO_VERSION
from dev.sandbox.toolchain import KUBERNETES_VERSION
from dev.traffic.vegeta import LoadError

ALL: tuple[type[Contestant], ...] = (PulumiUp, BluegreenCommand, BarePulumi, Kubectl, ArgoRollouts, Flagger)
"""In the order of the table: ours first, then the alternatives."""
MINUTE_SECONDS = 60
RATES = {PROBED: 100, LOADED: 1000}
"""Requests a second."""
STEPS = ((SWITCH, PROBED), (ROLLBACK, PROBED), (SWITCH, LOADED), (RELEASE, PROBED))
# What may go wrong with a contestant, as opposed to a mistake in the benchmark.
_EXPECTED = (cluster.BenchError, LoadError, SandboxError, OSError)


class Run:
    """One run of `contestants`. `file` has all that was measured, at any time."""

    def __init__(self, contestants: list[Contestant], results: Results, file: Path) -> None:
        self._contestants, self._results, self._file = contestants, results, file

    def go(self, rounds: int) -> None:
        """Measures everything, and removes what it has made, but for the results and the logs."""
        cluster.clean()
        cluster.clean_directory()
        cluster.load_images()
        try:
            with ExitStack() as controllers:
                for contestant in self._contestants:
                    if contestant.tool:
                        controllers.enter_context(peers.running(contestant.tool, contestant.arguments))
                self._contestants = [each for each in self._contestants if self._attempt(each, "install", each.reset)]
                for number in range(rounds):
                    self.round(number)
        finally:
            cluster.clean()

    def round(self, number: int) -> None:
        """Everybody's moves, then everybody's rollback a minute after the release."""
        start = number % max(1, len(self._contestants))
        released = {}
        for contestant in self._contestants[start:] + self._contestants[:start]:
            steps = [step for step in STEPS if step[0] in contestant.moves and number < contestant.rounds]
            if all(self._move(contestant, *step) for step in steps) and ROLLBACK_LATER in contestant.moves:
                released[contestant] = time.monotonic()
        for contestant, at in released.items():
            time.sleep(max(0, at + MINUTE_SECONDS - time.monotonic()))
            self._move(contestant, ROLLBACK_LATER, PROBED)

    def _move(self, contestant: Contestant, kind: str, load: str) -> bool:
        def move() -> None:
            self._results.samples.append(measure.observe(contestant, kind, load, RATES[load]))

        is_done = self._attempt(contestant, f"{kind}, {load}", move)
        if not is_done:
            self._attempt(contestant, "reset", contestant.reset)
        return is_done

    def _attempt(self, contestant: Contestant, what: str, do: Callable[[], None]) -> bool:
        """Whether it succeeded. A failure is noted."""
        print(f"{time.strftime('%H:%M:%S')} {contestant.name}: {what}", flush=True)
        try:
            do()
        except _EXPECTED as error:
            print(f"  failed: {error}", flush=True)
            self._results.failures.append(f"{contestant.name}, {what}: {str(error).splitlines()[0]}")
            return False
        finally:
            self._results.write(self._file)
        return True


def setting() -> str:
    """The machine and the versions: a figure without them says nothing."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = cluster.Command(arguments=("git", "describe", "--always", "--dirty=+")).run().strip()
    pulumi = cluster.Command(arguments=("pulumi", "version")).run().strip().lstrip("v")
    ours = f"this project {commit}, Pulumi {pulumi}, Kubernetes {KUBERNETES_VERSION}, Istio {ISTIO_VERSION}"
    peer = f"Argo Rollouts {peers.ARGO_VERSION}, Flagger {peers.FLAGGER_VERSION}"
    return f"{name}, {os.cpu_count()} cores, {memory:.1f} GiB; {ours}, {peer}"
