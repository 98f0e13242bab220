"""`--match-room` scales a color in an update of its own, waits until its pods are ready, and moves nobody."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from bluegreen.cli import room
from bluegreen.cli.config_changes import Changes
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.release.about import About
from bluegreen.release.config_reader import read_settings
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.settings import Settings
from bluegreen.release.traffic import Traffic

CONFIG = {
    "bluegreen:activeColor": "blue",
    "bluegreen:testColor": "green",
    "bluegreen:image": "shop",
    "bluegreen:app": "shop",
    "blue:imageTag": "1",
    "green:imageTag": "2",
}


def live(blue: int, green: int, wanted: int | None = None) -> Live:
    """Blue serves with as many ready pods as it wants; green has `green` of `wanted` pods ready."""
    colors = {
        "blue": LiveColor(image="shop:1", replicas=blue, ready=blue),
        "green": LiveColor(image="shop:2", replicas=green if wanted is None else wanted, ready=green),
    }
    return Live(traffic=Traffic.to("blue", "green"), colors=colors)


@dataclass
class FakeSession:
    """A session on a cluster that serves `looks`, one after the other, and the last one again and again."""

    looks: list[Live]
    settings: Settings
    applied: list[tuple[str, Changes]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def selection(self) -> Any:
        return SimpleNamespace(settings=lambda: self.settings)

    @property
    def progress(self) -> Any:
        return SimpleNamespace(passing=self.said.append, event=lambda _, text, **__: self.said.append(text))

    def live(self) -> Live:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def apply(self, verb: str, changes: Changes, *, about: About) -> None:
        assert str(about) == "scale green"
        self.applied.append((verb, changes))


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting takes no time, and a pause of a second counts as one."""
    now = [0.0]
    monkeypatch.setattr("bluegreen.cli.room.time.monotonic", lambda: now[0])
    monkeypatch.setattr("bluegreen.cli.room.time.sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


def match(*looks: Live, color: str | None = "green", **config: str) -> FakeSession:
    changed = CONFIG | {name.replace("__", ":"): value for name, value in config.items()}
    session: Any = FakeSession([*looks], read_settings(changed))
    room.match(session, color)
    found: FakeSession = session
    return found


@pytest.mark.parametrize("color", ["green", None], ids=["named", "the color that users are not on"])
def test_a_color_with_less_room_is_scaled_and_awaited_before_users_move(color: str | None) -> None:
    session = match(live(6, 2), live(6, 2, wanted=6), live(6, 4, wanted=6), live(6, 6), color=color)
    users_stay = {"bluegreen:activeColor": "blue", "bluegreen:testColor": "green"}
    assert session.applied == [("scale green to 6", {"green:replicas": "6", **users_stay})]
    assert session.said == ["green has 2 of 6 pods", "green has 4 of 6 pods", "  green: 6 pods are ready, as many as of blue"]


def test_a_config_that_moves_users_already_scales_without_moving_them() -> None:
    moved = {"bluegreen__activeColor": "green", "bluegreen__testColor": "blue"}
    session = match(live(6, 2), live(6, 6), **moved)
    assert session.applied[0][1]["bluegreen:activeColor"] == "blue"


def test_an_autoscaler_may_raise_the_number_later_than_the_update() -> None:
    session = match(live(6, 2), *[live(6, 2)] * 30, live(6, 6), green__maxReplicas="9")
    assert [verb for verb, _ in session.applied] == ["scale green to 6"]


ENOUGH = {
    "as much room": (live(2, 2), "green"),
    "more room": (live(2, 3), "green"),
    "users are there already": (live(6, 2), "blue"),
    "nobody is served yet": (Live(), None),
    "the color is not deployed": (Live(traffic=Traffic.to("blue"), colors={"blue": LiveColor(image="shop:1")}), "green"),
}


@pytest.mark.parametrize(("look", "color"), ENOUGH.values(), ids=ENOUGH)
def test_nothing_is_scaled_without_need(look: Live, color: str | None) -> None:
    assert match(look, color=color).applied == []


def test_a_maximum_that_is_too_low_is_refused_with_the_way_and_nothing_is_changed() -> None:
    with pytest.raises(ReleaseError, match="green:maxReplicas is 4") as refused:
        match(live(6, 2), green__maxReplicas="4")
    assert refused.value.status is Exit.REFUSED
    assert "pulumi config set green:maxReplicas 6" in str(refused.value)
    assert "users stay on blue" in str(refused.value)


FAILED = {
    "pods that do not become ready": ([live(6, 2, wanted=6)], "did not become ready in time"),
    "scaled beside the stack": ([live(6, 2)], "kubectl scale deployment/shop-green --replicas=6 --namespace default"),
    "gone": ([Live(traffic=Traffic.to("blue"), colors={"blue": LiveColor(image="shop:1")})], "green is gone"),
}


@pytest.mark.parametrize(("looks", "words"), FAILED.values(), ids=FAILED)
def test_a_color_that_does_not_get_its_pods_ends_the_command_and_moves_nobody(looks: list[Live], words: str) -> None:
    with pytest.raises(ReleaseError, match=words) as failed:
        match(live(6, 2), *looks)
    assert failed.value.status is Exit.RESOURCE
    assert "Users were not moved; they are on blue." in str(failed.value)
