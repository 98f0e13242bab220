"""What the rules cost: reading what is live and checking it adds little to a switch."""

import shutil
import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster import ROOT, Cluster
from tests.stack import BOTH_COLORS, Environment, environment_of_its_own

SWITCHES = 6
MOST_SECONDS = 0.3

# A gate that neither reads nor refuses anything, and binds no hooks.
WITHOUT_RULES = """
import pulumi


class Gate:
    def __init__(self, *_):
        pass

    def check(self):
        pass

    def guard(self, _):
        return None

    def route_hooks(self):
        return None

    def ready(self, _, deployment):
        return deployment.urn

    def migrated(self, _, job):
        return job.urn

    def verified(self, route):
        return route.urn
"""


@pytest.fixture
def project_without_rules(tmp_path: Path) -> Path:
    """A copy of the project whose gate is open."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("components", "release"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, project)
    (project / "gate").mkdir()
    (project / "gate" / "__init__.py").write_text(WITHOUT_RULES)
    return project


def switch_seconds(environment: Environment, color: str) -> float:
    """How long the command takes that moves users, without the log of events, which no operator has."""
    environment.set({"bluegreen:activeColor": color, "bluegreen:testColor": {"blue": "green", "green": "blue"}[color]})
    result = environment.up(recorded=False)
    assert "~ 1 updated" in result.text
    return result.seconds


def test_the_rules_add_little_to_a_switch(
    cluster: Cluster, tmp_path: Path, project_without_rules: Path, figures: Callable[[str], None]
) -> None:
    config = BOTH_COLORS | {"bluegreen:replicas": 1}
    seconds: dict[str, list[float]] = {"with": [], "without": []}
    with ExitStack() as stack:
        ours = stack.enter_context(environment_of_its_own(cluster, tmp_path / "with", config))
        open_one = stack.enter_context(environment_of_its_own(cluster, tmp_path / "without", config, project_without_rules))
        ours.up()
        open_one.up()
        # Interleaved, so that whatever else the machine does meets both; the first round is for the caches.
        for turn in range(SWITCHES + 1):
            color = ["green", "blue"][turn % 2]
            for name, environment in (("with", ours), ("without", open_one)):
                taken = switch_seconds(environment, color)
                seconds[name] += [taken] if turn else []
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    spread = {name: f"{medians[name]:.2f} s ({min(each):.2f} to {max(each):.2f})" for name, each in seconds.items()}
    added = medians["with"] - medians["without"]
    figures(f"a switch: with the rules {spread['with']}, without {spread['without']}, added {added:+.2f} s")
    assert added <= MOST_SECONDS
