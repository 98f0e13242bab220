"""What is rewritten between a team's manifest and the objects of a color, and that everything else is as it was written."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import yaml

from bluegreen.release import metadata
from bluegreen.release.snapshot import Snapshot, read_text
from bluegreen.workload import manifest
from bluegreen.workload.base import has_values_name, written
from bluegreen.workload.manifest.references import references
from tests.unit.workload.manifest.made_up import (
    BOTH,
    SECRET_DATA,
    WEB,
    color,
    container_of,
    derived,
    main_of,
    objects_of,
    pod_of,
)

OWN = {metadata.APP: "shop", "color": "blue"}
WRITTEN = {f"{item['kind']}/{item['metadata']['name']}": item for item in yaml.safe_load_all(WEB)}


def test_a_color_has_these_objects_in_an_order_in_which_they_can_be_written() -> None:
    made = manifest.objects(color())
    assert [item.kind for item in made] == [
        "ConfigMap",
        "ConfigMap",
        "Secret",
        "Secret",
        "Deployment",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    ]
    for place, item in enumerate(made):
        assert {*item.waits_for} <= {before.ref for before in made[:place]}


def test_the_deployment_has_the_name_of_app_and_color_and_selects_by_our_labels_alone() -> None:
    deployment = objects_of(color())["Deployment"]
    assert deployment.name == "shop-blue"
    assert deployment.body["spec"]["selector"] == {"matchLabels": OWN}
    labels = deployment.body["spec"]["template"]["metadata"]["labels"]
    assert labels == {**WRITTEN["Deployment/web"]["spec"]["template"]["metadata"]["labels"], **OWN}


def test_labels_and_annotations_of_another_tool_and_of_the_server_are_left_out() -> None:
    deployment = objects_of(color())["Deployment"]
    assert deployment.labels == {"app": "web", "tier": "front", **OWN}
    assert deployment.annotations == {"note": "kept"}
    [service] = manifest.services(color())
    assert (service.labels, service.annotations) == ({"team": "a"}, {"cloud": "internal"})


def test_a_template_without_a_label_app_gets_that_of_the_application() -> None:
    """A Service selects both colors by it while the other one comes from config values."""

    def edit(objects: dict[str, Any]) -> None:
        spec = objects["Deployment/web"]["spec"]
        spec["selector"]["matchLabels"] = {"tier": "front"}
        del spec["template"]["metadata"]["labels"]["app"]
        del objects["Service/web"]["spec"]["selector"]["app"]
        objects["PodDisruptionBudget/web"]["spec"]["selector"]["matchLabels"] = {"tier": "front"}

    assert objects_of(color(edit))["Deployment"].body["spec"]["template"]["metadata"]["labels"]["app"] == "shop"


def test_everything_else_of_the_pods_is_as_the_team_wrote_it() -> None:
    """Field by field: what is rewritten is put back, and then nothing differs."""
    asked = color()
    names = {made.name: before for made, before in _content_names(asked)}
    pod = deepcopy(derived(asked))
    for reference in references(pod):
        reference.holder[reference.field] = names.get(reference.name, reference.name)
    expected = deepcopy(pod_of(WRITTEN["Deployment/web"]))
    affinity = expected["affinity"]["podAntiAffinity"]
    own = affinity["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]
    own["matchLabels"] = {"color": "blue"}
    others = affinity["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]["labelSelector"]
    others["matchExpressions"] = [{"key": "color", "operator": "NotIn", "values": ["green"]}]
    nginx, web = expected["containers"]
    del nginx["securityContext"]["readOnlyRootFilesystem"]  # null is no value
    web["lifecycle"] = {"preStop": {"sleep": {"seconds": 5}}}
    expected["terminationGracePeriodSeconds"] = 35
    assert pod == expected
    spec = objects_of(asked)["Deployment"].body["spec"]
    assert spec["minReadySeconds"] == 3
    assert spec["template"]["metadata"]["annotations"] == {"prometheus.io/scrape": "true"}


def _content_names(asked: Any) -> list[tuple[Any, str]]:
    found = objects_of(asked)
    return [(item, key.partition("/")[2]) for key, item in found.items() if key.startswith(("ConfigMap/", "Secret/"))]


def test_objects_of_the_snapshot_are_named_by_their_content_and_every_reference_leads_there() -> None:
    asked = color()
    found = objects_of(asked)
    assert {key for key in found if "/" in key} == {"ConfigMap/settings", "ConfigMap/files", "Secret/keys", "Secret/registry"}
    assert all(has_values_name(asked, item.name) for item, _ in _content_names(asked))
    named = {(reference.kind, reference.name) for reference in references(derived(asked))}
    ours = {(item.kind, item.name) for item, _ in _content_names(asked)}
    assert named == ours | {("Secret", "vault"), ("Secret", "outside"), ("ConfigMap", "region")}


def test_an_object_of_the_snapshot_that_only_the_config_refers_to_is_one_of_the_color() -> None:
    found = objects_of(color(config_map_refs=("unused",)))
    assert {"configMapRef": {"name": found["ConfigMap/unused"].name}} in main_of(color(config_map_refs=("unused",)))["envFrom"]


CONTENT: dict[str, tuple[Any, dict[str, Any]]] = {
    "a text": (lambda objects: objects["ConfigMap/settings"]["data"].update(flag="off"), {}),
    "binary data": (lambda objects: objects["ConfigMap/files"]["binaryData"].update(logo="AAED"), {}),
    "a secret text": (None, {"secret_data": SECRET_DATA | {"keys": {"token": "u", "cert": "Y2VydA=="}}}),
    "secret data": (None, {"secret_data": SECRET_DATA | {"keys": {"token": "t", "cert": "Y2VydDI="}}}),
}


@pytest.mark.parametrize(("edit", "settings"), CONTENT.values(), ids=CONTENT)
def test_other_content_is_another_object_and_another_pod_template(edit: Any, settings: dict[str, Any]) -> None:
    before, after = color(), color(edit, **settings)
    names = [{item.name for item, _ in _content_names(asked)} for asked in (before, after)]
    assert len(names[0] - names[1]) == 1
    assert manifest.pod_template_hashes(before) != manifest.pod_template_hashes(after)


def test_the_values_of_a_secret_are_those_of_the_config() -> None:
    secret = objects_of(color())["Secret/keys"]
    assert secret.body == {"type": "Opaque", "stringData": {"token": "t"}, "data": {"cert": "Y2VydA=="}}
    assert objects_of(color())["ConfigMap/files"].body == {"binaryData": {"logo": "AAEC"}, "immutable": True}


def test_the_own_autoscaler_and_budget_are_those_of_the_color() -> None:
    found = objects_of(color())
    autoscaler, budget = found["HorizontalPodAutoscaler"], found["PodDisruptionBudget"]
    assert autoscaler.name == budget.name == "shop-blue"
    assert autoscaler.body["spec"]["scaleTargetRef"]["name"] == "shop-blue"
    assert budget.body["spec"] == {"minAvailable": 1, "selector": {"matchLabels": OWN}}
    deployment = found["Deployment"]
    assert (deployment.body["spec"]["replicas"], deployment.ignored) == (2, ("spec.replicas",))


def test_without_an_autoscaler_the_deployment_has_its_own_replicas() -> None:
    deployment = objects_of(color(lambda objects: objects.pop("HorizontalPodAutoscaler/web")))["Deployment"]
    assert (deployment.body["spec"]["replicas"], deployment.ignored) == (2, ())


def test_an_autoscaler_or_a_budget_of_other_pods_is_left_out() -> None:
    def edit(objects: dict[str, Any]) -> None:
        objects["HorizontalPodAutoscaler/web"]["spec"]["scaleTargetRef"]["name"] = "other"
        objects["PodDisruptionBudget/web"]["spec"]["selector"]["matchLabels"] = {"app": "other"}

    assert {"HorizontalPodAutoscaler", "PodDisruptionBudget"}.isdisjoint(objects_of(color(edit)))


STRATEGIES: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    "none": (None, {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}}),
    "one number": (
        {"rollingUpdate": {"maxSurge": 2}},
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": "25%"}},
    ),
    "Recreate": ({"type": "Recreate"}, {"type": "Recreate"}),
}


@pytest.mark.parametrize(("given", "expected"), STRATEGIES.values(), ids=STRATEGIES)
def test_the_strategy_is_that_of_the_team_with_the_defaults_written_out(given: Any, expected: Any) -> None:
    asked = color(lambda objects: objects["Deployment/web"]["spec"].update(strategy=given))
    assert objects_of(asked)["Deployment"].body["spec"]["strategy"] == expected


GRACE = {"none": (None, 35), "shorter": (5, 35), "longer": (600, 600)}


@pytest.mark.parametrize(("given", "expected"), GRACE.values(), ids=GRACE)
def test_the_longer_grace_period_wins(given: int | None, expected: int) -> None:
    asked = color(lambda objects: pod_of(objects["Deployment/web"]).update(terminationGracePeriodSeconds=given))
    assert derived(asked)["terminationGracePeriodSeconds"] == expected


def test_a_container_sleeps_before_it_stops_unless_its_own_hook_does_something() -> None:
    def edit(objects: dict[str, Any]) -> None:
        container_of(objects)["lifecycle"] = {"postStart": {"exec": {"command": ["/warm"]}}}

    asked = color(edit, drain_seconds=7)
    assert main_of(asked)["lifecycle"] == {
        "postStart": {"exec": {"command": ["/warm"]}},
        "preStop": {"sleep": {"seconds": 7}},
    }
    assert derived(asked)["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 25}}}
    assert all("lifecycle" not in container for container in derived(asked)["initContainers"])


SELECTORS: dict[str, tuple[Any, Any]] = {
    "its own by expression": (
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}], "matchLabels": {"color": "blue"}},
    ),
    "its own and more": (
        {"matchLabels": {"app": "web", "tier": "front"}},
        {"matchLabels": {"app": "web", "tier": "front", "color": "blue"}},
    ),
    "several applications": (
        {"matchLabels": {"tier": "front"}},
        {"matchLabels": {"tier": "front"}, "matchExpressions": [{"key": "color", "operator": "NotIn", "values": ["green"]}]},
    ),
    "every pod": ({}, {"matchExpressions": [{"key": "color", "operator": "NotIn", "values": ["green"]}]}),
    "all but itself": (
        {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
        {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
    ),
    "with a label that it lacks": (
        {"matchExpressions": [{"key": "zone", "operator": "DoesNotExist"}, {"key": "app", "operator": "Exists"}]},
        {
            "matchExpressions": [
                {"key": "zone", "operator": "DoesNotExist"},
                {"key": "app", "operator": "Exists"},
                {"key": "color", "operator": "NotIn", "values": ["green"]},
            ]
        },
    ),
    "any color": (
        {"matchExpressions": [{"key": "color", "operator": "Exists"}]},
        {
            "matchExpressions": [
                {"key": "color", "operator": "Exists"},
                {"key": "color", "operator": "NotIn", "values": ["green"]},
            ]
        },
    ),
    "another application": ({"matchLabels": {"app": "cache"}}, {"matchLabels": {"app": "cache"}}),
}


@pytest.mark.parametrize(("given", "expected"), SELECTORS.values(), ids=SELECTORS)
def test_a_selector_that_means_its_own_pods_leaves_out_the_other_color(given: Any, expected: Any) -> None:
    def edit(objects: dict[str, Any]) -> None:
        pod = pod_of(objects["Deployment/web"])
        pod["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": given}]}}
        pod["topologySpreadConstraints"] = [{"labelSelector": deepcopy(given)}]

    pod = derived(color(edit))
    [term] = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"] == expected
    assert pod["topologySpreadConstraints"][0]["labelSelector"] == expected


def test_the_services_are_shared_as_they_were_written_but_for_what_the_cluster_assigned() -> None:
    [service] = manifest.services(color())
    assert service.name == "web"
    assert service.spec == {"ports": WRITTEN["Service/web"]["spec"]["ports"]}


def test_a_headless_service_stays_one() -> None:
    [service] = manifest.services(color(lambda objects: objects["Service/web"]["spec"].update(clusterIP="None")))
    assert service.spec["clusterIP"] == "None"


def test_nothing_of_the_snapshot_is_changed() -> None:
    asked = color()
    assert asked.snapshot
    before = deepcopy([document.object for document in asked.snapshot.documents])
    manifest.objects(asked)
    manifest.notes(asked)
    assert [document.object for document in asked.snapshot.documents] == before


def test_blue_and_green_share_no_name() -> None:
    blue, green = ({item.ref for item in manifest.objects(asked)} for asked in BOTH)
    assert blue.isdisjoint(green)


def test_comments_and_the_order_of_keys_and_documents_change_nothing() -> None:
    documents = [*yaml.safe_load_all(WEB)]
    text = "# comment\n" + yaml.safe_dump_all(reversed(documents), sort_keys=True)
    reordered = replace(color(), snapshot=Snapshot(path="k8s/web.yaml", documents=read_text("k8s/web.yaml", text)))
    assert manifest.pod_template_hashes(reordered) == manifest.pod_template_hashes(color())
    assert {item.ref for item in manifest.objects(reordered)} == {item.ref for item in manifest.objects(color())}


def test_names_and_hashes_of_an_unchanged_manifest_never_change() -> None:
    """Another name or hash would restart the pods of everybody who updates the program."""
    assert manifest.pod_template_hashes(color()) == ("10dcc21a4e4731ee",)
    assert objects_of(color())["ConfigMap/settings"].name == "shop-blue-settings-d8a6647f98"
    assert objects_of(color())["Secret/keys"].name == "shop-blue-keys-caedcfa5b9"


HASHED: dict[str, dict[str, Any]] = {
    "imageTag": {"image_tag": "2.0"},
    "env": {"env": {"A": "1"}},
    "secretEnv": {"secret_env": {"A": "1"}},
    "configMapRefs": {"config_map_refs": ("x",)},
    "secretRefs": {"secret_refs": ("x",)},
    "resources": {"resources": {"requests": {"cpu": "1m"}}},
    "imagePullSecret": {"image_pull_secret": "x"},
    "runAsUser": {"run_as_user": 7},
    "readinessPath": {"readiness_path": "/x", "given": frozenset({"readinessPath"})},
    "drainSeconds": {"drain_seconds": 9},
    "shutdownSeconds": {"shutdown_seconds": 99},
}


@pytest.mark.parametrize("settings", HASHED.values(), ids=HASHED)
def test_a_setting_that_shapes_pods_changes_the_template_and_its_hash(settings: dict[str, Any]) -> None:
    before, after = color(), color(**settings)
    assert derived(before) != derived(after)
    assert manifest.pod_template_hashes(before) != manifest.pod_template_hashes(after)


NOT_HASHED: dict[str, dict[str, Any]] = {
    "replicas": {"replicas": 2, "given": frozenset({"replicas"})},
    "strategy": {"strategy": "Recreate", "given": frozenset({"strategy"})},
    "readinessPath of the default": {"readiness_path": "/x"},
    "migrate": {"migrate": ("/app", "up")},
}


@pytest.mark.parametrize("settings", NOT_HASHED.values(), ids=NOT_HASHED)
def test_a_setting_that_shapes_no_pods_keeps_the_hash(settings: dict[str, Any]) -> None:
    assert derived(color(**settings)) == derived(color())
    assert manifest.pod_template_hashes(color(**settings)) == manifest.pod_template_hashes(color())


def test_the_deployment_names_its_main_container_for_readers() -> None:
    [deployment] = [item for item in written(manifest, color()) if item.kind == "Deployment"]
    assert metadata.CONTAINER not in deployment.annotations  # it has the name in the label app
    [deployment] = [item for item in written(manifest, color(app="nginx")) if item.kind == "Deployment"]
    assert deployment.annotations[metadata.CONTAINER] == "nginx"
