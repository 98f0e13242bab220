"""What somebody else has changed in an object is found by the cluster's own record of who owns which field."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bluegreen.release.drift import is_changed

CONTAINER = 'k:{"name":"shop"}'
PORT = 'k:{"containerPort":3000,"protocol":"TCP"}'
WANTED: dict[str, Any] = {
    "spec": {
        "replicas": 2,
        "template": {
            "spec": {
                "containers": [{"name": "shop", "image": "shop:1", "ports": [{"name": "http", "containerPort": 3000}]}],
                "securityContext": {"runAsNonRoot": True},
            }
        },
    }
}
OURS = {
    "f:spec": {
        "f:replicas": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    CONTAINER: {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:ports": {PORT: {".": {}, "f:name": {}, "f:containerPort": {}}},
                    }
                },
                "f:securityContext": {"f:runAsNonRoot": {}},
            }
        },
    }
}


def in_container(fields: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": {"f:template": {"f:spec": {"f:containers": {CONTAINER: fields}}}}}


def found(*entries: dict[str, Any], **change: Any) -> dict[str, Any]:
    """The object as it was written, with `change` of its container or its replicas, and with these owners."""
    item = copy.deepcopy(WANTED)
    item["spec"]["replicas"] = change.pop("replicas", 2)
    item["spec"]["template"]["spec"]["containers"][0] |= change
    return {**item, "metadata": {"managedFields": [*entries]}}


def entry(manager: str, fields: dict[str, Any], subresource: str = "") -> dict[str, Any]:
    return {"manager": manager, "fieldsV1": fields} | ({"subresource": subresource} if subresource else {})


MINE = entry("bluegreen", OURS)
SCALED: dict[str, Any] = {"f:spec": {"f:replicas": {}}}

# What stands in the cluster -> whether somebody else has changed what the program writes.
CASES: dict[str, tuple[dict[str, Any], bool]] = {
    "as the program has written it": (found(MINE), False),
    "another image": (found(MINE, entry("kubectl-set", in_container({"f:image": {}})), image="shop:9"), True),
    "another number of pods": (found(MINE, entry("kubectl", SCALED, "scale"), replicas=5), True),
    "another name of a port, whose key has a default": (
        found(
            MINE,
            entry("kubectl-edit", in_container({"f:ports": {PORT: {"f:name": {}}}})),
            ports=[{"name": "web", "containerPort": 3000, "protocol": "TCP"}],
        ),
        True,
    ),
    "a value that nobody else owns, as an admission controller gives it": (found(MINE, image="shop:1@sha256:1"), False),
    "a field of somebody's own": (found(MINE, entry("kubectl", {"f:spec": {"f:paused": {}}})), False),
    "taken over with the same value": (found(MINE, entry("kubectl", in_container({"f:image": {}}))), False),
    "owned by both, and the config asks for another value": (found(MINE, entry("kubectl", SCALED), replicas=5), False),
    "a status": (found(MINE, entry("kube-controller-manager", SCALED, "status"), replicas=5), False),
}


@pytest.mark.parametrize(("item", "changed"), CASES.values(), ids=CASES)
def test_a_change_is_one_of_a_field_that_the_program_writes_and_somebody_else_owns(item: dict[str, Any], changed: bool) -> None:
    ours = [each for each in item["metadata"]["managedFields"] if each["manager"] == "bluegreen"]
    if changed:  # the cluster takes a field from its owner when another one gives it another value
        ours[0] = {**ours[0], "fieldsV1": without(OURS, item["metadata"]["managedFields"][-1]["fieldsV1"])}
        item["metadata"]["managedFields"][0] = ours[0]
    assert is_changed(item, WANTED) is changed


def without(fields: dict[str, Any], taken: dict[str, Any]) -> dict[str, Any]:
    """`fields` without the leaves of `taken`."""
    below = {key: without(value, taken[key]) if key in taken else value for key, value in fields.items()}
    return {key: value for key, value in below.items() if key not in taken or taken[key]}


def test_a_list_that_is_owned_as_a_whole_is_compared_as_a_whole() -> None:
    http = [{"name": "default"}]
    edited = {"spec": {"http": [*http, {"name": "maintenance"}]}}
    somebody = {"metadata": {"managedFields": [entry("kubectl-edit", {"f:spec": {"f:http": {}}})]}}
    assert is_changed({**edited, **somebody}, {"spec": {"http": http}})
    assert not is_changed({"spec": {"http": http}, **somebody}, {"spec": {"http": http}})


def test_a_field_that_the_program_leaves_to_others_is_not_compared() -> None:
    item = found(entry("kube-controller-manager", SCALED, "scale"), replicas=5)
    assert is_changed(item, WANTED)
    assert not is_changed(item, WANTED, [("spec", "replicas")])
    assert not is_changed(item, WANTED, [("spec",)])


KEYS = st.sampled_from(
    [
        "metadata",
        "managedFields",
        "manager",
        "fieldsV1",
        "subresource",
        "spec",
        "f:spec",
        "f:replicas",
        ".",
        CONTAINER,
        "k:{",
        "k:1",
    ]
)
ANYTHING = st.recursive(
    st.none() | st.integers() | st.sampled_from(["bluegreen", "kubectl", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


@hypothesis_settings(derandomize=True, max_examples=150)
@given(
    item=st.dictionaries(KEYS, ANYTHING, max_size=4), fields=st.lists(st.dictionaries(KEYS, ANYTHING, max_size=4), max_size=3)
)
def test_whatever_the_record_holds_it_is_read(item: dict[str, Any], fields: list[Any]) -> None:
    assert is_changed(item, WANTED) in (True, False)
    assert is_changed({**item, "metadata": {"managedFields": fields}}, WANTED) in (True, False)
