"""How the manifest of a color is read: as kubectl reads it, with the line of every field, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen.release.snapshot import LARGEST_BYTES, Place, SnapshotError, field_text, load, read_text, resolved

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n"


def problem_of(text: str) -> str:
    with pytest.raises(SnapshotError) as caught:
        read_text("k8s/web.yaml", text)
    return str(caught.value)


def write(project: Path, **files: str) -> None:
    for name, text in files.items():
        file = project / "k8s" / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


def test_a_folder_is_read_in_the_order_of_its_files_with_documents_and_lists(tmp_path: Path) -> None:
    listed = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: two}}\n"
    write(tmp_path, b=listed, a="---\n" + CONFIG_MAP.format("one") + "---\n---\n" + CONFIG_MAP.format("three"))
    snapshot = load(tmp_path, "k8s")
    assert [str(document) for document in snapshot.documents] == ["ConfigMap one", "ConfigMap three", "Secret two"]
    assert snapshot.documents[0].place(("metadata", "name")) == Place(file="k8s/a.yaml", line=5)
    assert snapshot.documents[2].place(("metadata", "name")) == Place(file="k8s/b.yaml", line=4)


def test_a_file_is_read_alone(tmp_path: Path) -> None:
    write(tmp_path, a=CONFIG_MAP.format("one"), b=CONFIG_MAP.format("two"))
    [document] = load(tmp_path, "k8s/b.yaml").documents
    assert str(document.place()) == "k8s/b.yaml:1"


def test_a_field_that_is_not_there_has_the_line_of_the_object_around_it() -> None:
    [document] = read_text("web.yaml", CONFIG_MAP.format("one") + "data:\n  a: b\n")
    assert document.place(("data", "b")).line == 5
    assert document.place(("spec", "replicas")).line == 1


def test_anchors_and_merges_are_written_out() -> None:
    text = CONFIG_MAP.format("one") + "data: {a: &a {x: 1, y2: 2}, b: *a, c: {<<: *a, x: 3}}\n"
    [document] = read_text("web.yaml", text)
    data = document.object["data"]
    assert data == {"a": {"x": 1, "y2": 2}, "b": {"x": 1, "y2": 2}, "c": {"x": 3, "y2": 2}}
    assert data["a"] is not data["b"]


AS_KUBECTL = {
    "0644": 420,
    "0o644": 420,
    "1e3": 1000,
    "12:30": "12:30",
    "y": True,
    "off": False,
    "0x1F": 31,
    "-0b11": -3,
    "1_000": 1000,
    "1.10": 1.1,
    "2001-01-01": "2001-01-01",
    "08": 8,
    "~": None,
    "1.2.3": "1.2.3",
    "-": "-",
    "18446744073709551616": 2.0**64,
}


@pytest.mark.parametrize(("text", "value"), AS_KUBECTL.items(), ids=AS_KUBECTL)
def test_a_plain_value_is_read_as_kubectl_reads_it(text: str, value: Any) -> None:
    assert resolved(text) == value
    assert type(resolved(text)) is type(value)


REFUSED = {
    "no YAML": ("a: [", "k8s/web.yaml:2: no YAML"),
    "a template": ("a: {{ .Values.name }}", "--helm"),
    "an endless alias": ("a: &x [*x]", "k8s/web.yaml:1: a[0]: *x"),
    "too deep": ("a: " + "{a: " * 500 + "}" * 500, "nested at most 100 levels"),
    "aliases of aliases": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
        "too many values",
    ),
    "a key twice": ("a: 1\nb: 2\na: 3", "k8s/web.yaml:3: a: twice"),
    "a key that is a number": ("a:\n  1: 2", 'Write it in quotes: "1":'),
    "a key that is a boolean": ("on: 2", 'Write it in quotes: "on":'),
    "a NUL character": ("a: b\nc: \0", "k8s/web.yaml:2: a NUL character"),
    "an escaped NUL character": ('a: "\\0"', "a character that no encoding can write"),
    "no object": ("- 1", "an object with apiVersion, kind and metadata"),
    "without a kind": ("apiVersion: v1", "k8s/web.yaml:1: kind: missing"),
    "a name that is a number": (CONFIG_MAP.format("12"), "k8s/web.yaml:4: metadata.name: no text"),
    "a tag": ("a: !!binary aa", "a value without a tag"),
    "no finite number": ("a: .inf", "a finite number"),
    "the input of kustomize": ("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization", "--kustomize"),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_the_line_and_the_way_out(text: str, expected: str) -> None:
    assert expected in problem_of(text)


def test_every_file_that_is_wrong_is_named(tmp_path: Path) -> None:
    write(tmp_path, a="a: [", b="- 1", c=CONFIG_MAP.format("one"))
    with pytest.raises(SnapshotError) as caught:
        load(tmp_path, "k8s")
    assert [problem.place.file for problem in caught.value.problems] == ["k8s/a.yaml", "k8s/b.yaml"]


PATHS = {
    "/etc": "outside the project",
    "../other": "outside the project",
    ".": "outside the project",
    "none": "no file or folder",
    "empty": "a folder without YAML files",
    "link.yaml": "outside the project",
    "large.yaml": f"at most {LARGEST_BYTES} bytes",
    "latin.yaml": "latin.yaml:2: no text in UTF-8",
    "comment.yaml": "no object",
    "a\0b": "a file or a folder that can be read",
}


@pytest.mark.parametrize(("path", "expected"), PATHS.items(), ids=map(repr, PATHS))
def test_a_path_that_leads_to_no_snapshot_is_refused(tmp_path: Path, path: str, expected: str) -> None:
    project = tmp_path / "project"
    (project / "empty").mkdir(parents=True)
    (tmp_path / "outside.yaml").write_text(CONFIG_MAP.format("one"))
    (project / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (project / "large.yaml").write_text("a: " + "x" * 2_000_000)
    (project / "latin.yaml").write_bytes(b"a: b\nc: \xe4")
    (project / "comment.yaml").write_text("# nothing\n")
    with pytest.raises(SnapshotError) as caught:
        load(project, path)
    assert expected in str(caught.value)


def test_a_path_is_written_as_people_write_it() -> None:
    assert field_text(("spec", "containers", 0, "image")) == "spec.containers[0].image"


def test_what_both_readers_agree_on_is_read_equally() -> None:
    text = CONFIG_MAP.format("one") + "data:\n  a: |\n    b\n    c\n  d: >-\n    e\n    f\n  g: 'h'\n  i: {}\n  j: []\n  k:\n"
    [document] = read_text("web.yaml", text)
    assert document.object == yaml.safe_load(text)
