"""Switches are found in the updates of a stack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bluegreen.cli.history import is_back_already, served, switches

NOON = datetime(2026, 1, 2, 12)


@dataclass
class Value:
    """A value of config, as the Automation API gives it."""

    value: str


@dataclass
class Past:
    """One update of the past."""

    active: str
    message: str = ""
    result: str = "succeeded"
    kind: str = "update"
    version: int | None = 1
    start_time: datetime = NOON
    end_time: datetime | None = NOON + timedelta(seconds=3)
    environment: Mapping[str, str] = field(default_factory=lambda: {"git.author": "Ada"})
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Value]:
        tags = {self.active: f"tag of {self.active}", **self.tags}
        return {"bluegreen:activeColor": Value(self.active), **{f"{color}:imageTag": Value(tag) for color, tag in tags.items()}}


def test_only_good_updates_that_move_users_are_switches() -> None:
    updates = [
        Past("blue", "bluegreen rollback to blue, by ada@build-7"),
        Past("blue", result="failed"),
        Past("green", kind="refresh"),
        Past("green", "Activate green"),
        Past("blue"),
        Past("blue"),
    ]
    back, forth = switches(updates)
    assert (back.origin, back.target, back.who, back.how) == ("green", "blue", "ada@build-7", "rollback to blue")
    assert (forth.origin, forth.target, forth.who, forth.how) == ("blue", "green", "Ada", "pulumi up: Activate green")
    assert (back.image, back.seconds, back.at) == ("tag of blue", 3, "2026-01-02T12:00:00Z")


def test_users_are_back_already_when_the_newest_switch_was_a_roll_back() -> None:
    forth, back = Past("green", "bluegreen activate green, by a"), Past("blue", "bluegreen rollback to blue, by a")
    assert is_back_already([back, forth, Past("blue")], "blue")
    assert not is_back_already([forth, back, forth, Past("blue")], "green")
    assert not is_back_already([Past("blue")], "blue")


def test_what_a_color_served_last_is_what_it_had_when_users_were_on_it() -> None:
    updates = [
        Past("green", tags={"blue": "3.0"}),  # the next release, which users have not seen
        Past("blue", tags={"blue": "2.9"}, result="failed"),
        Past("green", tags={"blue": "1.0"}),
        Past("blue", tags={"blue": "1.0"}),
        Past("blue", tags={"blue": "0.9"}),
    ]
    assert served(updates, "blue") == "1.0"
    assert served(updates[2:], "green") == "tag of green"
    assert served(updates[3:], "green") == ""
