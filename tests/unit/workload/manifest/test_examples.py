"""The manifests of examples/manifests can be released, and are what their comments say."""

import pytest

from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot import load
from bluegreen.workload import manifest
from bluegreen.workload.base import NoteKind
from tests.unit.program import ROOT

# Folder -> the Service and the port of the users, and how the pods become ready.
EXAMPLES = {
    "web": ("Service web at port 80", "HTTP /ready on port app"),
    "grpc": ("Service prices at port 7000", "gRPC health on port 7000"),
    "worker": ("Service orders at port 80", "HTTP /ready on port http"),
    "tcp": ("Service lines at port 7001", "a TCP connection to port tcp-lines"),
}


def example(folder: str) -> ColorSettings:
    values = {"web-database": {"password": "secret"}} if folder == "web" else {}
    snapshot = load(ROOT, f"examples/manifests/{folder}")
    workers = ("jobs",) if folder == "worker" else ()
    return ColorSettings(
        app="shop", name="blue", image="", snapshot=snapshot, secret_data=values, image_tag="2.0", workers=workers
    )


@pytest.mark.parametrize(("folder", "words"), EXAMPLES.items(), ids=EXAMPLES)
def test_an_example_can_be_released(folder: str, words: tuple[str, str]) -> None:
    color = example(folder)
    assert [*manifest.problems(color)] == []
    said = [str(note) for note in manifest.notes(color) if note.kind == NoteKind.UNDERSTOOD]
    assert any(words[0] in text for text in said)
    assert any(words[1] in text for text in said)
    assert [str(note) for note in manifest.notes(color) if note.kind == NoteKind.WARNING] == []
    assert manifest.completed(color).image == "bluegreen.example/app:2.0"
