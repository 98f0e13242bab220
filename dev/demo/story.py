"""The steps of one release, from blue 1.0 to green 2.0 and back and again, and the measurements of every step."""

from collections.abc import Mapping
from dataclasses import dataclass

from dev.traffic.answers import Answers
from dev.traffic.report import cut_over, totals


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One step of the demo: its name, its change of config, and the colors it moves users from and to, if any."""

    name: str
    change: Mapping[str, str | None]
    moves: tuple[str, str] | None = None


FIRST = Scene(name="blue 1.0 serves", change={})

SCENES = (
    Scene(name="deploy green 2.0", change={"green:imageTag": "2.0"}),
    Scene(name="test green", change={"testColor": "green"}),
    Scene(name="activate green", change={"activeColor": "green", "testColor": "blue"}, moves=("blue", "green")),
    Scene(name="roll back", change={"activeColor": "blue", "testColor": "green"}, moves=("green", "blue")),
    Scene(name="activate again", change={"activeColor": "green", "testColor": "blue"}, moves=("blue", "green")),
    Scene(name="retire blue", change={"testColor": None, "blue:imageTag": None}),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The measurements of one scene: the seconds of its `pulumi up`, and the requests until the next scene."""

    name: str
    seconds: float
    requests: int
    failed: int
    cut_over_ms: float | None


def outcome(scene: Scene, seconds: float, answers: Answers) -> Outcome:
    """The measurements of a scene; `answers` are the responses from its start to the start of the next scene."""
    counted = totals(answers)
    moved = cut_over(answers, *scene.moves) if scene.moves else None
    return Outcome(
        name=scene.name,
        seconds=round(seconds, 2),
        requests=counted.requests,
        failed=counted.failed,
        cut_over_ms=round(moved.milliseconds, 2) if moved else None,
    )
