"""What cannot be two colors is refused: one error each, with file, line, field, what is wrong and what to do."""

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.release.snapshot import Snapshot, read_text
from bluegreen.workload import manifest
from tests.unit.workload.manifest.made_up import Edit, color, container_of, pod_of


def refused(edit: Edit | None = None, **settings: Any) -> str:
    """The only problem, as people read it."""
    [problem] = manifest.problems(color(edit, **settings))
    return str(problem)


def test_a_manifest_that_can_be_released_has_no_problem() -> None:
    assert [*manifest.problems(color())] == []


def of(kind_and_name: str, **spec: Any) -> Edit:
    return lambda objects: objects[kind_and_name]["spec"].update(spec)


def of_pod(**fields: Any) -> Edit:
    return lambda objects: pod_of(objects["Deployment/web"]).update(fields)


def of_container(**fields: Any) -> Edit:
    return lambda objects: container_of(objects).update(fields)


def another(**fields: Any) -> Edit:
    return lambda objects: objects.update(new={"apiVersion": "v1", "metadata": {"name": "new"}} | fields)


def hook(name: str) -> Edit:
    return another(kind="Pod", metadata={"name": "new", "annotations": {"helm.sh/hook": name}})


def second_deployment(objects: dict[str, Any]) -> None:
    objects["new"] = objects["Deployment/web"] | {"metadata": {"name": "web2"}}


def second_service(objects: dict[str, Any]) -> None:
    objects["new"] = objects["Service/web"] | {"metadata": {"name": "web-internal"}}


def colored(objects: dict[str, Any]) -> None:
    objects["Deployment/web"]["spec"]["template"]["metadata"]["labels"]["color"] = "pink"


def namespaced(objects: dict[str, Any]) -> None:
    objects["Service/web"]["metadata"]["namespace"] = "other"


def default_container(objects: dict[str, Any]) -> None:
    annotations = {"kubectl.kubernetes.io/default-container": "ghost"}
    objects["Deployment/web"]["spec"]["template"]["metadata"]["annotations"] = annotations


# What is wrong -> a change of the manifest, the field in the message, and the way out.
REFUSED: dict[str, tuple[Edit, str, str]] = {
    "a StatefulSet": (another(kind="StatefulSet", apiVersion="apps/v1"), "StatefulSet new: kind", "Manage it elsewhere"),
    "a DaemonSet": (another(kind="DaemonSet", apiVersion="apps/v1"), "DaemonSet new: kind", "Manage it elsewhere"),
    "a hook of Helm": (hook("pre-upgrade"), "metadata.annotations.helm.sh/hook: pre-upgrade", "blue:migrate"),
    "no Deployment": (lambda objects: objects.pop("Deployment/web"), "no Deployment among Service web", "Add the Deployment"),
    "an old API version": (
        lambda objects: objects["PodDisruptionBudget/web"].update(apiVersion="policy/v1beta1"),
        "PodDisruptionBudget web: apiVersion: policy/v1beta1",
        "policy/v1",
    ),
    "two Deployments": (second_deployment, "2 Deployments: web, web2", "pulumi config set app web"),
    "another namespace": (namespaced, "Service web: metadata.namespace: other", "pulumi config set namespace other"),
    "the network of the node": (of_pod(hostNetwork=True), "spec.template.spec.hostNetwork: true", "Remove it"),
    "a port of the node": (
        of_container(ports=[{"name": "app", "containerPort": 3000, "hostPort": 80}]),
        "spec.template.spec.containers[1].ports[0].hostPort: 80",
        "a Service or a load balancer",
    ),
    "no containers": (of_pod(containers=[]), "spec.template.spec: no containers", "Add the application's container"),
    "a container without an image": (of_container(image=None), "spec.template.spec.containers[1]: no image", "Add image."),
    "two containers of one name": (of_container(name="nginx"), "spec.template.spec.containers[1]: nginx", "Rename it"),
    "a main container that is not there": (default_container, "default-container: ghost", "one of the containers: nginx, web"),
    "a selector of other pods": (
        of("Deployment/web", selector={"matchLabels": {"app": "other"}}),
        "Deployment web: spec.selector: app=other",
        "a selector of the labels in the template",
    ),
    "no selector": (of("Deployment/web", selector={}), "Deployment web: spec.selector: none", "Correct the selector"),
    "a paused Deployment": (of("Deployment/web", paused=True), "spec.paused: true", "Remove it"),
    "a color that is none": (colored, "spec.template.metadata.labels.color: pink", "Give your label another name"),
    "no Service": (lambda objects: objects.pop("Service/web"), "no Service selects its pods", "Add the Service"),
    "a Service of nothing": (
        another(kind="Service", spec={"selector": {"app": "other"}}),
        "Service new: spec.selector: app=other",
        "a selector of the pods of Deployment web: app=web",
    ),
    "a Service without ports": (of("Service/web", ports=[]), "bluegreen:port", "Add the port to the Service"),
    "two Services": (second_service, "bluegreen:service", "pulumi config set service web"),
    "a port that no container has": (
        of("Service/web", ports=[{"port": 80, "targetPort": "htp"}]),
        "Service web: spec.ports[0].targetPort: htp",
        "app, http, metrics",
    ),
    "a key that is not there": (
        of_container(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "flaq"}}}]),
        "env[0].valueFrom.configMapKeyRef.key: flaq",
        "a key of ConfigMap settings (k8s/web.yaml:",
    ),
    "two autoscalers": (
        lambda objects: objects.update(new=objects["HorizontalPodAutoscaler/web"] | {"metadata": {"name": "new"}}),
        "HorizontalPodAutoscaler new: a second one",
        "Remove one of the two",
    ),
    "a number as a variable": (
        of_container(env=[{"name": "PORT", "value": 3000}]),
        "spec.template.spec.containers[1].env[0].value: 3000",
        'Write it in quotes: "3000"',
    ),
    "a boolean as a label": (
        lambda objects: objects["Service/web"]["spec"]["selector"].update(web=True),
        "Service web: spec.selector.web: true",
        'Write it in quotes: "true"',
    ),
    "a null in a ConfigMap": (
        lambda objects: objects["ConfigMap/settings"]["data"].update(flag=None),
        "ConfigMap settings: data.flag: null",
        "a text",
    ),
    "more data than a ConfigMap can hold": (
        lambda objects: objects["ConfigMap/settings"]["data"].update(large="x" * 2**20),
        "ConfigMap settings: data: 10",
        "at most 1048576 bytes",
    ),
    "a list in the place of an object": (of_pod(volumes={"name": "a"}), "spec.template.spec.volumes", "a list"),
    "a text in the place of a container": (of_pod(containers=["web"]), "spec.template.spec.containers[0]", "an object"),
}


@pytest.mark.parametrize(("edit", "field", "way"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_two_is_refused_with_the_field_and_the_way_out(edit: Edit, field: str, way: str) -> None:
    message = refused(edit)
    assert field in message
    assert way in message
    assert message.startswith(("blue:manifest: k8s/web.yaml:", "bluegreen:"))


def test_no_pods_are_refused_unless_the_config_or_an_autoscaler_says_how_many() -> None:
    def edit(objects: dict[str, Any]) -> None:
        objects["Deployment/web"]["spec"]["replicas"] = 0
        objects.pop("HorizontalPodAutoscaler/web")

    assert "spec.replicas: 0" in refused(edit)
    assert [*manifest.problems(color(edit, given=frozenset({"replicas"})))] == []


def test_an_object_twice_is_refused_with_both_lines() -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n"
    [problem] = manifest.problems(_with("web.yaml", text))
    assert problem.key == "blue:manifest: web.yaml:5: Secret a"
    assert problem.allowed == "there once, and web.yaml:1 has it too"


def _with(name: str, text: str) -> Any:
    return replace(color(), snapshot=Snapshot(path=name, documents=read_text(name, text)))


def test_of_several_deployments_that_with_the_name_of_the_app_is_the_application() -> None:
    message = refused(second_deployment, app="web")
    assert "Deployment web2: another Deployment" in message
    assert "pulumi config set --path 'blue:worker[0]' web2" in message


def test_a_test_of_a_chart_is_left_out() -> None:
    assert [*manifest.problems(color(hook("test")))] == []


CLAIMS = {"ReadWriteOnce": True, "ReadWriteOncePod": True, "ReadWriteMany": False, "ReadOnlyMany": False}


@pytest.mark.parametrize(("mode", "is_refused"), CLAIMS.items(), ids=CLAIMS)
def test_a_claim_that_one_node_mounts_alone_is_refused_unless_it_is_meant(mode: str, is_refused: bool) -> None:
    claim = another(kind="PersistentVolumeClaim", metadata={"name": "data"}, spec={"accessModes": [mode]})
    if is_refused:
        assert "volumes[4].persistentVolumeClaim.claimName: data" in refused(claim)
        assert "add shared-volume to bluegreen:allow" in refused(claim)
    assert [*manifest.problems(color(claim, allow=("shared-volume",) if is_refused else ()))] == []


def test_an_image_of_another_repository_than_that_of_the_config_is_refused_with_its_line() -> None:
    message = refused(repository="registry.example/shop")
    assert "spec.template.spec.containers[1].image: registry.example/web:1.0@sha256:0123" in message
    assert "pulumi config set image registry.example/web" in message
    assert [*manifest.problems(color(repository="registry.example/web"))] == []


def test_the_same_repository_under_another_name_of_its_registry_is_not_refused() -> None:
    edit = of_container(image="index.docker.io/team/web:1")
    assert [*manifest.problems(color(edit, repository="team/web"))] == []


def test_the_service_and_the_port_of_the_users_are_those_of_the_config() -> None:
    assert [*manifest.problems(color(second_service, users_service="web-internal", users_port=90))] == []
    asked = color(second_service, users_service="web-internal", users_port=90)
    assert [service.name for service in manifest.services(asked)] == ["web-internal", "web"]
    assert "bluegreen:service: ghost" in refused(second_service, users_service="ghost")
    assert "bluegreen:port: 81" in refused(users_port=81)
    assert manifest.services(color(second_service, app="nginx", users_service="web"))[0].name == "web"


def test_a_value_of_a_secret_is_refused_and_never_shown() -> None:
    def edit(objects: dict[str, Any]) -> None:
        objects["Secret/keys"]["stringData"]["token"] = "hunter2"

    message = refused(edit)
    assert "Secret keys: stringData.token: [secret]" in message
    assert "bluegreen deploy blue --manifest k8s/web.yaml" in message
    assert "pulumi config set --secret --path 'blue:secretData.keys.token' <value>" in message
    assert "hunter2" not in message


def test_a_value_of_a_secret_that_nothing_uses_is_refused_as_well() -> None:
    edit = another(kind="Secret", data={"a": "aHVudGVyMg=="})
    assert "Secret new: data.a: [secret]" in refused(edit)


def test_a_value_of_a_secret_that_is_no_text_is_not_shown() -> None:
    message = refused(another(kind="Secret", stringData={"pin": 1234}))
    assert "stringData.pin: [secret]" in message
    assert "1234" not in message


def test_a_value_that_the_config_lacks_is_named_with_its_command() -> None:
    data = {"keys": {"token": "t", "cert": "Y2VydA=="}, "registry": {}}
    message = refused(secret_data=data)
    path = 'blue:secretData.registry[".dockerconfigjson"]'
    assert message.startswith(f"{path}: (not set)")
    assert f"pulumi config set --secret --path '{path}' <value>" in message


def test_a_value_of_data_that_is_not_in_base64_is_refused_and_not_shown() -> None:
    data = {"keys": {"token": "t", "cert": "no base64!"}, "registry": {".dockerconfigjson": "{}"}}
    message = refused(secret_data=data)
    assert "blue:secretData.keys.cert: [secret]" in message
    assert "no base64!" not in message


def test_a_readiness_path_needs_a_probe_with_http() -> None:
    edit = of_container(readinessProbe={"grpc": {"port": 3000}})
    message = refused(edit, readiness_path="/up", given=frozenset({"readinessPath"}))
    assert message.startswith("blue:readinessPath: /up")
    assert "pulumi config set green:readinessPath" in message


def test_more_replicas_than_the_autoscaler_allows_are_refused() -> None:
    assert "blue:maxReplicas: 5" in refused(replicas=9, given=frozenset({"replicas"}))


def test_every_problem_is_found_in_one_pass() -> None:
    def edit(objects: dict[str, Any]) -> None:
        second_deployment(objects)
        colored(objects)
        objects["Secret/keys"]["stringData"]["token"] = "x"

    assert len([*manifest.problems(color(edit, app="web"))]) == 3


def test_the_line_is_that_of_the_field() -> None:
    text = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      hostNetwork: true
      containers:
      - name: web
        image: web
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
  - port: 80
"""
    [problem] = manifest.problems(_with("k8s/web.yaml", text))
    assert problem.key == "blue:manifest: k8s/web.yaml:14: Deployment web: spec.template.spec.hostNetwork"
