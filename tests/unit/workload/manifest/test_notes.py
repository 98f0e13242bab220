"""What a person reads about a snapshot before anything is deployed."""

from typing import Any

import pytest

from bluegreen.workload import manifest
from bluegreen.workload.base import NoteKind
from tests.unit.workload.manifest.made_up import Edit, color, container_of, pod_of


def notes(kind: NoteKind, edit: Edit | None = None, **settings: Any) -> str:
    return "\n".join(str(note) for note in manifest.notes(color(edit, **settings)) if note.kind == kind)


def only(name: str) -> Edit:
    def edit(objects: dict[str, Any]) -> None:
        pod = pod_of(objects["Deployment/web"])
        pod["containers"] = [container_of(objects) | {"name": name}]

    return edit


def annotated(owner: str) -> Edit:
    def edit(objects: dict[str, Any]) -> None:
        deployment = objects["Deployment/web"]
        holder = deployment["spec"]["template"] if owner == "template" else deployment
        holder["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "nginx"}

    return edit


def first(objects: dict[str, Any]) -> None:
    objects["Deployment/web"]["metadata"]["name"] = "other"
    objects["HorizontalPodAutoscaler/web"]["spec"]["scaleTargetRef"]["name"] = "other"


MAIN: dict[str, tuple[Edit | None, dict[str, Any], str, str]] = {
    "by the annotation of the template": (annotated("template"), {"app": "web"}, "nginx", "default-container names it"),
    "by the annotation of the Deployment": (annotated("Deployment"), {"app": "web"}, "nginx", "default-container names it"),
    "by the app": (None, {"app": "nginx"}, "nginx", "it has the name of the application"),
    "by the Deployment": (None, {}, "web", "it has the name of the Deployment"),
    "the only one": (only("server"), {}, "server", "it is the only one"),
    "the first one": (first, {}, "nginx", "it is the first one"),
}


@pytest.mark.parametrize(("edit", "settings", "name", "why"), MAIN.values(), ids=MAIN)
def test_the_main_container_is_named_with_the_reason(edit: Edit | None, settings: dict[str, Any], name: str, why: str) -> None:
    assert manifest.main_container(color(edit, **settings)) == name
    said = notes(NoteKind.UNDERSTOOD, edit, **settings)
    assert f"Container {name} is the main one: " in said
    assert why in said


PROBES: dict[str, tuple[dict[str, Any], str]] = {
    "http": ({"httpGet": {"path": "/ready", "port": "app"}}, "HTTP /ready on port app"),
    "grpc": ({"grpc": {"port": 7000}}, "gRPC health on port 7000"),
    "tcp": ({"tcpSocket": {"port": 7000}}, "a TCP connection to port 7000"),
    "exec": ({"exec": {"command": ["/ready"]}}, "a command"),
}


@pytest.mark.parametrize(("probe", "words"), PROBES.values(), ids=PROBES)
def test_readiness_is_described(probe: dict[str, Any], words: str) -> None:
    assert f"is ready by {words}" in notes(
        NoteKind.UNDERSTOOD, lambda objects: container_of(objects).update(readinessProbe=probe)
    )


def test_the_service_and_the_port_of_the_users_are_named_with_their_line() -> None:
    assert "Users reach Service web at port 80 (k8s/web.yaml:70)" in notes(NoteKind.UNDERSTOOD)


REWRITTEN = [
    "Deployment web is written as shop-blue",
    "The selector of shop-blue is pulumi-bluegreen.dev/app, color; the pods have these labels too",
    "The label selector in affinity.podAntiAffinity.required[0]",
    "The label selector in affinity.podAntiAffinity.preferred[0]",
    "ConfigMap settings is written as shop-blue-settings-",
    "Secret keys is written as shop-blue-keys-",
    "HorizontalPodAutoscaler web is written as shop-blue",
    "PodDisruptionBudget web is written as shop-blue",
    "Container web sleeps 5 s before it stops",
    "terminationGracePeriodSeconds is 35",
    "Deployment web is written without metadata.creationTimestamp, metadata.uid, app.kubernetes.io/managed-by, meta.helm.sh",
    "Service web is written without argocd.argoproj.io/instance",
    "The image of container web is registry.example/web:2.0",
    "The image of container assets is registry.example/web:2.0",
]


@pytest.mark.parametrize("text", REWRITTEN)
def test_what_is_rewritten_is_said(text: str) -> None:
    assert text in notes(NoteKind.REWRITTEN, image_tag="2.0")


def test_what_needs_no_change_is_not_said_to_be_rewritten() -> None:
    said = notes(NoteKind.REWRITTEN)
    assert "Container nginx sleeps" not in said
    assert "The image of" not in said
    assert "topologySpreadConstraints" not in said


def test_what_both_colors_share_is_said_with_the_line_that_names_it() -> None:
    said = notes(NoteKind.SHARED)
    for name in ("Service web", "Secret vault", "Secret outside", "ConfigMap region", "ServiceAccount web"):
        assert name in said
    assert "PersistentVolumeClaim data" in said
    assert "settings" not in said


def test_what_is_left_out_is_said_with_the_reason() -> None:
    said = notes(NoteKind.LEFT_OUT)
    assert "ConfigMap unused is left out: no pod refers to it" in said
    assert "ServiceAccount web is left out: it is there once, for both colors" in said
    assert len(said.splitlines()) == 2


def migrating(**fields: Any) -> Edit:
    return lambda objects: container_of(objects, "assets").update(fields)


WARNINGS: dict[str, tuple[Edit | None, str]] = {
    "no readiness probe": (lambda objects: container_of(objects).pop("readinessProbe"), "has no readiness probe"),
    "a root user": (
        lambda objects: container_of(objects).update(securityContext={"runAsUser": 0}),
        "web runs as root: runAsUser is 0",
    ),
    "perhaps root": (None, "web may run as root: nothing sets"),
    "a privileged one": (
        lambda objects: container_of(objects).update(securityContext={"runAsUser": 5, "privileged": True}),
        "web is privileged",
    ),
    "a migration by its command": (migrating(command=["rake", "db:migrate"]), "Init container assets looks like a migration"),
    "a migration by its image": (migrating(image="flyway:9"), "Init container assets looks like a migration"),
    "the name in a variable": (
        lambda objects: container_of(objects).update(env=[{"name": "SERVICE", "value": "web"}]),
        "Variable SERVICE has the name of the Deployment, web",
    ),
    "a claim of somebody else": (None, "Both colors mount this claim, which is not in the manifest"),
}


@pytest.mark.parametrize(("edit", "text"), WARNINGS.values(), ids=WARNINGS)
def test_a_risk_is_a_warning(edit: Edit | None, text: str) -> None:
    assert text in notes(NoteKind.WARNING, edit)


def test_pods_of_a_user_are_no_risk() -> None:
    edit: Edit = lambda objects: pod_of(objects["Deployment/web"]).update(securityContext={"runAsNonRoot": True})  # noqa: E731
    assert "root" not in notes(NoteKind.WARNING, edit)


def test_a_sidecar_that_looks_like_a_migration_is_none() -> None:
    edit = migrating(image="migrate:1", restartPolicy="Always")
    assert "looks like a migration" not in notes(NoteKind.WARNING, edit)


def test_a_value_that_nothing_refers_to_is_a_warning_without_the_value() -> None:
    data = {"keys": {"token": "t", "cert": "Y2VydA==", "old": "hunter2"}, "registry": {".dockerconfigjson": "{}"}}
    said = notes(NoteKind.WARNING, secret_data=data)
    assert "blue:secretData.keys.old is set" in said
    assert "hunter2" not in said
