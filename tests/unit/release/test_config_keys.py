"""The table of the config keys: types from a key to its field, each key listed once, and a field for each key.

mypy is part of these tests: it reports `type: ignore` comments that ignore nothing, so a wrong type that it does not see is an
error of `make check`.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import pytest

from bluegreen.release import config_keys, values
from bluegreen.release.config_keys import COLOR, ENVIRONMENT, ONE_COLOR, Key
from bluegreen.release.config_reader import NO_LAYERS, NO_WORKLOADS, _Reader
from bluegreen.release.settings import ColorSettings, ServiceSettings, Settings


def test_a_value_has_the_type_of_its_key() -> None:
    reader = _Reader({}, (), (), NO_LAYERS, NO_WORKLOADS, Path(), ())
    assert_type(reader._value(config_keys.PORT, "blue"), int)
    assert_type(reader._value(config_keys.VERIFY), bool)
    assert_type(reader._value(config_keys.TEST_COLOR), str)
    assert_type(reader._value(config_keys.SECRET_REFS), tuple[str, ...])
    assert_type(reader._value(config_keys.ENV), Mapping[str, str])


def test_mypy_reports_a_default_that_is_not_of_the_type_of_the_parser() -> None:
    port: Key[int] = Key(name="port", parse=values.integer(1, 2), default="1", description="")  # type: ignore[arg-type]
    assert port.default == "1"  # type: ignore[comparison-overlap]


def test_mypy_reports_a_field_that_is_not_of_the_type_of_its_key() -> None:
    reader = _Reader({}, (), (), NO_LAYERS, NO_WORKLOADS, Path(), ())
    color = ColorSettings(
        app="shop",
        name="blue",
        image="shop:1",
        replicas=reader._value(config_keys.STRATEGY),  # type: ignore[arg-type]
        secret_refs=reader._value(config_keys.APP),  # type: ignore[arg-type]
    )
    assert color


def test_each_key_is_in_exactly_one_table() -> None:
    defined = [value for value in vars(config_keys).values() if isinstance(value, Key)]
    listed = [*ENVIRONMENT, *COLOR, *ONE_COLOR]
    assert sorted(key.name for key in listed) == sorted(key.name for key in defined)
    assert len({key.name for key in listed}) == len(listed)


FIELDS = {
    "app": (ServiceSettings, "name"),
    "image": (ColorSettings, "repository"),
    "service": (ColorSettings, "users_service"),
    "manifest": (ColorSettings, "snapshot"),
    "worker": (ColorSettings, "workers"),
}


@pytest.mark.parametrize("key", [*ENVIRONMENT, *COLOR, *ONE_COLOR], ids=lambda key: key.name)
def test_a_key_has_a_field_of_its_name(key: Key[Any]) -> None:
    snake = re.sub(r"[A-Z]", lambda letter: f"_{letter.group().lower()}", key.name)
    settings, field = FIELDS.get(key.name, (Settings if key in ENVIRONMENT else ColorSettings, snake))
    assert field in {field.name for field in dataclasses.fields(settings)}
