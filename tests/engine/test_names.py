"""The cluster accepts every object that the program makes, whatever the name of the app and the options."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import SandboxCluster
from tests.stack import PREFIX
from tests.unit.program import BOTH_COLORS, run

EVERYTHING = BOTH_COLORS | {
    "bluegreen:migrate": "/migrate",
    "bluegreen:env": '{"A": "1"}',
    "bluegreen:secretEnv": '{"B": "2"}',
    "bluegreen:secretRefs": json.dumps(["a" * 253, "vault.example"]),
    "bluegreen:configMapRefs": '["flags"]',
    "bluegreen:replicas": "2",
    "bluegreen:maxReplicas": "4",
    "bluegreen:resources": '{"requests": {"cpu": ".1", "memory": "1e7"}, "limits": {"cpu": "1"}}',
    "bluegreen:imagePullSecret": "registry.example",
    "bluegreen:tlsSecret": "a" * 253,
    "green:imageTag": "a" * 128,
    "green:release": "v2.0-green+build.5",
}
SIGNATURE = "4dabf18193072939515e22adb298388d"  # how the wire marks a secret
APPS = ["a" * 45, "a" * 52, f"a{'-' * 50}b", "a"]
HOSTS = ["*", "*.shop.example", f"{'a' * 63}.{'b' * 63}.example", "10.0.0.1.example"]


@pytest.fixture(scope="module")
def namespace(cluster: SandboxCluster) -> Iterator[str]:
    name = f"{PREFIX}{secrets.token_hex(4)}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("routing", ["istio", "selector"])
@pytest.mark.parametrize(("app", "host"), [*zip(APPS, HOSTS, strict=True)])
def test_the_cluster_accepts_every_object_of_an_app(
    cluster: SandboxCluster, namespace: str, app: str, host: str, routing: str
) -> None:
    config = EVERYTHING | {"bluegreen:app": app, "bluegreen:host": host, "bluegreen:routing": routing}
    made = [plain(each.inputs) for each in run(config).objects().values()]
    assert len(made) >= 14
    said = cluster.kubectl(
        "apply",
        "--dry-run=server",
        "--server-side",
        "--validate=strict",
        f"--namespace={namespace}",
        "--filename=-",
        stdin=listed(made),
    )
    assert len(said.splitlines()) == len(made)


def plain(value: Any) -> Any:
    """The inputs without the marks of secrets, as the engine sends them to the provider."""
    if isinstance(value, dict) and SIGNATURE in value:
        return plain(value["value"])
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def listed(items: list[Any]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
