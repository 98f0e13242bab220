"""An environment that an earlier version deployed, as files: its config, its state, and its live objects.

`record` writes the files with the program of that version; `restore` brings the environment up from them. The name of the
environment (its stack, its namespace, and its host name) is `NAME` in the files.
"""

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli import pulumi
from tests.cluster import SandboxCluster, eventually
from tests.stack import ONE_COLOR, SandboxEnvironment, environment_of_its_own

HERE = Path(__file__).parent
NAME = "recorded-environment"

CONFIG: dict[str, object] = ONE_COLOR | {
    "bluegreen:env": {"GREETING": "hello"},
    "blue:release": "2026.1",
    # The sample application has no migration: `_complete` ends it.
    "green:migrate": "/app",
    "green:maxReplicas": 3,
    "green:resources": {"requests": {"cpu": "10m"}},
}
_SECRET = "not a secret, but treated as one"

_KINDS = ["configmap", "secret", "service", "job", "deployment", "poddisruptionbudget", "horizontalpodautoscaler"]
_OF_ISTIO = [f"{kind}.networking.istio.io" for kind in ("gateway", "destinationrule", "virtualservice")]

# What the cluster writes, and refuses or ignores in a new object.
_GIVEN = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields")


def record(cluster: SandboxCluster, program: Path, directory: Path, files: Path, routing: str) -> None:
    """Deploys both colors with the `program` of a version, moves users to green and back, and writes `files`.

    `directory` is for what is needed meanwhile.
    """
    with environment_of_its_own(cluster, directory, CONFIG | {"bluegreen:routing": routing}, program) as environment:
        environment.set_secret("bluegreen:secretEnv.TOKEN", _SECRET)
        environment.up()
        environment.set({"green:imageTag": "2.0", "bluegreen:testColor": "green"})
        with ThreadPoolExecutor() as pool:
            deployed = pool.submit(environment.up)
            eventually(lambda: _jobs(environment) != [], True)
            _complete(environment)
            deployed.result()
        environment.activate("green")
        environment.activate("blue")
        environment.users.wait_for("blue")
        files.mkdir(parents=True, exist_ok=True)
        state = _pulumi(environment, "stack", "export")
        for name, text in (
            ("config.yaml", environment.config_file.read_text()),
            ("state.json", json.dumps(_cleaned_state(json.loads(state)), indent=1)),
            ("objects.json", json.dumps([_cleaned(item) for item in _objects(environment)], indent=1)),
        ):
            (files / name).write_text(text.replace(environment.name, NAME).rstrip() + "\n")


@contextmanager
def restored(cluster: SandboxCluster, files: Path, directory: Path) -> Iterator[SandboxEnvironment]:
    """An environment as `files` have it, which today's program operates."""
    with environment_of_its_own(cluster, directory, {}) as environment:
        config, state, objects = (
            (files / name).read_text().replace(NAME, environment.name) for name in ("config.yaml", "state.json", "objects.json")
        )
        environment.config_file.write_text(config)
        made = ("--namespace", environment.name, "--filename=-", "--field-manager=bluegreen")
        cluster.kubectl("create", *made, stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": json.loads(objects)}))
        _complete(environment)
        for color in ("blue", "green"):
            where = ("--namespace", environment.name, "--timeout=50s")
            cluster.kubectl("rollout", "status", f"deployment/myapp-{color}", *where)
        live = {(item["kind"], item["metadata"]["name"]): item for item in _objects(environment)}
        imported = directory / "state.json"
        imported.write_text(json.dumps(_renewed(json.loads(state), live)))
        _pulumi(environment, "stack", "import", "--file", str(imported))
        environment.users.wait_for("blue")
        yield environment


def _pulumi(environment: SandboxEnvironment, *command: str) -> str:
    done = pulumi(*command, "--stack", environment.name, project=environment.project, variables=environment._variables)
    assert done.status == 0, str(done)
    return done.text


def _objects(environment: SandboxEnvironment) -> list[dict[str, Any]]:
    kinds = [*_KINDS, *(_OF_ISTIO if environment.routing == "istio" else [])]
    where = ("--namespace", environment.name, "--output=json", "--show-managed-fields")
    found = json.loads(environment.cluster.kubectl("get", ",".join(kinds), *where))["items"]
    return [item for item in found if item["metadata"]["name"] != "kube-root-ca.crt"]


def _cleaned(item: dict[str, Any]) -> dict[str, Any]:
    """An object without what the cluster writes, which may be created again."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _GIVEN}
    metadata["annotations"].pop("deployment.kubernetes.io/revision", None)
    spec = dict(item.get("spec", {}))
    if item["kind"] == "Job":
        spec.pop("selector")
        for labels in (metadata["labels"], spec["template"]["metadata"]["labels"]):
            for name in [name for name in labels if name.endswith(("controller-uid", "job-name"))]:
                del labels[name]
    if item["kind"] == "Service":
        spec = {key: value for key, value in spec.items() if key not in ("clusterIP", "clusterIPs")}
        spec["ports"] = [{key: value for key, value in port.items() if key != "nodePort"} for port in spec["ports"]]
    cleaned = {**item, "metadata": metadata, **({"spec": spec} if spec else {})}
    cleaned.pop("status", None)
    return cleaned


def _cleaned_state(state: dict[str, Any]) -> dict[str, Any]:
    """The state without what is another at each restore, and without the places of the program on this machine."""
    for resource in state["deployment"]["resources"]:
        resource.pop("sourcePosition", None)
        resource.pop("stackTrace", None)
        if resource["type"].startswith("kubernetes:"):
            outputs = resource["outputs"]
            name = {"name": outputs["metadata"]["name"]}
            kept = {
                key: value for key, value in outputs.items() if key.startswith("__") or key in ("kind", "data", "stringData")
            }
            resource["outputs"] = {**kept, "metadata": name}
    return state


def _renewed(state: dict[str, Any], live: Mapping[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    """The state with the outputs of the live objects: the cluster gives another uid, address and port each time."""
    for resource in state["deployment"]["resources"]:
        if not resource["type"].startswith("kubernetes:"):
            continue
        outputs = resource["outputs"]
        item = live[outputs["kind"], outputs["metadata"]["name"]]
        # Values stay as they are: those of a Secret are encrypted.
        outputs |= {key: value for key, value in item.items() if key not in ("data", "stringData")}
    return state


def _jobs(environment: SandboxEnvironment, field: str = "metadata.name") -> list[str]:
    """One field of each migration, without those that do not have it yet."""
    output = f"--output=jsonpath={{.items[*].{field}}}"
    return environment.cluster.kubectl("get", "jobs", "--namespace", environment.name, output).split()


def _complete(environment: SandboxEnvironment) -> None:
    """Ends the migration of the sample application, which serves instead, as a migration that has succeeded."""
    jobs, where = _jobs(environment), ("--namespace", environment.name)
    eventually(lambda: len(_jobs(environment, "status.startTime")), len(jobs))
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "lastProbeTime": now}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    status = {"completionTime": now, "active": 0, "ready": 0, "terminating": 0, "succeeded": 1}
    change = json.dumps({"status": {**status, "conditions": conditions}})
    for job in jobs:
        environment.cluster.kubectl("patch", "job", job, *where, "--subresource=status", "--type=merge", f"--patch={change}")
    environment.cluster.kubectl("delete", "pods", *where, "--selector=app=myapp-migrate", "--wait=false")
