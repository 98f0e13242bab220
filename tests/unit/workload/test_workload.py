"""What every source of workloads does, and what the one of the config keeps from version to version."""

import json
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from bluegreen.release import metadata
from bluegreen.release.live import live_color, main_container
from bluegreen.release.objects import annotation
from bluegreen.release.settings import ColorSettings
from bluegreen.workload import source
from bluegreen.workload.base import Workload, labels_of, name_of, written
from bluegreen.workload.settings import config_map_name, job_name, secret_name
from tests.unit.program import BOTH_COLORS, run
from tests.upgrade.recorded import HERE

SOURCES = ("settings", "tests.workload_with_sidecar")

COLOR = ColorSettings(
    app="shop",
    name="blue",
    image="registry.example/shop:1.0",
    env={"A": "1"},
    secret_env={"S": "x"},
    migrate=("/app", "up"),
    max_replicas=3,
)


@pytest.fixture(params=SOURCES)
def workload(request: pytest.FixtureRequest) -> Workload:
    return source(request.param)


def deployment_of(workload: Workload, color: ColorSettings) -> dict[str, Any]:
    """The Deployment as the cluster would return it."""
    [made] = [manifest for manifest in written(workload, color) if manifest.kind == "Deployment"]
    described = {"name": made.name, "labels": made.labels, "annotations": made.annotations}
    return {"metadata": described, **made.body}


def test_the_deployment_has_the_name_and_the_labels_by_which_it_is_found(workload: Workload) -> None:
    deployment = deployment_of(workload, COLOR)
    assert deployment["metadata"]["name"] == name_of(COLOR)
    assert deployment["metadata"]["labels"].items() >= labels_of(COLOR).items()
    assert deployment["spec"]["selector"]["matchLabels"] == labels_of(COLOR)
    assert deployment["spec"]["template"]["metadata"]["labels"].items() >= labels_of(COLOR).items()


def test_an_object_waits_only_for_objects_that_come_before_it(workload: Workload) -> None:
    manifests = workload.objects(COLOR)
    for place, manifest in enumerate(manifests):
        assert {*manifest.waits_for} <= {before.ref for before in manifests[:place]}


def test_what_a_color_runs_is_read_back_from_its_deployment(workload: Workload) -> None:
    deployment = deployment_of(workload, COLOR)
    live = live_color(deployment)
    assert (live.image, live.template) == (COLOR.image, workload.pod_template_hashes(COLOR)[0])
    assert main_container(deployment)["name"] == workload.main_container(COLOR)


def test_another_image_is_another_hash_and_another_number_of_pods_is_not(workload: Workload) -> None:
    known = workload.pod_template_hashes(COLOR)
    assert workload.pod_template_hashes(replace(COLOR, replicas=4)) == known
    assert {*known}.isdisjoint(workload.pod_template_hashes(replace(COLOR, image="registry.example/shop:2.0")))


@pytest.mark.parametrize("name", SOURCES)
def test_the_program_writes_the_objects_of_the_source(name: str) -> None:
    objects = run(BOTH_COLORS | {"bluegreen:workload": name}).objects()
    assert {"Deployment/shop-blue", "Deployment/shop-green"} <= objects.keys()


def test_a_source_that_does_not_exist_is_an_error_of_the_config() -> None:
    for name in ("sttings", "no_such_team.pods", "tests.cli"):
        with pytest.raises(pulumi.RunError, match="bluegreen:workload"):
            run(BOTH_COLORS | {"bluegreen:workload": name})


# The source of the config


def test_names_and_hashes_of_unchanged_settings_never_change() -> None:
    """Another name or hash would restart the pods of everybody who updates the program."""
    assert config_map_name(COLOR) == "shop-blue-env-1ffee5b634"
    assert secret_name(COLOR) == "shop-blue-secret-env-57476ca407"
    assert job_name(COLOR) == "shop-blue-migrate-67faabdc42"
    assert source("settings").pod_template_hashes(COLOR)[0] == "d640d7ae12a80def"


def test_a_setting_with_its_default_value_does_not_change_the_hash() -> None:
    hashes = source("settings").pod_template_hashes
    assert hashes(replace(COLOR, port=ColorSettings.port, run_as_user=0)) == hashes(COLOR)


SHAPES_PODS = {
    "port": 1,
    "readiness_path": "/x",
    "drain_seconds": 9,
    "shutdown_seconds": 9,
    "env": {"A": "2"},
    "secret_env": {"S": "y"},
    "config_map_refs": ("x",),
    "secret_refs": ("x",),
    "resources": {"requests": {"cpu": "1m"}},
    "image_pull_secret": "x",
    "run_as_user": 7,
}
SHAPES_NO_PODS = {"replicas", "max_replicas", "strategy", "ready_timeout_seconds", "fail_fast_seconds", "release"}
SHAPES_NO_PODS |= {"migrate", "migrate_timeout_seconds"}
# Only the source `manifest` reads these.
SHAPES_NO_PODS |= {"snapshot", "secret_data", "given", "repository", "image_tag"}
SHAPES_NO_PODS |= {"namespace", "users_service", "users_port", "allow", "workers"}


def test_every_setting_either_shapes_pods_or_does_not() -> None:
    assert {*ColorSettings.__dataclass_fields__} - {"app", "name", "image"} == {*SHAPES_PODS} | SHAPES_NO_PODS


@pytest.mark.parametrize("name", SHAPES_PODS)
def test_a_setting_that_shapes_pods_changes_every_hash(name: str) -> None:
    hashes = source("settings").pod_template_hashes
    changed: Any = {name: SHAPES_PODS[name]}
    assert {*hashes(COLOR)}.isdisjoint(hashes(replace(COLOR, **changed)))


def test_a_color_that_version_0_1_0_deployed_is_recognized_by_its_hash() -> None:
    objects = json.loads((HERE / "0.1.0" / "istio" / "objects.json").read_text())
    [blue] = [item for item in objects if item["kind"] == "Deployment" and item["metadata"]["name"] == "myapp-blue"]
    color = ColorSettings(
        app="myapp",
        name="blue",
        image="bluegreen.example/app:1.0",
        replicas=2,
        drain_seconds=1,
        env={"GREETING": "hello"},
        secret_env={"TOKEN": "not a secret, but treated as one"},
    )
    assert annotation(blue, metadata.TEMPLATE) in source("settings").pod_template_hashes(color)
