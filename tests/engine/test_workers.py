"""Workers on the real engine and cluster: they run only while their color is active, and a switch moves them in its order."""

import contextlib
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen.release import metadata
from tests.as_written import OF_EVERY_COLOR, differences
from tests.cluster import ROOT, SandboxCluster
from tests.command import Operator
from tests.engine.onlookers import served_by
from tests.stack import SandboxEnvironment, environment_of_its_own

MANIFEST = "examples/manifests/worker"
CONFIG: dict[str, object] = {
    "bluegreen:activeColor": "blue",
    "bluegreen:drainSeconds": 1,
    "bluegreen:readyTimeoutSeconds": 60,
    **{f"{color}:manifest": MANIFEST for color in ("blue", "green")},
    **{f"{color}:worker": ["jobs"] for color in ("blue", "green")},
    "green:imageTag": "2.0",
}
WORKERS = f"{metadata.WORKER_OF}=myapp"


@pytest.fixture(params=["stop-first", "start-first"])
def environment(request: pytest.FixtureRequest, cluster: SandboxCluster, tmp_path: Path) -> Iterator[SandboxEnvironment]:
    config = CONFIG | {"bluegreen:workerOrder": request.param}
    with environment_of_its_own(cluster, tmp_path / "environment", config) as made:
        made.service = "orders"
        yield made


class Seen:
    """The pods of all workers, after each event of a watch: how many there are of each color, and how many are ready."""

    def __init__(self) -> None:
        self._pods: dict[str, tuple[str, bool]] = {}
        self.moments: list[tuple[dict[str, int], int]] = []
        self.marked = threading.Event()

    def follow(self, lines: Iterator[str]) -> None:
        for line in lines:
            event = json.loads(line)
            pod = event["object"]
            if pod["kind"] == "Pod" and "mark" in pod["metadata"]["labels"]:
                self.marked.set()
            elif pod["kind"] == "Pod":
                self._take(event["type"], pod)

    def _take(self, kind: str, pod: dict[str, Any]) -> None:
        status = pod.get("status", {})
        conditions = {condition["type"]: condition["status"] for condition in status.get("conditions", [])}
        is_there = kind != "DELETED" and status.get("phase") not in ("Succeeded", "Failed")
        self._pods.pop(pod["metadata"]["name"], None)
        if is_there:
            is_ready = conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
            self._pods[pod["metadata"]["name"]] = (pod["metadata"]["labels"]["color"], is_ready)
        counts: dict[str, int] = {}
        for color, _ in self._pods.values():
            counts[color] = counts.get(color, 0) + 1
        self.moments.append((counts, sum(is_ready for _, is_ready in self._pods.values())))


@contextlib.contextmanager
def watched(environment: SandboxEnvironment) -> Iterator[Seen]:
    """Everything that happens to the pods of workers; all events are taken when it ends."""
    seen = Seen()
    path = f"/api/v1/namespaces/{environment.name}/pods?watch=1&labelSelector={WORKERS.replace('=', '%3D')}"
    command = ["kubectl", "get", "--raw", path]
    variables = dict(environment.cluster.variables)
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout
        thread = threading.Thread(target=seen.follow, args=(watch.stdout,), daemon=True)
        thread.start()
        try:
            yield seen
            # The events of a watch come in their order: when this pod has been seen, all before it have.
            mark = ("run", "mark", "--image=none", "--namespace", environment.name, f"--labels=mark=yes,{WORKERS}")
            environment.cluster.kubectl(*mark, f"--overrides={json.dumps({'spec': RESTRICTED})}")
            assert seen.marked.wait(timeout=60)
            environment.cluster.kubectl("delete", "pod", "mark", "--namespace", environment.name, "--now")
        finally:
            watch.terminate()


RESTRICTED = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 1, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "mark",
            "image": "none",
            "imagePullPolicy": "Never",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
}


def replicas(environment: SandboxEnvironment) -> dict[str, int]:
    """The wanted number of pods of the worker of each color."""
    return {color: environment.get("deployment", f"myapp-jobs-{color}")["spec"]["replicas"] for color in ("blue", "green")}


def is_stop_first(environment: SandboxEnvironment) -> bool:
    return bool(environment.config["bluegreen:workerOrder"] == "stop-first")


def compared(environment: SandboxEnvironment) -> None:
    """The pods of both colors, and of their workers, are what the team wrote, but for what two colors cannot share."""
    documents = [*yaml.safe_load_all((ROOT / MANIFEST / "worker.yaml").read_text())]
    web, jobs = [document for document in documents if document["kind"] == "Deployment"]
    own = {"spec.containers[{}].envFrom[0].configMapRef.name"}
    labels = {f"metadata.labels.{name}" for name in ("color", metadata.WORKER, metadata.WORKER_OF)}
    for color, other_image in (("blue", set[str]()), ("green", {"spec.containers[{}].image"})):
        expected = {path.format("orders") for path in own | other_image}
        stops = {"spec.containers[orders].lifecycle", "spec.terminationGracePeriodSeconds"}
        assert differences(environment, f"myapp-{color}", web) == expected | stops | OF_EVERY_COLOR
        expected = {path.format("jobs") for path in own | other_image}
        assert differences(environment, f"myapp-jobs-{color}", jobs) == expected | labels


def test_a_switch_there_and_back_moves_the_workers_in_the_order_of_the_config(environment: SandboxEnvironment) -> None:
    environment.up()
    environment.users.wait_for("blue")
    assert replicas(environment) == {"blue": 2, "green": 0}
    assert environment.up().written == set()
    compared(environment)
    person = Operator(environment)
    with served_by(environment, "blue", "green"), watched(environment) as seen:
        for color in ("green", "blue"):
            switched = environment.activate(color)
            assert {"update Deployment/myapp-jobs-blue", "update Deployment/myapp-jobs-green"} <= switched.written
            assert not {
                name for name in switched.written if name in ("update Deployment/myapp-blue", "update Deployment/myapp-green")
            }
            environment.users.wait_for(color)
            assert replicas(environment) == {"blue": 0, "green": 0} | {color: 2}
            assert environment.up().written == set()
        person.run("activate", "green")
        rolled_back = person.run("rollback", "--now")
        assert "workers follow with the update" in rolled_back.out + rolled_back.err
        assert replicas(environment) == {"blue": 2, "green": 0}
    together = [counts for counts, _ in seen.moments if len(counts) > 1]
    begun = next(place for place, (_, ready) in enumerate(seen.moments) if ready)
    pauses = [counts for counts, ready in seen.moments[begun:] if not ready]
    if is_stop_first(environment):
        assert (together, bool(pauses)) == ([], True)
    else:
        assert (bool(together), pauses) == (True, [])
    [status] = [line for line in person.run("status", "--json").lines if line["event"] == "status"]
    assert {row["color"]: row["workers"] for row in status["rows"]} == {
        "blue": [{"name": "jobs", "ready": 2, "wanted": 2}],
        "green": [{"name": "jobs", "ready": 0, "wanted": 0}],
    }
    assert status["drift"] == []
    person.run("decommission", "green")
    assert not [name for name in environment.objects() if name.startswith("Deployment/") and "green" in name]


def test_users_stay_when_the_new_workers_do_not_start(environment: SandboxEnvironment) -> None:
    environment.up()
    environment.users.wait_for("blue")
    is_stopping = is_stop_first(environment)
    # As many pods as there are without new workers.
    room = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "room"}}
    pods = json.dumps({**room, "spec": {"hard": {"pods": "4" if is_stopping else "6"}}})
    environment.cluster.kubectl("create", "--filename=-", "--namespace", environment.name, stdin=pods)
    environment.set({"bluegreen:activeColor": "green", "bluegreen:readyTimeoutSeconds": 5})
    with served_by(environment, "blue"):
        failed = environment.up(succeeds=False)
    assert "myapp-jobs-green did not become ready" in failed.text
    assert "users stay on blue" in failed.text
    assert ("The workers of blue are stopped" if is_stopping else "The workers of blue run on") in failed.text
    assert replicas(environment) == {"blue": 0 if is_stopping else 2, "green": 2}
    environment.cluster.kubectl("delete", "resourcequota", "room", "--namespace", environment.name)
    environment.set({"bluegreen:activeColor": "blue", "bluegreen:readyTimeoutSeconds": 60})
    environment.up()
    assert replicas(environment) == {"blue": 2, "green": 0}
