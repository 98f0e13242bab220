"""What others change in the objects of a namespace, or refuse: admission webhooks, most of which this process serves."""

import base64
import contextlib
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

from dev.sandbox.authority import Authority
from tests.cluster import eventually
from tests.stack import SandboxEnvironment

Pod = dict[str, Any]

Change = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""From an object to the operations of a JSON Patch."""

Rule = Mapping[str, list[str]]
"""Which writes a webhook is asked about."""

NEW_PODS: Rule = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
DEPLOYMENTS: Rule = {
    "operations": ["CREATE", "UPDATE"],
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "resources": ["deployments"],
}

RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
ANY_POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "probe"},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "probe", "image": "bluegreen.example/app:1.0", "securityContext": RESTRICTED}],
    },
}


def another_container(name: str) -> dict[str, Any]:
    """The sample application under another name and at another port. Its fault is in the ConfigMap `faults`, by that name."""
    fault = {"name": "faults", "key": name, "optional": True}
    return {
        "name": name,
        "image": "bluegreen.example/app:1.0",
        "env": [{"name": "PORT", "value": "3001"}, {"name": "FAULT", "valueFrom": {"configMapKeyRef": fault}}],
        "securityContext": RESTRICTED,
    }


@contextlib.contextmanager
def changing(environment: SandboxEnvironment, directory: Path, rule: Rule, change: Change) -> Iterator[None]:
    """While this lasts, each write in the environment's namespace that `rule` covers gets the operations of `change`."""
    with _server(directory, change) as client, _webhook(environment, "Mutating", client, rule):
        yield


@contextlib.contextmanager
def injecting(environment: SandboxEnvironment, directory: Path, change: Callable[[Pod], None]) -> Iterator[None]:
    """While this lasts, `change` changes every pod of the environment's namespace before it is created."""
    asked = Event()

    def operations(pod: Pod) -> list[dict[str, Any]]:
        asked.set()
        change(pod)
        return [{"op": "replace", "path": "/spec", "value": pod["spec"]}]

    with changing(environment, directory, NEW_PODS, operations):
        eventually(lambda: asked.is_set() or (_create_probe(environment) and asked.is_set()), wanted=True)
        yield


@contextlib.contextmanager
def webhook_away(environment: SandboxEnvironment) -> Iterator[None]:
    """While this lasts, no pod is created in the environment's namespace: a webhook must be asked that does not answer."""
    with _webhook(environment, "Validating", {"url": "https://127.0.0.1:1/"}, NEW_PODS):
        eventually(lambda: _create_probe(environment), wanted=False)
        yield


@contextlib.contextmanager
def _webhook(environment: SandboxEnvironment, kind: str, client: Mapping[str, str], rule: Rule) -> Iterator[None]:
    webhook = {
        "name": "webhook.bluegreen.example",
        "clientConfig": client,
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": environment.name}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    config: dict[str, Any] = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": environment.name},
        "webhooks": [webhook],
    }
    environment.cluster.kubectl("create", "--filename=-", stdin=json.dumps(config))
    try:
        yield
    finally:
        environment.cluster.kubectl("delete", config["kind"], environment.name, "--ignore-not-found")


def _create_probe(environment: SandboxEnvironment) -> bool:
    """Whether a pod would be created: nothing is."""
    command = ("create", "--dry-run=server", "--namespace", environment.name, "--filename=-")
    try:
        environment.cluster.kubectl(*command, stdin=json.dumps(ANY_POD))
    except AssertionError:
        return False
    return True


@contextlib.contextmanager
def _server(directory: Path, change: Change) -> Iterator[dict[str, str]]:
    """A webhook that applies `change`; yields the `clientConfig` that leads to it."""
    Authority(directory, ["127.0.0.1"]).issue("webhook", "webhook", "tests")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(directory / "webhook.crt", directory / "webhook.key")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(_reviewed(review, change)).encode()
            self.send_response_only(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.socket = tls.wrap_socket(running.socket, server_side=True)
        Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield {
                "url": f"https://127.0.0.1:{running.server_address[1]}/",
                "caBundle": base64.b64encode((directory / "ca.crt").read_bytes()).decode(),
            }
        finally:
            running.shutdown()


def _reviewed(review: dict[str, Any], change: Change) -> dict[str, Any]:
    patch = base64.b64encode(json.dumps(change(review["request"]["object"])).encode()).decode()
    response = {"uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch", "patch": patch}
    return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}
