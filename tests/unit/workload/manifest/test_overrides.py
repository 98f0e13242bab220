"""Config keys override a manifest, and only those that the config sets."""

from typing import Any

import pytest

from bluegreen.workload import manifest
from bluegreen.workload.settings import secret_name
from tests.unit.workload.manifest.made_up import color, container_of, derived, main_of, objects_of, pod_of


def test_a_tag_replaces_that_of_every_container_of_the_same_repository() -> None:
    pod = derived(color(image_tag="2.0"))
    images = {container["name"]: container["image"] for container in [*pod["containers"], *pod["initContainers"]]}
    assert images == {
        "nginx": "registry.example/nginx:1",
        "web": "registry.example/web:2.0",
        "assets": "registry.example/web:2.0",
        "proxy": "registry.example/proxy:7",
    }
    assert manifest.completed(color(image_tag="sha256:ab")).image == "registry.example/web@sha256:ab"
    assert manifest.completed(color()).image == "registry.example/web:1.0@sha256:0123"


def test_a_variable_replaces_one_of_its_name_in_the_main_container_and_is_not_expanded() -> None:
    variables = main_of(color(env={"MODE": "a $(PART) $$b", "NEW": "c"}))["env"]
    assert [variable["name"] for variable in variables] == ["PART", "FLAG", "TOKEN", "OTHER", "MODE", "NEW"]
    assert variables[-2:] == [{"name": "MODE", "value": "a $$(PART) $$$$b"}, {"name": "NEW", "value": "c"}]
    assert "env" not in derived(color(env={"NEW": "c"}))["containers"][0]


def test_a_secret_variable_is_in_a_secret_of_its_own() -> None:
    asked = color(secret_env={"PASSWORD": "hunter2"})
    name = secret_name(asked)
    reference = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": name, "key": "PASSWORD"}}}
    assert main_of(asked)["env"][-1] == reference
    secret = objects_of(asked)["Secret/secret-env"]
    assert (secret.name, secret.body) == (name, {"stringData": {"PASSWORD": "hunter2"}})
    assert secret.ref in objects_of(asked)["Deployment"].waits_for


def test_existing_objects_are_added_as_sources_of_variables() -> None:
    asked = color(config_map_refs=("flags", "settings"), secret_refs=("mail",))
    settings = objects_of(asked)["ConfigMap/settings"].name
    assert main_of(asked)["envFrom"][3:] == [
        {"configMapRef": {"name": "flags"}},
        {"configMapRef": {"name": settings}},
        {"secretRef": {"name": "mail"}},
    ]


def test_resources_and_the_readiness_path_are_those_of_the_config() -> None:
    given: dict[str, Any] = {
        "resources": {"requests": {"cpu": "1"}},
        "readiness_path": "/up",
        "given": frozenset({"readinessPath"}),
    }
    main = main_of(color(**given))
    assert main["resources"] == {"requests": {"cpu": "1"}}
    assert main["readinessProbe"] == {"httpGet": {"path": "/up", "port": "app"}}


def test_credentials_of_the_registry_are_added_once() -> None:
    assert derived(color(image_pull_secret="more"))["imagePullSecrets"][1:] == [{"name": "outside"}, {"name": "more"}]
    assert len(derived(color(image_pull_secret="outside"))["imagePullSecrets"]) == 2


def test_the_user_is_that_of_every_container() -> None:
    def edit(objects: dict[str, Any]) -> None:
        container_of(objects)["securityContext"] = {"runAsUser": 0, "privileged": False}
        pod_of(objects["Deployment/web"])["securityContext"] = {"fsGroup": 3}

    asked = color(edit, run_as_user=7)
    assert derived(asked)["securityContext"] == {"fsGroup": 3, "runAsUser": 7}
    assert main_of(asked)["securityContext"] == {"runAsUser": 7, "privileged": False}


def test_the_security_context_is_that_of_the_team() -> None:
    assert "securityContext" not in derived(color())
    assert "securityContext" not in main_of(color())


# Config -> replicas, the largest number of replicas.
REPLICAS: dict[str, tuple[dict[str, Any], int, int]] = {
    "nothing": ({}, 2, 5),
    "defaults that the config does not set": ({"replicas": 1, "max_replicas": 0}, 2, 5),
    "replicas": ({"replicas": 3, "given": frozenset({"replicas"})}, 3, 5),
    "both": ({"replicas": 3, "max_replicas": 9, "given": frozenset({"replicas", "maxReplicas"})}, 3, 9),
}


@pytest.mark.parametrize(("given", "replicas", "most"), REPLICAS.values(), ids=REPLICAS)
def test_the_numbers_of_the_autoscaler_are_those_of_the_config(given: dict[str, Any], replicas: int, most: int) -> None:
    asked = color(**given)
    complete = manifest.completed(asked)
    assert (complete.replicas, complete.max_replicas) == (replicas, most)
    assert manifest.completed(complete) == complete
    found = objects_of(asked)
    assert found["Deployment"].body["spec"]["replicas"] == replicas
    spec = found["HorizontalPodAutoscaler"].body["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (replicas, most)


def test_the_config_can_add_an_autoscaler_and_remove_it() -> None:
    given: dict[str, Any] = {"max_replicas": 4, "given": frozenset({"maxReplicas"})}
    added = objects_of(color(lambda objects: objects.pop("HorizontalPodAutoscaler/web"), **given))
    assert added["HorizontalPodAutoscaler"].body["spec"]["maxReplicas"] == 4
    removed = objects_of(color(given=frozenset({"maxReplicas"})))
    assert "HorizontalPodAutoscaler" not in removed
    assert removed["Deployment"].ignored == ()


def test_the_strategy_is_that_of_the_config_if_it_is_set() -> None:
    asked = color(strategy="Recreate", given=frozenset({"strategy"}))
    assert objects_of(asked)["Deployment"].body["spec"]["strategy"] == {"type": "Recreate"}


def test_the_port_of_the_config_changes_nothing_of_the_pods() -> None:
    assert derived(color(users_port=90, port=90)) == derived(color())


def test_a_migration_runs_the_main_container_with_another_command() -> None:
    asked = color(migrate=("/app", "up"), env={"NEW": "c"}, migrate_timeout_seconds=9)
    found = objects_of(asked)
    job = found["Job"]
    pod = job.body["spec"]["template"]["spec"]
    [container] = pod["containers"]
    main = main_of(asked)
    assert (container["command"], "args" in container) == (["/app", "up"], False)
    assert {name: container[name] for name in ("name", "image", "env", "envFrom", "volumeMounts")} == {
        name: main[name] for name in ("name", "image", "env", "envFrom", "volumeMounts")
    }
    assert {"ports", "readinessProbe", "lifecycle"}.isdisjoint(container)
    assert [volume["name"] for volume in pod["volumes"]] == ["files", "all"]
    assert (pod["serviceAccountName"], pod["restartPolicy"], pod["activeDeadlineSeconds"]) == ("web", "Never", 9)
    assert {"affinity", "topologySpreadConstraints", "initContainers"}.isdisjoint(pod)
    labels = job.body["spec"]["template"]["metadata"]["labels"]
    assert not {"color", "tier"} & {*labels}
    assert job.ref in found["Deployment"].waits_for
    assert {*job.waits_for} == {item.ref for key, item in found.items() if key.startswith(("ConfigMap/", "Secret/"))}
