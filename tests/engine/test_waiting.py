"""A color is waited for as long as it may become ready by itself, and its failure names what fails; users notice neither."""

import contextlib
import json
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Result
from tests.cluster import SandboxCluster, eventually
from tests.engine.admission import ANY_POD, Pod, another_container, injecting, webhook_away
from tests.engine.onlookers import served_by
from tests.stack import ONE_COLOR, SandboxEnvironment, environment_of_its_own

# Longer than any single thing here takes on a slow host.
PATIENCE_SECONDS = 120

# With Recreate the pods of green are those of the test alone.
CONFIG = ONE_COLOR | {"bluegreen:replicas": 1, "green:readyTimeoutSeconds": 180, "green:strategy": "Recreate"}


@pytest.fixture(scope="module")
def standing(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), CONFIG) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


@pytest.fixture
def live(standing: SandboxEnvironment, request: pytest.FixtureRequest) -> SandboxEnvironment:
    """Blue serves the users; green is to be deployed, with new pods for each test."""
    standing.set({"green:imageTag": "2.0", "green:env": {"TEST": str(request.node.name)}})
    standing.set({"green:resources": None, "green:failFastSeconds": None})
    return standing


@contextlib.contextmanager
def going_up(environment: SandboxEnvironment) -> Iterator["Future[Result]"]:
    """`pulumi up`, meanwhile. Users are served by blue until it has succeeded."""
    with ThreadPoolExecutor(1) as thread, served_by(environment, "blue"):
        update = thread.submit(environment.up)
        yield update
        update.result(PATIENCE_SECONDS)


def found(environment: SandboxEnvironment, kind: str, color: str = "green") -> list[dict[str, Any]]:
    look = ("get", kind, f"--selector=color={color}", "--namespace", environment.name, "--output=json")
    items: list[dict[str, Any]] = json.loads(environment.cluster.kubectl(*look))["items"]
    return items


def create(environment: SandboxEnvironment, item: dict[str, Any]) -> None:
    environment.cluster.kubectl("create", "--namespace", environment.name, "--filename=-", stdin=json.dumps(item))


def delete(environment: SandboxEnvironment, *what: str) -> None:
    environment.cluster.kubectl("delete", *what, "--namespace", environment.name)


def events(environment: SandboxEnvironment) -> str:
    return environment.cluster.kubectl(
        "get", "events", "--namespace", environment.name, "--output=jsonpath={.items[*].message}"
    )


@contextlib.contextmanager
def one_place(environment: SandboxEnvironment) -> Iterator[str]:
    """A resource of which the cluster has one, on one node, and which the pod `filler` of the environment has taken."""
    name = f"{environment.name}.example/place"
    node = environment.cluster.kubectl("get", "nodes", "--output=name").split()[0]
    path = f"/status/capacity/{name.replace('/', '~1')}"
    change = ("patch", node, "--subresource=status", "--type=json", "--patch")
    environment.cluster.kubectl(*change, json.dumps([{"op": "add", "path": path, "value": "1"}]))
    try:
        filler = json.loads(json.dumps(ANY_POD))
        filler["metadata"]["name"] = "filler"
        filler["spec"]["containers"][0]["resources"] = {"requests": {name: "1"}, "limits": {name: "1"}}
        create(environment, filler)
        where = ("--namespace", environment.name)
        environment.cluster.kubectl("wait", "--for=condition=PodScheduled", "--timeout=50s", "pod/filler", *where)
        yield name
    finally:
        environment.cluster.kubectl(*change, json.dumps([{"op": "remove", "path": path}]))


def waits_for_room(environment: SandboxEnvironment) -> bool:
    """Whether a pod of green waits for a node."""
    conditions = [each for pod in found(environment, "pods") for each in pod["status"].get("conditions", [])]
    return any((each["type"], each["status"]) == ("PodScheduled", "False") for each in conditions)


def test_a_webhook_that_is_away_a_full_quota_and_a_full_node_are_waited_for(live: SandboxEnvironment) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"}, "spec": {"hard": {"pods": "2"}}}
    with contextlib.ExitStack() as until_it_is_back:
        place = until_it_is_back.enter_context(one_place(live))
        # They would be final at once if they were no more than what a change alone can end.
        live.set({"green:failFastSeconds": 0, "green:resources": {"requests": {place: "1"}, "limits": {place: "1"}}})
        create(live, quota)
        with contextlib.ExitStack() as until_it_answers:
            until_it_answers.enter_context(webhook_away(live))
            with going_up(live) as update:
                eventually(lambda: "failed calling webhook" in events(live), wanted=True, seconds=PATIENCE_SECONDS)
                until_it_answers.close()
                eventually(lambda: "exceeded quota" in events(live), wanted=True, seconds=PATIENCE_SECONDS)
                delete(live, "resourcequota/full")
                eventually(lambda: waits_for_room(live), wanted=True, seconds=PATIENCE_SECONDS)
                delete(live, "pod/filler")
    text = update.result().text
    assert "green waits: FailedCreate: " in text
    assert f"Insufficient {place}" in text


def crashed(environment: SandboxEnvironment, container: str) -> bool:
    """Whether the container of a green pod has ended twice."""
    statuses = [status for pod in found(environment, "pods") for status in pod["status"].get("containerStatuses", [])]
    return any(each["name"] == container and each["restartCount"] > 0 and "waiting" in each["state"] for each in statuses)


def is_true(environment: SandboxEnvironment, condition: str) -> bool:
    conditions = [each for pod in found(environment, "pods") for each in pod["status"].get("conditions", [])]
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def test_an_application_and_a_sidecar_that_end_twice_and_a_readiness_gate_are_waited_for(
    live: SandboxEnvironment, tmp_path: Path
) -> None:
    gate = "bluegreen.example/gate"

    def change(pod: Pod) -> None:
        own = pod["spec"]["containers"][0]
        own.setdefault("env", []).append(another_container("myapp")["env"][1])
        pod["spec"]["containers"] = [another_container("proxy"), own]
        pod["spec"]["readinessGates"] = [{"conditionType": gate}]

    faults = {"myapp": "exit", "proxy": "exit"}
    create(live, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "faults"}, "data": faults})
    with injecting(live, tmp_path, change), going_up(live) as update:
        for name in faults:
            eventually(lambda name=name: crashed(live, name), wanted=True, seconds=PATIENCE_SECONDS)  # type: ignore[misc]
        delete(live, "configmap/faults")
        eventually(lambda: is_true(live, "ContainersReady"), wanted=True, seconds=PATIENCE_SECONDS)
        assert not update.done()
        [pod] = found(live, "pods")
        patch = json.dumps({"status": {"conditions": [{"type": gate, "status": "True"}]}})
        name = pod["metadata"]["name"]
        live.cluster.kubectl("patch", "pod", name, "--namespace", live.name, "--subresource=status", "--patch", patch)


def failing(environment: SandboxEnvironment) -> str:
    """What an update that fails prints, while users are served by blue."""
    with served_by(environment, "blue"):
        return environment.up(succeeds=False).text


def test_a_failing_init_container_is_named_with_its_own_log_and_is_known_to_the_next_update(
    live: SandboxEnvironment, tmp_path: Path
) -> None:
    def change(pod: Pod) -> None:
        pod["spec"]["initContainers"] = [another_container("setup")]

    create(live, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "faults"}, "data": {"setup": "exit"}})
    live.set({"green:failFastSeconds": 3})
    with injecting(live, tmp_path, change):
        first = failing(live)
        second_began = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        second = failing(live)
    delete(live, "configmap/faults")
    for text in (first, second):
        assert re.search(r"reason: CrashLoopBackOff of pod myapp-green-\S+, container setup\n", text), text
        assert "the container ended with exit code 1; it has ended" in text
        assert "  log:    exiting on request (FAULT=exit)\n" in text
        assert "the problem has lasted since" in text
    assert max(re.findall(r"the problem has lasted since (.*?) UTC", second)) < second_began


def test_a_failing_application_is_named_with_its_own_log_beside_another_container(
    live: SandboxEnvironment, tmp_path: Path
) -> None:
    def change(pod: Pod) -> None:
        pod["spec"]["containers"].insert(0, another_container("proxy"))

    live.set({"green:failFastSeconds": 3, "green:env": {"FAULT": "exit"}})
    with injecting(live, tmp_path, change):
        text = failing(live)
    assert re.search(r"reason: CrashLoopBackOff of pod myapp-green-\S+, container myapp\n", text), text
    assert re.findall(r"  log:    (.*)\n", text) == ["exiting on request (FAULT=exit)"]


def test_a_pod_that_has_failed_and_lingers_is_no_problem(live: SandboxEnvironment) -> None:
    live.up()
    [pod] = found(live, "pods")
    name = pod["metadata"]["name"]
    # The node ends the pod and leaves it there, as after an eviction.
    where = ("--namespace", live.name)
    live.cluster.kubectl("patch", "pod", name, *where, "--patch", '{"spec": {"activeDeadlineSeconds": 1}}')
    eventually(lambda: live.get("pod", name)["status"]["phase"], "Failed", seconds=PATIENCE_SECONDS)
    live.set({"green:replicas": 2})
    live.up()
    phases = sorted(each["status"]["phase"] for each in found(live, "pods"))
    assert phases == ["Failed", "Running", "Running"]
    live.set({"green:replicas": None})
