"""What differs from the config is named, and the next command makes sense."""

from datetime import UTC, datetime

import pytest

from automation.status import ago, differences, next_commands
from release.live import Live, LiveColor
from release.settings import Settings, read_settings

SETTINGS: Settings = read_settings(
    {
        "bluegreen:activeColor": "blue",
        "bluegreen:testColor": "green",
        "bluegreen:image": "shop",
        "blue:imageTag": "1.0",
        "green:imageTag": "2.0",
    }
)


def color(tag: str, **changes: object) -> LiveColor:
    given: dict[str, object] = {"image": f"shop:{tag}", "owner": "organization/bluegreen/prod", **changes}
    return LiveColor(**given)  # type: ignore[arg-type]


def live(active: str = "blue", test: str = "green", **colors: LiveColor) -> Live:
    return Live(active=active, test=test, route_owner="", colors={"blue": color("1.0"), "green": color("2.0")} | colors)


def test_what_is_as_the_config_says_has_no_drift() -> None:
    assert list(differences(SETTINGS, live(), "prod")) == []


@pytest.mark.parametrize(
    ("present", "said"),
    [
        (live("green", "blue"), "the config has blue as active color, the route green"),
        (live(green=color("3.0")), "green runs shop:3.0, and the config has shop:2.0"),
        (live(green=color("2.0", replicas=3)), "green has 3 replicas, and the config 1"),
        (live(green=color("2.0", owner="organization/bluegreen/dev")), "a color belongs to the stack dev"),
        (Live(active="blue", colors={"blue": color("1.0")}), "green is not deployed, and the config has shop:2.0"),
    ],
    ids=["another color", "another image", "more replicas", "another owner", "a color that is gone"],
)
def test_each_difference_is_named(present: Live, said: str) -> None:
    assert said in list(differences(SETTINGS, present, "prod"))


@pytest.mark.parametrize(
    ("present", "first"),
    [
        (Live(active="blue", colors={"blue": color("1.0")}), "bluegreen deploy green --image <tag>"),
        (live(test=""), "bluegreen test green"),
        (live(), "bluegreen activate green"),
        (live(green=color("2.0", ready=0)), "bluegreen status --watch: green is not ready"),
        (live(blue=color("1.0", ready=0)), "bluegreen rollback --now: blue is not ready, and green is"),
    ],
    ids=["one color", "not tested", "tested", "not ready", "the live color is not ready"],
)
def test_the_next_command_is_the_one_that_makes_sense(present: Live, first: str) -> None:
    assert next(next_commands(present, is_drifted=False)) == first


@pytest.mark.parametrize(
    ("moment", "said"),
    [("2026-01-02T11:59:30Z", "30 s"), ("2026-01-02T11:00:01Z", "59 min"), ("2025-12-31T12:00:00Z", "2 d"), ("", "-")],
)
def test_how_long_ago_is_told_in_one_unit(moment: str, said: str) -> None:
    assert ago(moment, datetime(2026, 1, 2, 12, tzinfo=UTC)) == said
