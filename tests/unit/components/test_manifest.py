"""The program with a manifest: what it registers, and the config keys that only manifests need."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from bluegreen.gate.check import wanted
from bluegreen.release import metadata
from bluegreen.release.config_reader import read_settings
from bluegreen.release.live import Live, live_color
from bluegreen.workload import WORKLOADS
from tests.unit.program import Run, run

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {team: front, app.kubernetes.io/managed-by: Helm}}
spec:
  replicas: 2
  selector: {matchLabels: {team: front}}
  template:
    metadata: {labels: {team: front}}
    spec:
      containers:
      - name: log
        image: registry.example/log:7
      - name: web
        image: registry.example/web:1.0
        ports: [{name: http, containerPort: 3000}, {name: admin, containerPort: 3001}]
        env: [{name: PASSWORD, valueFrom: {secretKeyRef: {name: keys, key: password}}}]
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: "${secretData}"}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {team: front}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: admin}
spec: {selector: {team: front}, ports: [{name: http, port: 81, targetPort: admin}]}
"""
BASE = {
    "bluegreen:app": "web",
    "bluegreen:activeColor": "blue",
    "bluegreen:service": "web",
    "blue:manifest": "k8s/blue.yaml",
    "blue:secretData": '{"keys": {"password": "hunter2"}}',
}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "blue.yaml").write_text(WEB)
    (tmp_path / "k8s" / "next.yaml").write_text(WEB.replace("web:1.0", "web:2.0").replace("team: front", "team: back"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(**changed: str) -> Run:
    config = BASE | {key.replace("_", ":", 1): value for key, value in changed.items()}
    return run(config, ["blue:secretData"])


def test_the_objects_of_a_manifest_are_written_with_the_labels_of_the_team() -> None:
    objects = ran().objects()
    kinds = sorted(resource.kind for resource in objects.values())
    assert kinds == [
        "Deployment",
        "DestinationRule",
        "DestinationRule",
        "Gateway",
        "Secret",
        "Service",
        "Service",
        "VirtualService",
    ]
    described = objects["Deployment/web-blue"].inputs["metadata"]
    assert described["labels"]["team"] == "front"
    assert described["labels"]["app.kubernetes.io/managed-by"] == "pulumi-bluegreen"
    assert described["annotations"][metadata.IMAGE] == "registry.example/web:1.0"


def test_the_main_container_is_found_again_in_the_deployment() -> None:
    written = ran().objects()["Deployment/web-blue"].inputs
    assert live_color(written).image == "registry.example/web:1.0"


def test_a_service_keeps_its_component_and_every_service_has_one() -> None:
    resources = ran().resources
    assert {name for name, resource in resources.items() if resource.kind == "Service"} == {"Service/web", "Service/admin"}
    assert [resource.inputs["spec"]["selector"] for name, resource in ran().objects().items() if name == "Service/web"] == [
        {metadata.APP: "web"}
    ]


def test_a_value_of_a_secret_is_secret_wherever_it_goes() -> None:
    for name, resource in ran().resources.items():
        if "hunter2" in json.dumps(resource.raw):
            assert name.startswith("Secret/web-blue-keys-")
            assert "4dabf18193072939515e22adb298388d" in json.dumps(resource.raw["stringData"])  # the mark of a secret


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("blue_manifest", "k8s/next.yaml"),
        ("blue_secretData", '{"keys": {"password": "hunter3"}}'),
        ("bluegreen_service", "admin"),
        ("blue_imageTag", "3.0"),
        ("blue_replicas", "3"),
    ],
)
def test_another_value_of_a_key_has_an_effect(key: str, value: str) -> None:
    assert inputs(ran()) != inputs(ran(**{key: value}))


def inputs(ran: Run) -> dict[str, Any]:
    return {name: resource.inputs for name, resource in ran.resources.items()}


def test_a_wrong_manifest_is_refused_with_file_and_line(project: Path) -> None:
    (project / "k8s" / "blue.yaml").write_text(WEB.replace("containerPort: 3001", "containerPort: 3001, hostPort: 80"))
    with pytest.raises(pulumi.RunError, match=r"k8s/blue\.yaml:16: .*hostPort: 80\n.*both colors would need this port"):
        ran()


def test_the_hash_of_the_pods_follows_the_manifest() -> None:
    def template(**changed: str) -> str:
        settings = read_settings({**BASE, **changed}, workloads=WORKLOADS)
        return wanted(settings, "organization/bluegreen/prod", Live()).colors["blue"].template

    written = ran().objects()["Deployment/web-blue"].inputs["metadata"]["annotations"]
    assert template() == written[metadata.TEMPLATE]
    assert template(**{"blue:manifest": "k8s/next.yaml"}) != template()
    assert template(**{"blue:replicas": "3"}) == template()


AUTOSCALER = """
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {minReplicas: 3, maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}
"""


def test_an_autoscaler_of_the_team_owns_the_number_of_pods(project: Path) -> None:
    (project / "k8s" / "blue.yaml").write_text(WEB + AUTOSCALER)
    objects = ran().objects()
    assert objects["HorizontalPodAutoscaler/web-blue-autoscaler"].inputs["spec"]["maxReplicas"] == 9
    deployment = objects["Deployment/web-blue"]
    assert deployment.inputs["spec"]["replicas"] == 3
    assert [*deployment.request.ignoreChanges] == ["spec.replicas"]
    settings = read_settings(BASE, workloads=WORKLOADS)
    assert wanted(settings, "organization/bluegreen/prod", Live()).colors["blue"].is_autoscaled
