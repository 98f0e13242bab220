"""A digest that kustomize has put at the end of a name is found by the content, and no other end of a name is taken for one."""

from typing import Any

import pytest

from bluegreen.release.kustomize import name_without_digest

# As `kubectl kustomize` 5.7.1 has written them.
SECRET = {"kind": "Secret", "type": "Opaque", "data": {"password": "czNjcmV0PCY+eA==", "user": "Ym9i"}}
CONFIG_MAP = {"kind": "ConfigMap", "data": {"a": "1"}}
WITH_MARKUP = {"kind": "ConfigMap", "data": {"page.html": "<p>a & b\u2028ü</p>\n"}, "binaryData": {"icon": "//4="}}


def named(item: dict[str, Any], name: str) -> dict[str, Any]:
    return {**item, "metadata": {"name": name}}


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (SECRET, "db-89hb2c9f72"),
        (SECRET, "shop-db-89hb2c9f72"),
        (CONFIG_MAP, "conf-h29d89cmmt"),
        (WITH_MARKUP, "page-kt4dkdbg4g"),
    ],
)
def test_the_digest_of_the_content_is_taken_off(item: dict[str, Any], name: str) -> None:
    assert name_without_digest(named(item, name)) == name.rpartition("-")[0]


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (SECRET, "db-h29d89cmmt"),
        (SECRET, "db-1234567890"),
        (SECRET, "db"),
        (SECRET, "-89hb2c9f72"),
        (CONFIG_MAP | {"data": {"a": "2"}}, "conf-h29d89cmmt"),
        (CONFIG_MAP | {"kind": "Service"}, "conf-h29d89cmmt"),
    ],
)
def test_every_other_name_stays(item: dict[str, Any], name: str) -> None:
    assert name_without_digest(named(item, name)) == name
