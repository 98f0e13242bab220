"""`inspect` shows how a manifest is understood, and what is refused, without a stack and without a cluster."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bluegreen.cli.main import cli

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: reader
      containers:
      - name: proxy
        image: envoy:1
        ports: [{name: admin, containerPort: 9901}, {containerPort: 53, protocol: UDP}]
      - name: web
        image: shop/web:1.0
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /ready, port: http}}
        envFrom: [{secretRef: {name: db}}, {configMapRef: {name: outside}}]
"""
OTHERS = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http, appProtocol: http}]
---
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {password: s3cret}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(DEPLOYMENT)
    (tmp_path / "b.yaml").write_text(OTHERS)
    return tmp_path


def inspect(*arguments: str | Path, status: int = 0) -> Result:
    ran = CliRunner().invoke(cli, ["inspect", *map(str, arguments)])
    assert ran.exit_code == status, ran.output
    return ran


def test_what_was_understood_rewritten_shared_and_left_out_is_shown_with_its_line(folder: Path) -> None:
    shown = inspect(folder).output
    for line in (
        "application   web, Deployment web",
        "container     web: it has the name of the application",
        "image         shop/web:1.0",
        "ports         proxy: 9901 (admin)",
        "              proxy: 53/UDP",
        "Services      web: 80 (http, http) -> http",
    ):
        assert f"{line}\n" in shown
    sections = [line for line in shown.splitlines() if line.endswith(":")]
    assert sections == ["understood:", "rewritten:", "shared:", "left out:", "warning:"]
    assert "Container web is ready by HTTP /ready on port http" in shown
    assert "ServiceAccount reader" in shown
    assert "ConfigMap outside" in shown
    assert f"Ingress web is left out: it is there once, for both colors; apply it as before ({folder}/b.yaml:13)" in shown


def test_a_value_of_a_secret_is_never_shown(folder: Path) -> None:
    assert "s3cret" not in inspect(folder).output
    assert "s3cret" not in inspect(folder, "--json").output


def test_machines_get_the_same_as_one_object(folder: Path) -> None:
    found, result = map(json.loads, inspect(folder, "--json").output.splitlines())
    assert (found["event"], found["deployment"], found["container"], found["image"]) == (
        "inspected",
        "web",
        "web",
        "shop/web:1.0",
    )
    assert found["ports"] == ["proxy: 9901 (admin)", "proxy: 53/UDP", "web: 8080 (http)"]
    [ingress] = [note for note in found["notes"] if note["kind"] == "left out"]
    assert (ingress["file"], ingress["line"]) == (f"{folder}/b.yaml", 13)
    assert found["refused"] == []
    assert result["status"] == 0


def test_what_is_refused_ends_with_the_status_of_a_wrong_config(folder: Path) -> None:
    file = folder / "a.yaml"
    file.write_text(file.read_text().replace("containerPort: 8080", "containerPort: 8080, hostPort: 80"))
    shown = inspect(folder, status=2).output
    assert "refused:" in shown
    assert f"{file}:16" in shown
    assert "1 thing is refused" in shown
    found, result = map(json.loads, inspect(folder, "--json", status=2).stdout.splitlines())
    assert [problem["value"] for problem in found["refused"]] == ["80"]
    assert (result["status"], result["reason"]) == (2, "config")


def test_of_several_deployments_the_application_names_one(folder: Path) -> None:
    (folder / "c.yaml").write_text(DEPLOYMENT.replace("name: web}\nspec", "name: other}\nspec"))
    assert "2 Deployments" in inspect(folder, status=2).output
    assert "another Deployment" in inspect(folder, "--app", "web", status=2).output


def test_a_worker_is_named_by_an_option(folder: Path) -> None:
    worker = DEPLOYMENT.replace("{app: web}", "{app: jobs}").replace("name: web}\nspec", "name: jobs}\nspec")
    (folder / "c.yaml").write_text(worker)
    shown = inspect(folder, "--worker", "jobs").output
    assert "application   web, Deployment web\n" in shown
    assert "jobs-blue" in shown


def test_an_object_of_the_namespace_of_the_deployment_is_not_refused(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_text(file.read_text().replace("metadata: {name: web}", "metadata: {name: web, namespace: prod}"))
    inspect(folder)


def test_no_manifest_or_two_of_them_is_a_wrong_use(folder: Path) -> None:
    assert "Give one of" in inspect(status=2).output
    assert "Give one of" in inspect(folder, "--kustomize", folder, status=2).output
    assert "--values is for --helm" in inspect(folder, "-f", "values.yaml", status=2).output
