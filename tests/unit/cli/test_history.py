"""Switches are found in the updates of a stack."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from bluegreen.cli.history import is_back_already, served, served_before, switches
from bluegreen.cli.stack import PastUpdate
from bluegreen.release import metadata
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.settings import ColorSettings, ServiceSettings, Settings
from bluegreen.release.snapshot import Snapshot
from bluegreen.routing import istio

NOON = datetime(2026, 1, 2, 12)


def past(
    active: str,
    message: str = "",
    *,
    result: str = "succeeded",
    kind: str = "update",
    tags: Mapping[str, str] | None = None,
) -> PastUpdate:
    """One update of the past."""
    images = {active: f"tag of {active}", **(tags or {})}
    return PastUpdate(
        kind=kind,
        result=result,
        message=message,
        version=1,
        start_time=NOON,
        end_time=NOON + timedelta(seconds=3),
        environment={"git.author": "Ada"},
        config={"bluegreen:activeColor": active, **{f"{color}:imageTag": tag for color, tag in images.items()}},
    )


def test_only_good_updates_that_move_users_are_switches() -> None:
    updates = [
        past("blue", "bluegreen rollback to blue, by ada@build-7"),
        past("blue", result="failed"),
        past("green", kind="refresh"),
        past("green", "Activate green"),
        past("blue"),
        past("blue"),
    ]
    back, forth = switches(updates)
    assert (back.origin, back.target, back.who, back.how) == ("green", "blue", "ada@build-7", "rollback to blue")
    assert (forth.origin, forth.target, forth.who, forth.how) == ("blue", "green", "Ada", "pulumi up: Activate green")
    assert (back.image, back.seconds, back.at) == ("tag of blue", 3, "2026-01-02T12:00:00Z")


def test_users_are_back_already_when_the_newest_switch_was_a_roll_back() -> None:
    forth, back = past("green", "bluegreen activate green, by a"), past("blue", "bluegreen rollback to blue, by a")
    assert is_back_already([back, forth, past("blue")], "blue")
    assert not is_back_already([forth, back, forth, past("blue")], "green")
    assert not is_back_already([past("blue")], "blue")


def test_what_a_color_served_last_is_what_it_had_when_users_were_on_it() -> None:
    updates = [
        past("green", tags={"blue": "3.0"}),  # the next release, which users have not seen
        past("blue", tags={"blue": "2.9"}, result="failed"),
        past("green", tags={"blue": "1.0"}),
        past("blue", tags={"blue": "1.0"}),
        past("blue", tags={"blue": "0.9"}),
    ]
    assert served(updates, "blue") == "1.0"
    assert served(updates[2:], "green") == "tag of green"
    assert served(updates[3:], "green") == ""


MANIFEST = Snapshot(path="k8s/blue", documents=())


@pytest.mark.parametrize(("template", "found"), [("1", "web:1"), ("2", "")])
def test_a_color_with_a_manifest_has_served_if_the_record_of_the_route_has_its_pods(template: str, found: str) -> None:
    color = ColorSettings(app="shop", name="blue", image="web:1", snapshot=MANIFEST)
    settings = Settings(service=ServiceSettings(name="shop", colors={"blue": color}), active_color="green")
    route = {"metadata": {"annotations": {metadata.SERVED: "green:9,blue:1"}}}
    live = Live(colors={"blue": LiveColor(image="web:1", template=template)}, objects={istio.route(settings.service)[0]: route})
    assert served_before(settings, live, [], "blue") == found


def test_a_color_with_an_image_tag_has_served_by_the_history_of_the_stack() -> None:
    color = ColorSettings(app="shop", name="blue", image="web:1")
    settings = Settings(service=ServiceSettings(name="shop", colors={"blue": color}), active_color="green")
    assert served_before(settings, Live(), [past("blue", tags={"blue": "1"})], "blue") == "1"
