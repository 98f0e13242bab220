"""A mutating admission webhook of a test's own, which the API server asks before it writes Deployments of one namespace."""

import base64
import contextlib
import json
import ssl
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from sandbox.authority import Authority
from tests.stack import Environment

Change = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""From a Deployment to the operations of a JSON Patch."""


@contextlib.contextmanager
def admission(environment: Environment, directory: Path, change: Change) -> Iterator[None]:
    """Every write of a Deployment in the environment's namespace gets `change` applied, from whoever it comes."""
    Authority(directory, ["127.0.0.1"]).issue("webhook", "webhook", "tests")
    with _server(directory, change) as url:
        name = f"{environment.name}-webhook"
        authority = base64.b64encode((directory / "ca.crt").read_bytes()).decode()
        webhook = {
            "name": "images.test.example",
            "clientConfig": {"url": url, "caBundle": authority},
            "rules": [
                {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["CREATE", "UPDATE"]}
            ],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": environment.name}},
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
        }
        item = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [webhook],
        }
        environment.cluster.kubectl("create", "--filename=-", stdin=json.dumps(item))
        try:
            yield
        finally:
            environment.cluster.kubectl("delete", "mutatingwebhookconfiguration", name)


@contextlib.contextmanager
def _server(directory: Path, change: Change) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = review["request"]
            patch = base64.b64encode(json.dumps(change(request["object"])).encode()).decode()
            response = {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch", "patch": patch}
            body = json.dumps({"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "webhook.crt", directory / "webhook.key")
        running.socket = context.wrap_socket(running.socket, server_side=True)
        Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"https://127.0.0.1:{running.server_address[1]}/"
        finally:
            running.shutdown()
