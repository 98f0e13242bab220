"""A snapshot is written so that the same objects give the same bytes, and no value of a Secret is in it."""

import base64
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.release.snapshot import PLACEHOLDER, read_text
from bluegreen.release.snapshot_file import (
    SecretValueError,
    cleaned,
    text_of,
    with_image,
    without_secret_values,
    written,
)


def an_object(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}


def a_deployment(*images: str, init: tuple[str, ...] = ()) -> dict[str, Any]:
    containers = {
        "containers": [{"name": f"c{place}", "image": image} for place, image in enumerate(images)],
        "initContainers": [{"name": f"i{place}", "image": image} for place, image in enumerate(init)],
    }
    return an_object("Deployment", "web", spec={"template": {"spec": containers}})


def read(text: str) -> list[Any]:
    return [document.object for document in read_text("k8s.yaml", text)]


def test_documents_are_sorted_by_kind_and_name_and_their_keys_in_the_order_that_people_write() -> None:
    service = {
        "spec": {"ports": [{"port": 80, "name": "http"}]},
        "metadata": {"namespace": "shop", "name": "b"},
        "kind": "Service",
    }
    text = text_of(
        [service | {"apiVersion": "v1"}, an_object("Service", "a"), an_object("ConfigMap", "z", data={"b": "2", "a": "1"})]
    )
    assert text.partition("---\n")[2] == (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: z\ndata:\n  a: '1'\n  b: '2'\n".replace("'", '"')
        + "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: a\n"
        + "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: b\n  namespace: shop\nspec:\n"
        + "  ports:\n  - name: http\n    port: 80\n"
    )


def test_the_order_of_documents_and_of_keys_in_the_input_does_not_change_a_byte() -> None:
    one = an_object("ConfigMap", "a", data={"x": "1", "y": "2"})
    other = dict(reversed(an_object("Secret", "b", type="Opaque").items()))
    assert text_of([one, other]) == text_of([dict(other), dict(reversed(one.items()))])


@pytest.mark.parametrize(
    "text",
    ["on", "y", "NO", "1e3", "0x1F", "0o17", "1_000", "012", "12:30", "2024-01-01", "~", "", "=", "<<", ".5", "-", "1.10"],
)
def test_a_text_that_a_reader_of_yaml_could_take_for_something_else_is_quoted(text: str) -> None:
    document = written({"data": {text or "empty": text}})
    assert yaml.safe_load(document) == {"data": {text or "empty": text}}
    assert read(written(an_object("ConfigMap", "c", data={"v": text})))[0]["data"] == {"v": text}


def test_a_file_in_a_configmap_keeps_its_lines() -> None:
    assert "  nginx.conf: |\n    server {\n      listen 80;\n    }\n" in written(
        {"data": {"nginx.conf": "server {\n  listen 80;\n}\n"}}
    )


# The reader refuses NUL and halves of a surrogate pair.
_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _texts
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3), max_leaves=8
)


@given(_values)
def test_whatever_is_written_is_read_again_as_the_same_by_both_readers(value: Any) -> None:
    item = an_object("ConfigMap", "c", data=value)
    text = text_of([item])
    assert read(text) == [item]
    assert text_of(read(text)) == text


def test_what_a_cluster_or_another_tool_has_added_is_left_out() -> None:
    added: dict[str, Any] = {
        "annotations": {"argocd.argoproj.io/tracking-id": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "labels": {"kustomize.toolkit.fluxcd.io/name": "x", "team": "shop"},
        "uid": "1",
        "resourceVersion": "2",
        "managedFields": [{}],
        "creationTimestamp": None,
    }
    item = an_object("Deployment", "web", status={"replicas": 1}, spec={"template": {"metadata": {"creationTimestamp": None}}})
    before = {**item, "metadata": {**item["metadata"], **added}}
    assert cleaned(before) == an_object("Deployment", "web", spec={"template": {"metadata": {}}}) | {
        "metadata": {"name": "web", "labels": {"team": "shop"}}
    }
    assert before["status"] == {"replicas": 1}, "the input was changed"


def test_the_address_that_a_cluster_gave_to_a_service_is_left_out_and_a_headless_service_stays_headless() -> None:
    assert cleaned(an_object("Service", "a", spec={"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}))["spec"] == {}
    assert cleaned(an_object("Service", "a", spec={"clusterIP": "None"}))["spec"] == {"clusterIP": "None"}


def test_a_value_of_a_secret_is_moved_and_a_text_becomes_readable() -> None:
    encoded = base64.b64encode(b"s3cret\n").decode()
    moved = without_secret_values(
        [an_object("Secret", "db", data={"password": encoded, "user": "YQ=="}, stringData={"user": "b"})]
    )
    assert moved.values == {"db": {"password": "s3cret\n", "user": "b"}}
    assert moved.objects == [an_object("Secret", "db", stringData={"password": PLACEHOLDER, "user": PLACEHOLDER})]
    assert "s3cret" not in repr(moved)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b", b"\x1b[31m"])
def test_a_binary_value_of_a_secret_stays_in_base64(content: bytes) -> None:
    encoded = base64.b64encode(content).decode()
    moved = without_secret_values([an_object("Secret", "tls", data={"key": encoded})])
    assert moved.values == {"tls": {"key": encoded}}
    assert moved.objects == [an_object("Secret", "tls", data={"key": PLACEHOLDER})]


def test_a_value_that_was_moved_before_is_kept_where_it_is() -> None:
    secret = an_object("Secret", "db", stringData={"password": PLACEHOLDER}, data={"key": PLACEHOLDER})
    moved = without_secret_values([secret])
    assert (moved.values, sorted(moved.kept)) == ({}, [("db", "key"), ("db", "password")])
    assert moved.objects == [secret]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"data": {"k": "pass word!"}}, "data.k is not in base64"),
        ({"stringData": {"k": 5432}}, "stringData.k is no text"),
        ({"data": ["x"]}, "data is no object"),
    ],
)
def test_a_secret_that_kubernetes_would_reject_is_refused_without_its_value(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(SecretValueError, match=words) as refused:
        without_secret_values([an_object("Secret", "db", **fields)])
    assert "pass word" not in str(refused.value)
    assert "5432" not in str(refused.value)


def test_an_image_replaces_that_of_every_container_of_the_same_repository() -> None:
    before = a_deployment("shop/web:1", "envoy:1", init=("shop/web:0", "busybox"))
    [after] = with_image([before], "shop/web:1", "mirror.example/web:2")
    assert after == a_deployment("mirror.example/web:2", "envoy:1", init=("mirror.example/web:2", "busybox"))
    assert before == a_deployment("shop/web:1", "envoy:1", init=("shop/web:0", "busybox")), "the input was changed"
