"""Uses the user's own cluster instead of the sandbox's (CONTEXT=name): starts nothing, only writes .sandbox/env."""

import json
import os
import shutil
import subprocess
from typing import Any

from dev.sandbox import environment
from dev.sandbox.errors import SandboxError
from dev.sandbox.files import write_private
from dev.sandbox.layout import MESH_NAMESPACE, Layout
from dev.sandbox.mesh import GATEWAY_NAME


def stacks_left(layout: Layout) -> list[str]:
    """The stacks with resources in the user's own cluster whose only state is in the sandbox's directory."""
    if layout.pki.exists():
        return []
    stacks = layout.state.glob(".pulumi/stacks/**/*.json")
    return sorted(path.stem for path in stacks if _resources(json.loads(path.read_text())))


def _resources(state: dict[str, Any]) -> list[Any]:
    return list((state.get("checkpoint", {}).get("latest") or {}).get("resources") or [])


def connect(layout: Layout, context: str, *, own_pulumi: bool) -> None:
    """Writes a kubeconfig with the single context `context`, and .sandbox/env.

    Raises SandboxError if kubectl or the context is missing, the cluster does not respond, or its gateway has no address.
    """
    if not shutil.which("kubectl"):
        raise SandboxError("CONTEXT names your own cluster, but kubectl is not on PATH. Install it.")
    # With a copy, later commands reach this cluster only, even if the current context changes.
    write_private(layout.kubeconfig, _kubectl("config", "view", "--minify", "--flatten", "--raw", f"--context={context}"))
    node_address = _node_address(layout)
    variables = environment.pulumi_variables(layout, own_pulumi=own_pulumi)
    variables |= {"KUBECONFIG": str(layout.kubeconfig), "NODE_ADDRESS": os.environ.get("NODE_ADDRESS") or node_address}
    variables |= {"GATEWAY_URL": os.environ.get("GATEWAY_URL") or _gateway_url(layout, node_address)}
    layout.state.mkdir(parents=True, exist_ok=True)
    environment.write(layout, variables)


def _node_address(layout: Layout) -> str:
    nodes = json.loads(_kubectl("get", "nodes", "--output=json", f"--kubeconfig={layout.kubeconfig}"))["items"]
    addresses = {entry["type"]: entry["address"] for node in nodes for entry in node["status"]["addresses"]}
    return str(addresses.get("ExternalIP") or addresses.get("InternalIP") or "")


def _gateway_url(layout: Layout, node_address: str) -> str:
    """The URL of Istio's ingress gateway: its load balancer, otherwise its node port."""
    query = ["get", "service", GATEWAY_NAME, f"--namespace={MESH_NAMESPACE}", "--output=json", "--ignore-not-found"]
    service = json.loads(_kubectl(*query, f"--kubeconfig={layout.kubeconfig}") or "{}")
    return gateway_url(service, node_address)


def gateway_url(service: dict[str, Any], node_address: str) -> str:
    """The URL of the gateway behind `service`. Raises SandboxError if it has no address outside the cluster."""
    for entry in service.get("status", {}).get("loadBalancer", {}).get("ingress", []):
        return f"http://{entry.get('ip') or entry.get('hostname')}"
    for port in service.get("spec", {}).get("ports", []):
        if port["port"] == 80 and port.get("nodePort") and node_address:
            return f"http://{node_address}:{port['nodePort']}"
    raise SandboxError(
        f"The cluster's Service {MESH_NAMESPACE}/{GATEWAY_NAME} has no load balancer and no node port for port 80. "
        "Set the URL of its gateway: GATEWAY_URL=http://..."
    )


def _kubectl(*arguments: str) -> str:
    result = subprocess.run(["kubectl", "--request-timeout=15s", *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SandboxError(f"'kubectl {' '.join(arguments)}' failed: {result.stderr.strip()}")
    return result.stdout
