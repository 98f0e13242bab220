"""An image archive is an OCI layout with correct digests."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from dev.sandbox.images import Image, app_image, write_archive


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    path = tmp_path / "app"
    path.write_bytes(b"\x7fELF and so on")
    return path


def content(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]


def blob(files: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    data = files[f"blobs/{descriptor['digest'].replace(':', '/')}"]
    assert len(data) == descriptor["size"]
    return data


def test_every_blob_is_named_by_its_digest(binary: Path, tmp_path: Path) -> None:
    write_archive([app_image(binary, "1.0"), app_image(binary, "2.0")], tmp_path / "images.tar")
    blobs = {name: data for name, data in content(tmp_path / "images.tar").items() if name.startswith("blobs/")}
    # One layer for both, and a config and a manifest for each.
    assert len(blobs) == 5
    for name, data in blobs.items():
        assert name == f"blobs/sha256/{hashlib.sha256(data).hexdigest()}"


def test_image_is_loaded_under_its_tag_and_its_digest(binary: Path, tmp_path: Path) -> None:
    digests = write_archive([app_image(binary, "1.0")], tmp_path / "images.tar")
    index = json.loads(content(tmp_path / "images.tar")["index.json"])
    names = {entry["annotations"]["io.containerd.image.name"]: entry["digest"] for entry in index["manifests"]}
    digest = digests["bluegreen.example/app:1.0"]
    assert names == {"bluegreen.example/app:1.0": digest, f"bluegreen.example/app@{digest}": digest}


def test_image_runs_its_binary_as_an_unprivileged_user_with_its_environment(binary: Path, tmp_path: Path) -> None:
    write_archive([app_image(binary, "1.0", {"FAULT": "slow"})], tmp_path / "images.tar")
    files = content(tmp_path / "images.tar")
    manifest = json.loads(blob(files, json.loads(files["index.json"])["manifests"][0]))
    config = json.loads(blob(files, manifest["config"]))
    assert config["config"] == {
        "User": "65532:65532",
        "Env": ["FAULT=slow", "VERSION=1.0"],
        "Entrypoint": ["/app"],
        "WorkingDir": "/",
    }
    layer = blob(files, manifest["layers"][0])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    (tmp_path / "layer.tar").write_bytes(layer)
    with tarfile.open(tmp_path / "layer.tar") as tar:
        assert [(member.name, member.mode) for member in tar] == [("app", 0o755)]
    assert content(tmp_path / "layer.tar") == {"app": binary.read_bytes()}


def test_same_content_has_the_same_digest_at_any_time(binary: Path, tmp_path: Path) -> None:
    image = Image(repository="r.example/a", tag="1", binary=binary)
    assert write_archive([image], tmp_path / "one.tar") == write_archive([image], tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
