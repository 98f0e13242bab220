"""`deploy` with a manifest, a kustomization and a chart of our own: what it writes, what it deploys, and where no secret is."""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dev.sandbox import toolchain
from tests.cluster import ROOT, SandboxCluster
from tests.command import Operator, Ran
from tests.engine.onlookers import served_by
from tests.stack import SandboxEnvironment, environment_of_its_own

CONFIG = {
    "bluegreen:activeColor": "blue",
    "bluegreen:app": "shop",
    "bluegreen:drainSeconds": 1,
    "bluegreen:readyTimeoutSeconds": 60,
}
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: {team: checkout}
spec:
  replicas: 1
  selector: {matchLabels: {app.kubernetes.io/name: shop}}
  template:
    metadata:
      labels: {app.kubernetes.io/name: shop}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: web
        image: bluegreen.example/app:1.0
        ports: [{name: http, containerPort: 3000}]
        readinessProbe: {httpGet: {path: /ready, port: http}, periodSeconds: 1}
        envFrom: [{configMapRef: {name: shop-conf}}]
        env:
        - {name: PASSWORD, valueFrom: {secretKeyRef: {name: shop-db, key: password}}}
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  selector: {app.kubernetes.io/name: shop}
  ports: [{name: http, port: 80, targetPort: http}]
"""
VALUES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: shop-conf}
data: {GREETING: hello}
---
apiVersion: v1
kind: Secret
metadata: {name: shop-db}
stringData: {password: "%s"}
data: {key: %s}
"""
# Each way has secrets of its own; none of them may be found anywhere.
PLAIN, GENERATED, CHARTED = "plain-s3cret", "generated-s3cret", "charted-s3cret"
BINARY = base64.b64encode(b"\xff\xfe" + PLAIN.encode()).decode()

TEMPLATE = DEPLOYMENT.replace("app:1.0", "app:{{ .Values.tag }}").replace(
    "name: shop\n  labels", "name: {{ .Release.Name }}\n  labels"
)
TEST_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: shop-test, annotations: {helm.sh/hook: test}}
spec: {containers: [{name: curl, image: curl}]}
"""
HOOK = """\
{{- if .Values.hook }}
apiVersion: batch/v1
kind: Job
metadata: {name: shop-migrate, annotations: {helm.sh/hook: pre-upgrade}}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: migrate}]}}}
{{- end }}
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with plain YAML, a kustomization and a chart."""
    directory = tmp_path_factory.mktemp("sources")
    written = {
        "plain/shop.yaml": f"{DEPLOYMENT}---\n{SERVICE}",
        "plain/values.yaml": VALUES % (PLAIN, BINARY),
        "base/shop.yaml": f"{DEPLOYMENT}---\n{SERVICE}",
        "base/kustomization.yaml": "resources: [shop.yaml]\n",
        "overlay/kustomization.yaml": (
            "resources: [../base]\nlabels: [{pairs: {tier: front}}]\n"
            "configMapGenerator: [{name: shop-conf, literals: [GREETING=hello]}]\n"
            f"secretGenerator: [{{name: shop-db, literals: [password={GENERATED}]}}]\n"
        ),
        "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 0.1.0\n",
        "chart/values.yaml": "tag: '1.0'\nhook: false\npassword: ''\n",
        "chart/templates/shop.yaml": f"{TEMPLATE}---\n{SERVICE}",
        "chart/templates/values.yaml": VALUES % ("{{ .Values.password }}", BINARY),
        "chart/templates/tests/test.yaml": TEST_POD,
        "chart/templates/hook.yaml": HOOK,
        "prod.yaml": f"tag: '2.0'\npassword: {CHARTED}\n",
    }
    for name, text in written.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return directory


class Watched(Operator):
    """An operator of whom everything is kept that others could read: arguments of the tools, output, written files."""

    def __init__(self, environment: SandboxEnvironment, directory: Path) -> None:
        super().__init__(environment)
        self.said: list[str] = []
        self.log = directory / "arguments"
        self.log.touch()
        tools = directory / "tools"
        tools.mkdir()
        helm = toolchain.build_on_demand(toolchain.HELM)
        path = f"{self.variables['PATH']}{os.pathsep}{helm}"
        for name in ("pulumi", "kubectl", "helm"):
            tool = tools / name
            tool.write_text(
                f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>"{self.log}"\nexec {shutil.which(name, path=path)} "$@"\n'
            )
            tool.chmod(0o755)
        self.variables = {**self.variables, "PATH": f"{tools}{os.pathsep}{path}"}

    def run(self, verb: str, *arguments: str, status: int = 0, **rest: str) -> Ran:  # type: ignore[override]
        ran = super().run(verb, *arguments, status=status, **rest)
        self.said += [ran.out, ran.err]
        return ran

    def snapshot(self, color: str) -> Path:
        return ROOT / "manifests" / self.environment.name / f"{color}.yaml"

    def written(self) -> dict[str, str]:
        """The text of the config file and of the snapshots."""
        files = [self.config_file, *(self.snapshot(color) for color in ("blue", "green"))]
        return {file.name: file.read_text() for file in files if file.exists()}

    def public(self) -> str:
        """Everything that others can read."""
        return "\n".join([*self.said, *self.written().values(), self.log.read_text(), self.environment.state_text()])


@pytest.fixture(scope="module")
def operator(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    directory = tmp_path_factory.mktemp("manifest")
    with environment_of_its_own(cluster, directory, CONFIG) as environment:
        try:
            yield Watched(environment, directory)
        finally:
            shutil.rmtree(ROOT / "manifests" / environment.name, ignore_errors=True)
            if (ROOT / "manifests").exists() and not any((ROOT / "manifests").iterdir()):
                (ROOT / "manifests").rmdir()


@pytest.fixture(scope="module")
def standing(operator: Watched, sources: Path) -> Watched:
    """Users on blue, which is from plain YAML."""
    operator.run("deploy", "blue", "--manifest", str(sources / "plain"))
    operator.environment.users.wait_for("blue")
    return operator


def secrets_of(environment: SandboxEnvironment, color: str) -> list[dict[str, str]]:
    """The decoded values of the Secrets of a color."""
    found = [item for name, item in environment.objects().items() if name.startswith(f"Secret/shop-{color}-")]
    return [{key: base64.b64decode(value).decode(errors="replace") for key, value in item["data"].items()} for item in found]


def test_a_folder_of_plain_yaml_is_deployed_and_written_beside_the_config(standing: Watched) -> None:
    documents = [*yaml.safe_load_all(standing.snapshot("blue").read_text())]
    assert [item["kind"] for item in documents] == ["ConfigMap", "Deployment", "Secret", "Service"]
    config = yaml.safe_load(standing.config())["config"]
    assert config["blue:manifest"] == f"manifests/{standing.environment.name}/blue.yaml"
    assert config["blue:imageTag"] == "1.0"
    assert set(config["blue:secretData"]["shop-db"]) == {"key", "password"}
    deployment = standing.environment.get("deployment", "shop-blue")
    assert deployment["metadata"]["labels"]["team"] == "checkout"
    [values] = secrets_of(standing.environment, "blue")
    assert values["password"] == PLAIN
    assert values["key"].endswith(PLAIN)


def test_the_same_manifest_again_changes_no_byte_and_no_object(standing: Watched, sources: Path) -> None:
    before, objects = standing.written(), standing.environment.objects()
    standing.run("deploy", "blue", "--manifest", str(sources / "plain"))
    assert standing.written() == before
    assert standing.environment.objects() == objects


def test_what_the_live_color_cannot_take_is_refused_and_put_back(standing: Watched, sources: Path) -> None:
    before = standing.written()
    refused = standing.run("deploy", "blue", "--manifest", str(sources / "plain"), "--image", "2.0", status=13)
    assert "LIVE_STAYS" in refused.err
    assert standing.written() == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("kind: Deployment", "kind: StatefulSet", "shop.yaml:1"),
        ("containerPort: 3000", "containerPort: 3000, hostPort: 80", "shop.yaml:17"),
        ("kind: Deployment", "kind Deployment", "shop.yaml:3"),
    ],
)
def test_what_cannot_be_released_names_the_line_of_the_source_and_touches_nothing(
    standing: Watched, sources: Path, tmp_path: Path, old: str, new: str, words: str
) -> None:
    shutil.copytree(sources / "plain", tmp_path / "bad")
    file = tmp_path / "bad" / "shop.yaml"
    file.write_text(file.read_text().replace(old, new))
    before = standing.written()
    refused = standing.run("deploy", "green", "--manifest", str(tmp_path / "bad"), status=2)
    assert words in refused.err
    assert standing.written() == before


def test_a_kustomization_and_a_chart_reach_users_without_a_failed_request(standing: Watched, sources: Path) -> None:
    environment = standing.environment
    kustomize = ["deploy", "green", "--kustomize", str(sources / "overlay"), "--image", "2.0"]
    with served_by(environment, "blue", "green"):
        standing.run(*kustomize)
        first = standing.written()
        standing.run(*kustomize)
        assert standing.written() == first
        [values] = secrets_of(environment, "green")
        assert values == {"password": GENERATED}
        assert "name: shop-db\n" in first["green.yaml"], "a digest of the values is in the name"
        standing.run("test", "green")
        standing.run("activate", "green")
        helm = [
            "deploy",
            "blue",
            "--helm",
            str(sources / "chart"),
            "-f",
            str(sources / "prod.yaml"),
            "--image",
            "bluegreen.example/app:3.0",
        ]
        said = standing.run(*helm)
        assert "shop-test is a test of the chart and was left out" in said.err + said.out
        second = standing.written()
        standing.run(*helm)
        assert standing.written() == second
        assert "image: bluegreen.example/app:3.0\n" in second["blue.yaml"]
        assert environment.get("deployment", "shop-blue")["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":3.0")
        environment.set({"bluegreen:activeColor": "blue", "bluegreen:testColor": "green"})
        summary = standing.run("plan", "--markdown").out
        assert "users move to blue" in summary
        assert "# Secret shop-db: password has another value" in summary
        assert "+        image: bluegreen.example/app:3.0" in summary
        environment.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
        standing.run("activate", "blue")
        standing.run("rollback")
    assert environment.users.served_by() == "green"


def test_a_hook_of_helm_is_refused(standing: Watched, sources: Path, tmp_path: Path) -> None:
    (tmp_path / "hook.yaml").write_text("hook: true\n")
    before = standing.written()
    values = ["-f", str(sources / "prod.yaml"), "-f", str(tmp_path / "hook.yaml")]
    refused = standing.run("deploy", "blue", "--helm", str(sources / "chart"), *values, status=2)
    assert "migrate" in refused.err
    assert standing.written() == before


def test_no_secret_can_be_read_anywhere(standing: Watched) -> None:
    public = standing.public()
    assert "config set --secret" in standing.log.read_text()
    for secret in (PLAIN, GENERATED, CHARTED):
        assert secret not in public
        assert base64.b64encode(secret.encode()).decode() not in public
    assert BINARY not in public


def test_a_color_that_is_removed_leaves_no_values_of_secrets_in_the_config(standing: Watched) -> None:
    standing.run("decommission", "blue")
    refused = standing.run("deploy", "blue", "--image", "2.0", status=2)
    assert f"bluegreen deploy blue --manifest manifests/{standing.environment.name}/green.yaml --image 2.0" in refused.err
    config = yaml.safe_load(standing.config())["config"]
    assert [key for key in config if key.startswith("blue:")] == []
    assert json.loads(standing.run("status", "--json").out.splitlines()[0])["active"] == "green"
