"""What `deploy` with a manifest writes, and what it refuses before anything is written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bluegreen.cli import new_snapshot, project
from bluegreen.cli.new_snapshot import deploy_manifest, snapshot_file
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress
from bluegreen.cli.secret_data import SecretStore
from bluegreen.cli.selection import Selection
from bluegreen.cli.session import Session
from bluegreen.cli.sources import Source, Tool
from bluegreen.release.snapshot_file import Moved

CONFIG = """\
config:
  bluegreen:activeColor: blue
  bluegreen:app: shop
  bluegreen:image: registry.example/shop
  bluegreen:host: shop.example
  bluegreen:port: 80
  blue:imageTag: "1.0"
"""
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      initContainers: [{name: init, image: "registry.example/shop:1.0"}]
      containers:
      - name: shop
        image: registry.example/shop:1.0
        ports: [{name: http, containerPort: 80}]
        env: [{name: LEAK, value: s3cret-value}, {name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}]
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: s3cret-value, user: shop}
"""
DIGEST = "sha256:" + "a" * 64

Deploy = Callable[..., tuple[Mapping[str, Any], str]]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(CONFIG)
    return Session(selection=Selection(stack="me/bluegreen/prod", config_file=file), progress=Progress(is_json=False))


@pytest.fixture
def deploy(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Deploys a manifest to green; returns the changes of the config and the text of the snapshot that were to be written."""
    made: list[tuple[Mapping[str, Any], Mapping[Path, str]]] = []

    def encrypted(_: SecretStore, __: str, moved: Moved) -> Mapping[str, Any] | None:
        values = {name: {key: {"secure": "v1"} for key in found} for name, found in moved.values.items()}
        return values or None

    monkeypatch.setattr(SecretStore, "secret_data", encrypted)
    monkeypatch.setattr(new_snapshot, "up", lambda _, __, changes, files: made.append((changes, files)))

    def run(text: str = MANIFEST, image: str | None = None) -> tuple[Mapping[str, Any], str]:
        (tmp_path / "k8s.yaml").write_text(text)
        source = Source(tool=Tool.NONE, target=str(tmp_path / "k8s.yaml"))
        deploy_manifest(session, source=source, color="green", image=image, release=None)
        [(changes, files)] = made
        [(file, written)] = files.items()
        assert str(file.relative_to(project.ROOT)) == changes["green:manifest"] == "manifests/prod/green.yaml"
        return changes, written

    return run


def images(snapshot: str) -> list[str]:
    return [line.split("image: ")[1] for line in snapshot.splitlines() if "image: " in line]


@pytest.mark.parametrize(
    ("image", "tag", "written"),
    [
        (None, "1.0", "registry.example/shop:1.0"),
        ("2.0", "2.0", "registry.example/shop:1.0"),
        (DIGEST, DIGEST, "registry.example/shop:1.0"),
        ("registry.example/shop:2.0", "2.0", "registry.example/shop:2.0"),
        (f"registry.example/shop:2.0@{DIGEST}", DIGEST, f"registry.example/shop:2.0@{DIGEST}"),
    ],
    ids=["none", "a tag", "a digest", "an image", "an image with a digest"],
)
def test_the_tag_goes_into_the_config_and_a_whole_image_into_the_snapshot_too(
    deploy: Deploy, image: str | None, tag: str, written: str
) -> None:
    changes, snapshot = deploy(image=image)
    assert changes["green:imageTag"] == tag
    assert images(snapshot) == [written, written]


def test_an_image_without_a_tag_is_left_to_the_snapshot(deploy: Deploy) -> None:
    changes, snapshot = deploy(MANIFEST.replace("shop:1.0", "shop"))
    assert changes["green:imageTag"] is None
    assert images(snapshot) == ["registry.example/shop"] * 2


def test_values_of_secrets_go_into_the_config_and_one_that_stands_elsewhere_too_is_warned_of(
    deploy: Deploy, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, snapshot = deploy()
    assert changes["green:secretData"] == {"db": {"password": {"secure": "v1"}, "user": {"secure": "v1"}}}
    said = capsys.readouterr().out
    line = next(number for number, text in enumerate(snapshot.splitlines(), 1) if "s3cret-value" in text)
    assert f"green.yaml:{line} has the value of password of Secret db in plain text" in said
    assert "s3cret-value" not in said
    assert "of user" not in said, "a short value is a word of the manifest"


def test_a_color_that_had_secrets_has_none_any_more_without_a_secret(deploy: Deploy) -> None:
    text = MANIFEST.rpartition("---")[0].replace(", {name: P, valueFrom: {secretKeyRef: {name: db, key: password}}}", "")
    assert deploy(text)[0]["green:secretData"] is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: Deployment", "kind: DaemonSet", "k8s.yaml:1"),
        ("registry.example/shop:1.0\n", "other/shop:1.0\n", "k8s.yaml:12"),
        ("metadata: {name: shop}", "metadata: {name: shop, namespace: elsewhere}", "k8s.yaml:3"),
        ("targetPort: http", "targetPort: absent", "k8s.yaml:19"),
    ],
    ids=["no Deployment", "an image that the config contradicts", "another namespace", "a port that is not there"],
)
def test_what_the_program_would_refuse_is_refused_with_the_line_of_the_source(
    deploy: Deploy, session: Session, old: str, new: str, words: str
) -> None:
    with pytest.raises(ReleaseError, match="Nothing was changed") as refused:
        deploy(MANIFEST.replace(old, new))
    assert refused.value.status is Exit.CONFIG
    assert words in str(refused.value)
    assert session.selection.config_file.read_text() == CONFIG
    assert not snapshot_file("prod", "green").exists()


def test_a_manifest_is_not_deployed_from_the_state(session: Session) -> None:
    source = Source(tool=Tool.NONE, target="k8s.yaml")
    from_state = Session(selection=session.selection, progress=session.progress, is_from_state=True)
    with pytest.raises(ReleaseError, match="without --from-state") as refused:
        deploy_manifest(from_state, source=source, color="green", image=None, release=None)
    assert refused.value.status is Exit.CONFIG
