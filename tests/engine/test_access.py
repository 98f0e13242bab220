"""Access to the cluster as it is in earnest: a busy API server, a connection that breaks, a login that takes its time."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bluegreen.environment import LiveEnvironment as LiveCluster
from bluegreen.kube.cluster import LiveError
from bluegreen.release.settings import ServiceSettings
from tests.cluster import SandboxCluster
from tests.command import Operator
from tests.engine.onlookers import served_by
from tests.engine.unsteady import BUSY, ERROR, IS_LOST, REDIRECTS, STALLS, UNAVAILABLE, Fault, Way, unsteady
from tests.stack import ONE_COLOR, environment_of_its_own

V1 = "client.authentication.k8s.io/v1"

# What a kubeconfig and an ExecCredential call the parts of a login.
PARTS = {"certificate": "clientCertificateData", "key": "clientKeyData"}


@pytest.fixture(scope="module")
def operator(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Blue 1.0 is live, and green is not deployed."""
    config = ONE_COLOR | {"bluegreen:replicas": 1}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("access"), config) as environment:
        made = Operator(environment)
        made.run("up")
        environment.users.wait_for("blue")
        yield made


def kubeconfig(operator: Operator, file: Path, *, server: str = "", user: object = None) -> Path:
    """The sandbox's kubeconfig with another server or another user, in `file`."""
    content = yaml.safe_load(Path(operator.variables["KUBECONFIG"]).read_text())
    if server:
        content["clusters"][0]["cluster"] = {"server": server}
    if user is not None:
        content["users"][0]["user"] = user
    file.write_text(json.dumps(content))
    return file


@pytest.fixture(scope="module")
def way(operator: Operator) -> Iterator[Way]:
    with unsteady(Path(operator.variables["KUBECONFIG"])) as made:
        yield made


def every(method: str, path: str, *what: str, skipped: int = 0) -> list[Fault]:
    return [Fault(what=each, method=method, path=path, skipped=skipped) for each in what]


def test_a_busy_api_server_is_waited_for_in_a_hook_in_the_wait_for_pods_and_in_a_switch(
    operator: Operator, way: Way, tmp_path: Path
) -> None:
    through = str(kubeconfig(operator, tmp_path / "kubeconfig", server=way.url))
    # Before green's Deployment is created, a hook asks whether it is there already; then its pods are waited for.
    hook = every("GET", "/deployments/myapp-green", BUSY, ERROR, UNAVAILABLE, STALLS)
    wait = every("GET", "/replicasets?", BUSY, ERROR, UNAVAILABLE, IS_LOST)
    with served_by(operator.environment, "blue", "green"):
        way.expect(*hook, *wait)
        operator.run("deploy", "green", "--image", "2.0", KUBECONFIG=through)
        assert sorted(way.happened) == sorted(fault.what for fault in (*hook, *wait))
        # The first read passes. The program's next read fails once, and that of the hook before the route is written twice.
        faults = ((BUSY, 1), (ERROR, 1), (UNAVAILABLE, 0))
        switch = [Fault(what=what, method="GET", path="/deployments?", skipped=skipped) for what, skipped in faults]
        way.expect(*switch)
        operator.run("activate", "green", KUBECONFIG=through)
        assert len(way.happened) == len(switch)
        way.expect(*every("PATCH", "/virtualservices/", REDIRECTS))
        refused = operator.run("rollback", "--now", status=4, KUBECONFIG=through)
        assert "https://login.example/" in refused.err
        assert "users stay on green" in refused.err
        back = every("GET", "/deployments?", BUSY, ERROR)
        back += every("PATCH", "/virtualservices/", UNAVAILABLE, BUSY, STALLS, IS_LOST)
        way.expect(*back)
        operator.run("rollback", "--now", KUBECONFIG=through)
        assert len(way.happened) == len(back)
        operator.environment.users.wait_for("blue")


NETWORK_POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "myapp"},
    "spec": {"podSelector": {"matchLabels": {"app": "nobody"}}, "policyTypes": ["Ingress"]},
}


def test_an_object_of_any_kind_is_found_and_an_unknown_kind_is_never_absent(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule that an object is not there yet asks for whatever the program registers."""
    namespace = operator.environment.name
    monkeypatch.setenv("KUBECONFIG", operator.variables["KUBECONFIG"])
    live = LiveCluster(context="", namespace=namespace, service=ServiceSettings(name="myapp", colors={}), routing="istio")
    operator.environment.cluster.kubectl("create", "--filename=-", "--namespace", namespace, stdin=json.dumps(NETWORK_POLICY))
    assert (live.get("networking.k8s.io/v1", "NetworkPolicy", "myapp") or {})["metadata"]["name"] == "myapp"
    assert live.get("networking.k8s.io/v1", "Ingress", "myapp") is None
    assert (live.get("v1", "Namespace", namespace) or {})["metadata"]["name"] == namespace
    for api_version, kind in (("v1", "Unheard"), ("example.com/v1", "Unheard"), ("networking.istio.io/v0", "Gateway")):
        with pytest.raises(LiveError, match=f"does not have the kind {kind} of {api_version}"):
            live.get(api_version, kind, "myapp")


def test_a_command_logs_in_once_and_what_the_login_asks_is_seen(operator: Operator, tmp_path: Path) -> None:
    user = yaml.safe_load(Path(operator.variables["KUBECONFIG"]).read_text())["users"][0]["user"]
    given = {name: base64.b64decode(user[f"client-{part}-data"]).decode() for part, name in PARTS.items()}
    (tmp_path / "credential").write_text(json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": given}))
    script = tmp_path / "login"
    script.write_text(
        f"#!/bin/sh\necho $PPID $(tr '\\0' ' ' < /proc/$PPID/cmdline) >> {tmp_path}/runs\n"
        f"echo enter ABCD >&2\ncat {tmp_path}/credential\n"
    )
    script.chmod(0o755)
    plugin = {"apiVersion": V1, "command": str(script), "interactiveMode": "IfAvailable"}
    file = str(kubeconfig(operator, tmp_path / "kubeconfig", user={"exec": plugin}))
    if "Deployment/myapp-green" not in operator.environment.objects():
        operator.run("deploy", "green", "--image", "2.0")
    for verb, *arguments in (["status"], ["activate", "green"], ["decommission", "blue"]):
        ran = operator.run(verb, *arguments, KUBECONFIG=file)
        runs = (tmp_path / "runs").read_text().splitlines()
        (tmp_path / "runs").unlink()
        ours = [line for line in runs if "python" in line]
        programs = 0 if verb == "status" else 1
        assert len(ours) == 1 + programs, f"{verb}: {runs}"
        # The command passes on what the program's login asks, and asks itself.
        assert ran.err.count("enter ABCD") == len(ours)
