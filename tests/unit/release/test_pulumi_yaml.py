"""Pulumi.yaml and the two resting positions say what the program knows."""

import json
from typing import Any

import pytest
import yaml

from bluegreen.release.colors import COLORS
from bluegreen.release.config_reader import read_settings
from bluegreen.routing import DEFAULT
from tests.unit.program import ONE_COLOR, ROOT

SCHEMA: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]


def as_config(values: dict[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def resting_position(color: str) -> dict[str, Any]:
    position: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{color}.yaml").read_text())
    return position


def test_every_key_has_a_default_but_the_one_that_moves_users() -> None:
    assert {key for key, entry in SCHEMA.items() if "default" not in entry} == {"bluegreen:activeColor"}


def test_the_defaults_shown_are_the_defaults_used() -> None:
    shown = as_config({key: entry["default"] for key, entry in SCHEMA.items() if "default" in entry})
    roles = {"bluegreen:activeColor": "blue", "blue:imageTag": "1.0"}
    named = {key: shown.pop(key) for key in ("bluegreen:image", "bluegreen:routing")}
    assert named["bluegreen:routing"] == DEFAULT
    image = {"bluegreen:image": named["bluegreen:image"]}
    assert read_settings(shown | roles | image, defaults=shown) == read_settings(roles | image)


@pytest.mark.parametrize("color", COLORS)
def test_a_resting_position_is_valid_with_the_defaults(color: str) -> None:
    defaults = as_config({key: entry["default"] for key, entry in SCHEMA.items() if "default" in entry})
    settings = read_settings(defaults | as_config(resting_position(color)["config"]))
    assert settings.active_color == color
    assert set(settings.service.colors) == set(COLORS)


def test_the_resting_positions_differ_in_the_two_lines_of_the_switch_alone() -> None:
    lines = [(ROOT / f"Pulumi.{color}.yaml").read_text().splitlines() for color in COLORS]
    differing = [(blue, green) for blue, green in zip(*lines, strict=True) if blue != green]
    assert differing == [
        ("  bluegreen:activeColor: blue", "  bluegreen:activeColor: green"),
        ("  bluegreen:testColor: green", "  bluegreen:testColor: blue"),
    ]


def test_no_resting_position_carries_a_salt() -> None:
    assert all("encryptionsalt" not in resting_position(color) for color in COLORS)


def test_the_base_config_of_the_tests_is_valid() -> None:
    assert read_settings(ONE_COLOR).service.name == "shop"
