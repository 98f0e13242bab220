"""The certificates of the control plane, and a kubeconfig per client of the API server.

They are created when the sandbox starts and removed with it. Nothing outside the sandbox trusts them.
"""

import base64
import json
import ssl
from collections.abc import Callable
from pathlib import Path

from dev.sandbox.files import write_private
from dev.sandbox.layout import API_PORT, LOOPBACK, NODE_ADDRESS, NODE_NAME, SERVICE_ADDRESS_OF_API, Layout

SERVERS = [
    "localhost",
    NODE_NAME,
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    LOOPBACK,
    NODE_ADDRESS,
    SERVICE_ADDRESS_OF_API,
]

# The user (common name) and the group (organization) of every client of the API server.
CLIENTS = {
    "admin": ("sandbox-admin", "system:masters"),
    "apiserver-kubelet": ("kube-apiserver", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", "system:kube-controller-manager"),
    "scheduler": ("system:kube-scheduler", "system:kube-scheduler"),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
    "proxy": ("system:kube-proxy", "system:node-proxier"),
}


def create(layout: Layout) -> None:
    """Writes the certificates and a kubeconfig per client, unless they exist."""
    if layout.kubeconfig.exists():
        return
    # Imported here because it takes 0.1 s, and a sandbox that is already up does not need it.
    from dev.sandbox.authority import Authority, write_signing_key

    layout.pki.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = Authority(layout.pki, SERVERS)
    authority.issue("server", "kube-apiserver", "sandbox")
    for name, (common_name, organization) in CLIENTS.items():
        authority.issue(name, common_name, organization)
        write_private(client_kubeconfig(layout, name), _kubeconfig(layout, name))
    write_signing_key(layout.pki / "service-account.key")
    # Written last: if it exists, all other files exist.
    write_private(layout.kubeconfig, _kubeconfig(layout, "admin"))


def client_kubeconfig(layout: Layout, client: str) -> Path:
    """The kubeconfig of `client`, one of CLIENTS."""
    return layout.pki / f"{client}.kubeconfig"


def client_context(layout: Layout) -> Callable[[], ssl.SSLContext]:
    """A function that makes a TLS context with the admin's certificate that trusts only the sandbox's authority."""

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
        return context

    return make


def _kubeconfig(layout: Layout, client: str) -> str:
    """A kubeconfig with one context, `sandbox`, and embedded certificates. It is JSON, which is valid YAML."""

    def embedded(file: str) -> str:
        return base64.b64encode((layout.pki / file).read_bytes()).decode()

    cluster = {
        "server": f"https://{LOOPBACK}:{API_PORT}",
        "certificate-authority-data": embedded("ca.crt"),
        # On one machine, compressing a response takes longer than sending it uncompressed.
        "disable-compression": True,
    }
    user = {"client-certificate-data": embedded(f"{client}.crt"), "client-key-data": embedded(f"{client}.key")}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "sandbox", "cluster": cluster}],
            "users": [{"name": client, "user": user}],
            "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": client}}],
            "current-context": "sandbox",
        },
        indent=1,
    )
