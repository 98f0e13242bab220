"""What a team has gets the form of a snapshot: names without digests of kustomize, no values of Secrets."""

from pathlib import Path

import pytest

from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.prepare import prepare
from bluegreen.cli.sources import Source, Tool
from bluegreen.release.snapshot import PLACEHOLDER

# As `kubectl kustomize` writes it.
GENERATED = """\
apiVersion: v1
kind: Secret
metadata:
  name: db-89hb2c9f72
type: Opaque
data:
  password: czNjcmV0PCY+eA==
  user: Ym9i
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: web
        envFrom:
        - secretRef:
            name: db-89hb2c9f72
        - secretRef:
            name: other-89hb2c9f72
"""


def source(tmp_path: Path, text: str) -> Source:
    (tmp_path / "k8s.yaml").write_text(text)
    return Source(tool=Tool.NONE, target=str(tmp_path))


def test_the_digest_of_kustomize_goes_from_names_and_from_the_references_to_them(tmp_path: Path) -> None:
    secret, deployment = prepare(source(tmp_path, GENERATED), app="web", namespace="prod").documents
    assert secret.name == "db"
    references = deployment.object["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    assert references == [{"secretRef": {"name": "db"}}, {"secretRef": {"name": "other-89hb2c9f72"}}]


def test_the_values_of_secrets_are_moved_under_the_name_that_the_snapshot_has(tmp_path: Path) -> None:
    prepared = prepare(source(tmp_path, GENERATED), app="web", namespace="prod")
    assert prepared.moved.values == {"db": {"password": "s3cret<&>x", "user": "bob"}}
    assert prepared.documents[0].object["stringData"] == {"password": PLACEHOLDER, "user": PLACEHOLDER}


def test_a_secret_that_kubernetes_would_reject_is_refused_without_its_value(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"data\.user is not in base64") as refused:
        prepare(source(tmp_path, GENERATED.replace("Ym9i", "bob!")), app="web", namespace="prod")
    assert refused.value.status is Exit.CONFIG
    assert "bob!" not in str(refused.value)


def test_an_object_of_an_odd_shape_is_left_to_the_rules(tmp_path: Path) -> None:
    text = GENERATED.replace("    spec:\n      containers:", "    spec:\n      initContainers: [3]\n      containers:").replace(
        "kind: Secret", "kind: SealedSecret"
    )
    assert (
        len(
            prepare(
                source(tmp_path, text + "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n"),
                app="web",
                namespace="prod",
            ).documents
        )
        == 3
    )
