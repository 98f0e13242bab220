"""Which values each word changes, and what an approval refuses."""

from dataclasses import replace

import pytest

from bluegreen.cli import config_changes
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.release.config_reader import read_settings
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.refusals import Rule
from bluegreen.release.settings import Settings
from bluegreen.release.traffic import Traffic

CONFIG = {
    "bluegreen:activeColor": "blue",
    "bluegreen:testColor": "green",
    "bluegreen:image": "registry.example/shop",
    "blue:imageTag": "1.0",
    "green:imageTag": "2.0",
    "green:release": "v2.0-green",
}


DIGEST = "sha256:" + "a" * 64
LIVE = Live(
    traffic=Traffic.to("blue"),
    colors={
        "blue": LiveColor(image="registry.example/shop:1.0"),
        "green": LiveColor(image="registry.example/shop:2.0", release="v2.0-green"),
    },
)
PINNED = replace(LIVE, colors={"green": replace(LIVE.colors["green"], image=f"registry.example/shop:2.0@{DIGEST}")})


def settings(**changes: str | None) -> Settings:
    changed = {**CONFIG, **{key.replace("__", ":"): value for key, value in changes.items()}}
    return read_settings({key: value for key, value in changed.items() if value is not None})


def test_deploying_without_a_release_forgets_the_last_one() -> None:
    assert config_changes.deploy("green", "3.0", None) == {"green:imageTag": "3.0", "green:release": None}


def test_activating_sends_testers_to_the_color_that_users_leave() -> None:
    assert config_changes.activate(settings(), "green") == {"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"}


def test_activating_with_one_color_leaves_no_test_route() -> None:
    alone = settings(blue__imageTag=None, bluegreen__activeColor="green", bluegreen__testColor=None)
    assert config_changes.activate(alone, "green")["bluegreen:testColor"] is None


def test_decommissioning_clears_the_test_route_only_when_it_leads_there() -> None:
    assert config_changes.decommission(settings(), "green")["bluegreen:testColor"] is None
    assert "bluegreen:testColor" not in config_changes.decommission(settings(), "blue")


@pytest.mark.parametrize(
    ("release", "image"),
    [
        ("v2.0-green", None),
        ("2.0", None),
        (None, "2.0"),
        (None, "registry.example/shop:2.0"),
        ("v2.0-green", "2.0"),
        (None, None),
    ],
)
def test_what_is_deployed_may_be_approved_by_any_of_its_names(release: str | None, image: str | None) -> None:
    config_changes.approve(settings(), LIVE, "green", release, image)
    config_changes.approve(settings(), PINNED, "green", release, image)


@pytest.mark.parametrize("image", [DIGEST, f"2.0@{DIGEST}", f"registry.example/shop:2.0@{DIGEST}"])
def test_an_image_that_an_admission_controller_has_pinned_may_be_approved_by_its_digest(image: str) -> None:
    config_changes.approve(settings(), PINNED, "green", None, image)


@pytest.mark.parametrize(
    ("release", "image"), [("v1.9-green", None), (None, "1.9"), ("v2.0-green", "1.9"), (None, "v2.0-green"), (None, DIGEST)]
)
def test_a_stale_approval_is_refused(release: str | None, image: str | None) -> None:
    with pytest.raises(ReleaseError, match="a promotion names what it approves") as refused:
        config_changes.approve(settings(), LIVE, "green", release, image)
    assert refused.value.status is Exit.REFUSED


def test_what_users_were_on_may_be_gone_back_to() -> None:
    config_changes.expect_served(settings(), "green", "2.0", "activate green")


@pytest.mark.parametrize("served", ["", "1.9", "0"], ids=["never", "another tag", "the end of the tag"])
def test_what_users_were_never_on_is_not_taken_for_the_last_release(served: str) -> None:
    with pytest.raises(ReleaseError, match="green as the last release") as refused:
        config_changes.expect_served(settings(), "green", served, "activate green")
    assert (refused.value.status, refused.value.code) == (Exit.REFUSED, Rule.LAST_RELEASE)
    assert "bluegreen activate green" in str(refused.value)


@pytest.mark.parametrize(
    ("tag", "lane"), [("v2.0-green", ("green", "2.0")), ("1.2.3-rc.1-blue", ("blue", "1.2.3-rc.1")), ("v7-blue", ("blue", "7"))]
)
def test_a_tag_names_lane_and_version(tag: str, lane: tuple[str, str]) -> None:
    assert config_changes.lane(tag) == lane


@pytest.mark.parametrize("tag", ["v2.0", "v2.0-red", "green", "v2.0-green-1", "-green"])
def test_a_tag_without_a_lane_is_not_taken(tag: str) -> None:
    with pytest.raises(ReleaseError, match="names no lane"):
        config_changes.lane(tag)
