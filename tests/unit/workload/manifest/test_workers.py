"""Workers: Deployments beside the application that have pods only while their color is active."""

from copy import deepcopy
from typing import Any

import pytest

from bluegreen.release import metadata
from bluegreen.release.colors import COLORS
from bluegreen.release.live import is_of_app
from bluegreen.release.manifest import Manifest
from bluegreen.release.settings import ColorSettings
from bluegreen.workload import manifest
from bluegreen.workload.base import NoteKind, pods_of
from bluegreen.workload.manifest.labels import matches
from bluegreen.workload.manifest.references import references
from tests.unit.workload.manifest.made_up import Edit, color, pod_of


def with_worker(objects: dict[str, Any]) -> None:
    """Adds the Deployment `jobs`, with an autoscaler and a budget, and a ConfigMap that it alone refers to."""
    jobs = deepcopy(objects["Deployment/web"])
    jobs["metadata"]["name"] = "jobs"
    jobs["spec"] |= {"replicas": 3, "selector": {"matchLabels": {"app": "jobs"}}}
    jobs["spec"]["template"]["metadata"]["labels"] = {"app": "jobs", "tier": "front", "color": "blue"}
    pod = pod_of(jobs)
    pod["containers"] = [
        {"name": "jobs", "image": "registry.example/web:1.0", "envFrom": [{"configMapRef": {"name": "unused"}}]},
        {"name": "proxy2", "image": "registry.example/proxy:7"},
    ]
    pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = [
        {"labelSelector": {"matchLabels": {"app": "jobs"}}, "topologyKey": "host"}
    ]
    objects["Deployment/jobs"] = jobs


def scaled(objects: dict[str, Any]) -> None:
    with_worker(objects)
    autoscaler, budget = objects["HorizontalPodAutoscaler/web"], objects["PodDisruptionBudget/web"]
    spec = autoscaler["spec"] | {"minReplicas": 4, "scaleTargetRef": {"kind": "Deployment", "name": "jobs"}}
    objects["1"] = autoscaler | {"metadata": {"name": "jobs"}, "spec": spec}
    objects["2"] = budget | {
        "metadata": {"name": "jobs"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "jobs"}}},
    }


def asked(edit: Edit = with_worker, name: str = "blue", **settings: Any) -> ColorSettings:
    return color(edit, name, **{"workers": ("jobs",), **settings})


def workers(settings: ColorSettings, *, running: bool = True) -> list[Manifest]:
    assert [str(problem) for problem in manifest.problems(settings)] == []
    return manifest.workers(settings, running=running)


def worker(settings: ColorSettings, *, running: bool = True) -> Manifest:
    [made] = [item for item in workers(settings, running=running) if item.kind == "Deployment"]
    return made


def test_a_worker_is_a_deployment_of_its_own_name_with_pods_only_while_its_color_is_active() -> None:
    assert [item.ref.name for item in workers(asked())] == ["shop-jobs-blue"]
    assert worker(asked()).body["spec"]["replicas"] == 3
    assert worker(asked(), running=False).body["spec"]["replicas"] == 0
    assert worker(asked()).ignored == ()


def test_a_color_without_workers_has_none() -> None:
    assert manifest.workers(color(), running=True) == []


@pytest.mark.parametrize("name", COLORS)
def test_no_service_and_no_deployment_selects_the_pods_of_a_worker_but_its_own(name: str) -> None:
    settings = asked(name=name)
    [main] = [item for item in manifest.objects(settings) if item.kind == "Deployment"]
    made = worker(settings)
    labels = made.body["spec"]["template"]["metadata"]["labels"]
    own = {metadata.WORKER_OF: "shop", metadata.WORKER: "jobs", "color": name}
    assert made.body["spec"]["selector"] == {"matchLabels": own}
    assert labels == {"app": "jobs", "tier": "front", **own}
    assert not matches({"matchLabels": pods_of(manifest, settings)}, labels)
    assert not matches({"matchLabels": own}, main.body["spec"]["template"]["metadata"]["labels"])
    assert not is_of_app("shop", {"metadata": {"name": made.name, "labels": made.labels}})


def test_blue_and_green_share_nothing() -> None:
    names = [{item.ref for item in workers(asked(scaled, name))} for name in COLORS]
    assert names[0].isdisjoint(names[1])
    selectors = [worker(asked(name=name)).body["spec"]["selector"]["matchLabels"] for name in COLORS]
    assert not matches({"matchLabels": selectors[0]}, selectors[1])


def test_a_worker_has_its_own_autoscaler_and_budget() -> None:
    found = {item.kind: item for item in workers(asked(scaled))}
    assert {item.name for item in found.values()} == {"shop-jobs-blue"}
    assert found["HorizontalPodAutoscaler"].body["spec"]["scaleTargetRef"]["name"] == "shop-jobs-blue"
    assert found["Deployment"].body["spec"]["replicas"] == 4
    selector = found["Deployment"].body["spec"]["selector"]
    assert found["PodDisruptionBudget"].body["spec"] == {"maxUnavailable": 1, "selector": selector}
    assert [item.kind for item in manifest.objects(asked(scaled))].count("HorizontalPodAutoscaler") == 1


def test_a_worker_uses_the_configmaps_and_secrets_of_the_color() -> None:
    settings = asked(secret_env={"PASSWORD": "x"}, env={"A": "1"})
    made, objects = worker(settings), manifest.objects(settings)
    known = {(item.kind, item.name) for item in objects}
    pod = made.body["spec"]["template"]["spec"]
    assert {(found.kind, found.name) for found in references(pod)} - known == {("Secret", "outside")}
    assert {"A", "PASSWORD"} == {variable["name"] for variable in pod["containers"][0]["env"]}
    assert {*made.waits_for} <= {item.ref for item in objects}
    assert any(item.name.startswith("shop-blue-unused-") for item in objects)


def test_a_tag_is_that_of_a_worker_with_the_same_image() -> None:
    pod = worker(asked(image_tag="2.0")).body["spec"]["template"]["spec"]
    assert [container["image"] for container in pod["containers"]] == ["registry.example/web:2.0", "registry.example/proxy:7"]


def test_a_worker_ends_as_the_team_wrote_it() -> None:
    pod = worker(asked()).body["spec"]["template"]["spec"]
    assert "terminationGracePeriodSeconds" not in pod
    assert all("lifecycle" not in container for container in pod["containers"])
    assert (
        "resources" not in worker(asked(resources={"requests": {"cpu": "1"}})).body["spec"]["template"]["spec"]["containers"][0]
    )


def test_the_selectors_of_a_worker_leave_out_the_other_color() -> None:
    affinity = worker(asked()).body["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"]
    [term] = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"] == {"app": "jobs", "color": "blue"}


def test_another_worker_is_another_color() -> None:
    """So the rules refuse it while the color serves users."""

    def edit(objects: dict[str, Any]) -> None:
        with_worker(objects)
        pod_of(objects["Deployment/jobs"])["containers"][0]["image"] = "registry.example/web:1.1"

    hashes = [manifest.pod_template_hashes(settings) for settings in (asked(), asked(edit), color())]
    assert len({*hashes}) == 3


def test_a_service_of_a_worker_alone_is_left_out() -> None:
    def edit(objects: dict[str, Any]) -> None:
        with_worker(objects)
        objects["new"] = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "m"},
            "spec": {"selector": {"app": "jobs"}},
        }

    settings = asked(edit)
    assert [*manifest.problems(settings)] == []
    assert [service.name for service in manifest.services(settings)] == ["web"]
    assert any("Service m is left out" in str(note) for note in manifest.notes(settings))


def test_a_worker_is_noted() -> None:
    understood = [str(note) for note in manifest.notes(asked()) if note.kind == NoteKind.UNDERSTOOD]
    assert any("Deployment jobs is a worker: it has pods only while blue is active" in text for text in understood)
    assert any("Deployment jobs is written as shop-jobs-blue" in str(note) for note in manifest.notes(asked()))


def test_a_name_that_is_no_deployment_is_refused() -> None:
    [problem] = manifest.problems(asked(workers=("jobs", "ghost")))
    assert (problem.key, problem.value) == ("blue:worker", "ghost")
    assert "web, jobs" in problem.allowed


def test_workers_alone_are_refused() -> None:
    [problem] = manifest.problems(color(workers=("web",)))
    assert (problem.key, problem.value) == ("blue:worker", "web")
    assert "users reach no worker" in problem.allowed


def test_a_worker_is_checked_like_every_deployment() -> None:
    def edit(objects: dict[str, Any]) -> None:
        with_worker(objects)
        pod_of(objects["Deployment/jobs"])["hostNetwork"] = True

    [problem] = manifest.problems(asked(edit))
    assert "Deployment jobs: spec.template.spec.hostNetwork" in problem.key


def test_a_name_that_is_too_long_for_a_label_is_refused() -> None:
    long = "j" * 64

    def edit(objects: dict[str, Any]) -> None:
        with_worker(objects)
        objects["Deployment/jobs"]["metadata"]["name"] = long

    [problem] = manifest.problems(asked(edit, workers=(long,)))
    assert "at most 63 characters" in problem.allowed
