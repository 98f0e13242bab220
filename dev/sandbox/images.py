"""Builds container images without a container engine or a registry: one static binary in an OCI layout.

The archive can be loaded with `ctr images import`. Every image is loaded under its tag and its digest, as after a pull, so that
a pod can use either.
"""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.sandbox.errors import SandboxError
from dev.sandbox.layout import CONTAINERD_SOCKET
from dev.sandbox.processes import Processes

APP_REPOSITORY = "bluegreen.example/app"
APP_TAGS = ("1.0", "2.0", "3.0")
NOTES_REPOSITORY = "bluegreen.example/notes"
NOTES_TAGS = ("1.0", "2.0", "3.0")
# A numeric user that is not root, as the restricted Pod Security profile requires; in no user database.
UNPRIVILEGED_USER = "65532:65532"

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image of one static binary, which is its entrypoint."""

    repository: str
    tag: str
    binary: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return f"{self.repository}:{self.tag}"


def app_image(binary: Path, tag: str, environment: dict[str, str] | None = None) -> Image:
    """The sample application as `tag`, which it reports as its version unless `environment` overrides VERSION."""
    return Image(repository=APP_REPOSITORY, tag=tag, binary=binary, environment={"VERSION": tag} | (environment or {}))


def notes_images(binary: Path) -> list[Image]:
    """The versions of examples/notes: one binary, whose version is the variable VERSION."""
    return [Image(repository=NOTES_REPOSITORY, tag=tag, binary=binary, environment={"VERSION": tag}) for tag in NOTES_TAGS]


def load(images: list[Image], processes: Processes, ctr: Path) -> dict[str, str]:
    """Loads `images` into the sandbox's containerd; returns their digests (`sha256:...`) by reference."""
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "images.tar"
        digests = write_archive(images, archive)
        importing = [
            str(ctr),
            f"--address={CONTAINERD_SOCKET}",
            "--namespace=k8s.io",
            "images",
            "import",
            "--local",
            str(archive),
        ]
        result = subprocess.run(processes.run_inside(importing), capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SandboxError(f"containerd could not import the images {sorted(digests)}: {result.stderr.strip()}")
    return digests


def write_archive(images: list[Image], archive: Path) -> dict[str, str]:
    """Writes an OCI layout of `images` to the tar file `archive`; returns the digests of the manifests by reference."""
    blobs: dict[str, bytes] = {}
    layers: dict[Path, str] = {}
    manifests = []
    digests = {}
    for image in images:
        if image.binary not in layers:
            layers[image.binary] = _add(blobs, _layer(image.binary))
        manifest = _manifest(image, layers[image.binary], blobs)
        digests[image.reference] = manifest["digest"]
        for name in (image.reference, f"{image.repository}@{manifest['digest']}"):
            manifests.append(manifest | {"annotations": {"io.containerd.image.name": name}})
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    with tarfile.open(archive, "w") as tar:
        _write(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _write(tar, "index.json", _json(index))
        for digest, content in blobs.items():
            _write(tar, f"blobs/{digest.replace(':', '/')}", content)
    return digests


def _manifest(image: Image, layer: str, blobs: dict[str, bytes]) -> dict[str, Any]:
    """Adds the manifest and the config of `image` to `blobs`; returns the manifest's descriptor."""
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "User": UNPRIVILEGED_USER,
            "Env": [f"{name}={value}" for name, value in sorted(image.environment.items())],
            "Entrypoint": [f"/{image.binary.name}"],
            "WorkingDir": "/",
        },
        # The layer is not compressed, so its digest is also its diff_id.
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    }
    config_digest = _add(blobs, _json(config))
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _descriptor("application/vnd.oci.image.config.v1+json", config_digest, blobs),
        "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer, blobs)],
    }
    return _descriptor(_MANIFEST, _add(blobs, _json(manifest)), blobs)


def _descriptor(media_type: str, digest: str, blobs: dict[str, bytes]) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": len(blobs[digest])}


def _layer(binary: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _write(tar, binary.name, binary.read_bytes(), mode=0o755)
    return buffer.getvalue()


def _write(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    """Adds a file with a fixed owner and time, so that the same content gives the same digest on every machine."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = mode
    tar.addfile(entry, io.BytesIO(content))


def _add(blobs: dict[str, bytes], content: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    blobs[digest] = content
    return digest


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
