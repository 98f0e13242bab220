"""Annotations that an earlier version wrote are read until this one has written the object."""

import pytest

from bluegreen.release import metadata
from bluegreen.release.objects import annotation

EARLIER = {"bluegreen/owner": "acme/bluegreen/prod", "bluegreen/release": "r1", "bluegreen/served": "blue:b"}
WRITTEN = EARLIER | {metadata.OWNER: "acme/bluegreen/prod"}


@pytest.mark.parametrize(
    ("annotations", "name", "read"),
    [
        pytest.param(EARLIER, metadata.RELEASE, "r1", id="written by an earlier version"),
        pytest.param(EARLIER | {metadata.SERVED: "green:g"}, metadata.SERVED, "green:g", id="rollback --now before an update"),
        pytest.param(WRITTEN | {metadata.RELEASE: "r2"}, metadata.RELEASE, "r2", id="written by this version"),
        pytest.param(WRITTEN, metadata.RELEASE, "", id="removed by this version"),
        pytest.param(WRITTEN, metadata.SERVED, "blue:b", id="the record is never void"),
        pytest.param({}, metadata.RELEASE, "", id="no annotations"),
    ],
)
def test_an_annotation_is_read_by_its_present_or_its_earlier_name(annotations: dict[str, str], name: str, read: str) -> None:
    assert annotation({"metadata": {"annotations": annotations}}, name) == read
