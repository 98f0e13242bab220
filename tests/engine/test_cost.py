"""What the program costs an operator: a switch takes little longer than with a bare program of the same objects."""

import statistics
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.cluster import ROOT, Cluster
from tests.stack import BOTH_COLORS, Environment, environment_of_its_own, other

SWITCHES = 5
HIGHEST_RATIO = 1.25


def switch_seconds(environment: Environment, color: str) -> float:
    """How long the command takes that moves users to a color."""
    own = environment.project_name
    environment.set({f"{own}:activeColor": color, f"{own}:testColor": other(color)})
    # The log of events is a cost that no operator has.
    result = environment.up(recorded=False)
    assert "~ 1 updated" in result.text
    return result.seconds


def said(name: str, seconds: list[float]) -> str:
    return f"{name} {statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def test_a_switch_costs_little_more_than_with_a_bare_program(
    cluster: Cluster, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    ours: list[float] = []
    bare: list[float] = []
    with ExitStack() as stack:
        own = stack.enter_context(environment_of_its_own(cluster, tmp_path / "own", BOTH_COLORS))
        roles = {"bare:activeColor": "blue", "bare:testColor": "green"}
        project = ROOT / "tests" / "engine" / "bare"
        other_one = stack.enter_context(environment_of_its_own(cluster, tmp_path / "bare", roles, project))
        own.up()
        other_one.up()
        # Side by side, so that whatever else the machine does meets both.
        for color in (["green", "blue"] * SWITCHES)[:SWITCHES]:
            ours.append(switch_seconds(own, color))
            bare.append(switch_seconds(other_one, color))
    ratio = statistics.median(ours) / statistics.median(bare)
    figures(f"a switch: {said('this program', ours)}, {said('a bare one', bare)}, ratio {ratio:.2f}")
    assert ratio <= HIGHEST_RATIO
