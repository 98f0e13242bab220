"""`adopt`: what it refuses, how each step is undone, and that what users reach stays the same objects."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import ROOT, SandboxCluster, eventually
from tests.ordinary import LABELS, OrdinaryApplication, deployment, ordinary_application, service

BY_NODE_PORT = ("--routing", "selector")


@pytest.fixture
def application(cluster: SandboxCluster, tmp_path: Path) -> Iterator[OrdinaryApplication]:
    with ordinary_application(cluster, tmp_path) as running:
        yield running


def identity(item: dict[str, Any]) -> tuple[Any, ...]:
    """What must not change of a Service that users reach."""
    spec = item["spec"]
    return item["metadata"]["uid"], spec["clusterIP"], spec["type"], spec["ports"], spec["sessionAffinity"]


def untouched(application: OrdinaryApplication) -> dict[str, Any]:
    """The objects of the namespace without pods, and without what counts changes."""
    found = application.environment.objects()
    kept = {name: item for name, item in found.items() if not name.startswith("Pod/")}
    for item in kept.values():
        item["metadata"].pop("generation", None)
    return kept


def selector(application: OrdinaryApplication, name: str = "web") -> dict[str, str]:
    found: dict[str, str] = application.get("service", name)["spec"]["selector"]
    return found


def test_an_application_comes_over_with_its_services_autoscaler_and_budget_and_the_old_one_is_left_alone(
    application: OrdinaryApplication,
) -> None:
    scaled = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 1,
        "maxReplicas": 5,
    }
    budget = {"selector": {"matchLabels": {"app": "web"}}, "maxUnavailable": 1}
    metrics = service("web-metrics")
    metrics["spec"] |= {"type": "ClusterIP", "sessionAffinity": "ClientIP"}
    application.apply(
        {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": scaled},
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web-budget"}, "spec": budget},
        metrics,
    )
    before = {name: identity(application.get("service", name)) for name in ("web", "web-metrics")}
    assert "Nothing was changed in the cluster" in application.begin(*BY_NODE_PORT, "--service", "web")
    assert application.environment.config["blue:replicas"] == "2"
    for _ in ("beside", "users", "own"):
        application.next()
    said = application.next()
    for kind, name in (
        ("deployment.apps", "web"),
        ("horizontalpodautoscaler", "web"),
        ("poddisruptionbudget.policy", "web-budget"),
    ):
        assert f"kubectl delete {kind}" in said
        assert f" {name} --namespace" in said
    for name, known in before.items():
        found = application.get("service", name)
        assert identity(found) == known
        assert found["spec"]["selector"]["color"] == "blue"
    assert application.get("hpa", "web-blue")["spec"]["minReplicas"] == 2
    assert "bluegreen:adopt" not in application.environment.config
    assert application.get("deployment")["spec"]["template"]["metadata"]["labels"] == LABELS
    assert application.environment.preview().written == set()
    # An older config file would take the route out of the program, and so delete the Services of the users.
    adoption = {"deployment": "web", "services": {"web": {"app": "web"}}, "step": "beside"}
    application.environment.set({"bluegreen:adopt": adoption})
    assert "the adoption has ended" in application.environment.up(succeeds=False).text
    application.environment.set({"bluegreen:adopt": None})
    # From here on it is an ordinary environment.
    application.person.run("deploy", "green", "--manifest", str(ROOT / application.environment.config["blue:manifest"]))
    application.person.run("activate", "green", "--match-room")
    assert {application.served_by(application.new_users) for _ in range(10)} == {"green"}
    assert identity(application.get("service")) == before["web"]


def test_every_step_is_undone_and_then_all_is_as_it_was(application: OrdinaryApplication) -> None:
    before = untouched(application)
    application.begin(*BY_NODE_PORT)
    assert untouched(application) == before
    application.next()
    assert selector(application).keys() == {"app", "pod-template-hash"}
    assert application.get("deployment")["spec"]["paused"] is True
    application.next()
    assert selector(application) == {"pulumi-bluegreen.dev/app": "web", "color": "blue"}
    application.next()
    assert [found["id"] for found in application.environment.state_resources() if found["type"].endswith(":Service")] == [
        f"{application.environment.name}/web"
    ]
    application.back()
    assert selector(application)["color"] == "blue"
    application.back()
    assert selector(application).keys() == {"app", "pod-template-hash"}
    application.back()
    assert untouched(application) == before
    assert "Nothing is changed" in application.back()


def test_a_color_that_does_not_become_ready_leaves_users_where_they_are_and_the_step_is_made_again(
    application: OrdinaryApplication,
) -> None:
    application.begin(*BY_NODE_PORT)
    application.environment.set({"blue:imageTag": "9.9", "blue:readyTimeoutSeconds": 5})
    application.next(status=4)
    assert application.served_by(application.users) == "old"
    application.environment.set({"blue:imageTag": "1.0", "blue:readyTimeoutSeconds": 60})
    application.next()
    application.environment.cluster.kubectl(
        "scale", "deployment/web", "--replicas=3", "--namespace", application.environment.name
    )
    eventually(lambda: application.get("deployment")["status"].get("readyReplicas"), 3)
    assert "[bluegreen:ROOM]" in application.next(status=13)
    assert application.served_by(application.users) == "old"
    application.environment.set({"blue:replicas": 3})
    application.person.run("up")
    application.next()
    assert application.served_by(application.new_users) == "blue"
    application.delete("deployment")
    assert "[bluegreen:READY]" in application.back(status=13)
    assert application.served_by(application.new_users) == "blue"


MARKS: dict[str, dict[str, Any]] = {
    "Helm": {"annotations": {"meta.helm.sh/release-name": "shop"}, "labels": {"app.kubernetes.io/managed-by": "Helm"}},
    "Argo CD": {"annotations": {"argocd.argoproj.io/tracking-id": "shop:/Service:default/web"}},
    "Flux": {"labels": {"kustomize.toolkit.fluxcd.io/name": "shop"}},
    "another Pulumi stack": {"annotations": {"pulumi.com/patchFieldManager": "pulumi-kubernetes"}},
}


def test_what_cannot_come_over_is_refused_before_anything_is_written(application: OrdinaryApplication) -> None:
    config = application.person.config()
    folder = ROOT / "manifests" / application.environment.name

    def refused(*options: str, status: int) -> str:
        before = untouched(application)
        said = application.begin(*BY_NODE_PORT, *options, status=status)
        assert untouched(application) == before
        assert application.person.config() == config
        assert not folder.exists()
        return said

    for tool, marks in MARKS.items():
        application.delete("service")
        application.apply(service(**marks))
        said = refused(status=13)
        assert f"it belongs to {tool}" in said
        assert all(f"{mark}-" in said for group in marks.values() for mark in group)
    application.delete("service")
    assert "no Service selects its pods" in refused(status=13)
    application.apply(service())
    application.apply(deployment() | {"metadata": {"name": "web-blue"}})
    assert "--app" in refused(status=13)
    application.delete("deployment", "web-blue")
    eventually(lambda: len(application.pods()), 2)
    canary = deployment(replicas=1, selector={"matchLabels": {"track": "canary"}})
    canary["spec"]["template"] = {**canary["spec"]["template"], "metadata": {"labels": {**LABELS, "track": "canary"}}}
    application.apply(canary | {"metadata": {"name": "canary"}})
    eventually(lambda: len(application.pods()), 3)
    assert "Service web also selects canary-" in refused(status=13)
    application.delete("deployment", "canary")
    eventually(lambda: len(application.pods()), 2)
    assert "There is no Deployment" in application.person.run("adopt", "nothing", status=2).err
    application.environment.cluster.kubectl("rollout", "pause", "deployment/web", "--namespace", application.environment.name)
    assert "somebody has paused it" in refused(status=13)


def test_a_deployment_that_is_being_updated_is_waited_for(application: OrdinaryApplication) -> None:
    application.begin(*BY_NODE_PORT)
    where = ("--namespace", application.environment.name)
    application.environment.cluster.kubectl("set", "image", "deployment/web", "app=bluegreen.example/app:9.9", *where)
    eventually(lambda: application.get("deployment")["status"].get("updatedReplicas"), 1)
    assert "pods of several templates" in application.next(status=13)
    assert selector(application) == {"app": "web"}
    assert "paused" not in application.get("deployment")["spec"]
    application.environment.cluster.kubectl("rollout", "undo", "deployment/web", *where)
    application.environment.cluster.kubectl("rollout", "status", "deployment/web", "--timeout=60s", *where)
    # The pods of the update are gone some time after it has ended.
    eventually(lambda: len(json.loads(application.environment.cluster.kubectl("get", "pods", "-ojson", *where))["items"]), 2)
    application.next()
    assert application.served_by(application.users) == "old"


def test_while_an_adoption_goes_on_no_second_color_is_deployed(application: OrdinaryApplication) -> None:
    application.begin(*BY_NODE_PORT)
    application.environment.set({"green:imageTag": "2.0"})
    said = application.next(status=2)
    assert "bluegreen:adopt" in said
    assert selector(application) == {"app": "web"}
