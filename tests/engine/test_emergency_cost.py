"""What an emergency costs: users are back in a blink, beside a plain update and beside writing the same route by hand."""

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from automation.route import owned, swapped
from tests.command import Operator
from tests.conftest import Environments
from tests.stack import BOTH_COLORS, other
from traffic.answers import Answers
from traffic.report import totals

ROUNDS = 5
# A bare Python command that writes the route was measured at 0.25 s; the rest is what a busy machine may add.
MOST_SECONDS = 0.5


def last_answer_seconds(answers: Answers, color: str, since_ns: int, until_ns: int) -> float:
    """How long after `since_ns` a color gave its last answer."""
    rows = zip(answers.ended, answers.color, strict=True)
    return (max(ended for ended, each in rows if each == color and since_ns <= ended < until_ns) - since_ns) / 1e9


def test_rollback_now_is_far_quicker_than_an_update(
    new_environment: Environments, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    environment = new_environment(BOTH_COLORS)
    operator = Operator(environment)
    operator.run("up")
    environment.users.wait_for("blue")
    by_hand = tmp_path / "route.json"
    get = ["get", "virtualservice", "myapp-blue-green", "-n", environment.name, "--output=json", "--show-managed-fields"]

    def now() -> None:
        operator.run("rollback", "--now")

    def update() -> None:
        environment.up(recorded=False)

    def kubectl() -> None:
        apply = ["kubectl", "apply", "--server-side", "--field-manager=bluegreen", "--force-conflicts", "-f", str(by_hand)]
        subprocess.run(apply, env=environment.cluster.variables, check=True, capture_output=True)

    moves: list[tuple[str, str, int, int]] = []
    active = "blue"
    with environment.users.load(rate=200, seconds=300) as load:
        # The second move by hand brings the cluster back to what the stack knows.
        for move in [now, update, kubectl, kubectl] * ROUNDS:
            target = other(active)
            if move is update:
                environment.set({"bluegreen:activeColor": target, "bluegreen:testColor": active})
            if move is kubectl:
                by_hand.write_text(json.dumps(swapped(owned(json.loads(environment.cluster.kubectl(*get))))))
            time.sleep(0.5)
            pressed = time.time_ns()
            move()
            environment.users.wait_for(target)
            moves.append((move.__name__, active, pressed, time.time_ns()))
            active = target
    answers = load.stop()
    counted = totals(answers)
    assert counted.failed == 0, counted.errors
    seconds: dict[str, list[float]] = {}
    for name, old, pressed, until in moves:
        seconds.setdefault(name, []).append(last_answer_seconds(answers, old, pressed, until))
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    said = [f"{name} {medians[name]:.2f} s ({min(each):.2f} to {max(each):.2f})" for name, each in seconds.items()]
    figures(f"from Enter to the last answer of the old color: {', '.join(said)}; 0 of {counted.requests} requests failed")
    assert medians["now"] <= MOST_SECONDS
    assert medians["now"] <= medians["update"] / 2
