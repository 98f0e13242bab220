"""The certificates of the control plane: one authority, and a certificate for each who has to prove itself.

All of it is made when the sandbox starts and removed with it; nothing outside the sandbox ever trusts it.
"""

import base64
import datetime
import ipaddress
import json
import ssl
from collections.abc import Callable
from pathlib import Path

from sandbox.files import write_private
from sandbox.layout import API_PORT, LOOPBACK, NODE_ADDRESS, NODE_NAME, SERVICE_ADDRESS_OF_API, Layout

SERVER_NAMES = (
    "localhost",
    NODE_NAME,
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVER_ADDRESSES = (LOOPBACK, NODE_ADDRESS, SERVICE_ADDRESS_OF_API)

# Who each client is to the API server: common name, organization.
CLIENTS = {
    "admin": ("sandbox-admin", "system:masters"),
    "apiserver-kubelet": ("kube-apiserver", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", "system:kube-controller-manager"),
    "scheduler": ("system:kube-scheduler", "system:kube-scheduler"),
    "kubelet": (f"system:node:{NODE_NAME}", "system:nodes"),
    "proxy": ("system:kube-proxy", "system:node-proxier"),
}


def create(layout: Layout) -> None:
    """Write the authority, the server's and clients' certificates, and a kubeconfig for each client; keep what is there."""
    if layout.kubeconfig.exists():
        return
    layout.pki.mkdir(mode=0o700, parents=True, exist_ok=True)
    issue = _Authority(layout.pki).issue
    issue("server", "kube-apiserver", "sandbox")
    for name, (common_name, organization) in CLIENTS.items():
        issue(name, common_name, organization)
        write_private(client_kubeconfig(layout, name), _kubeconfig(layout, name))
    _write_service_account_key(layout.pki)
    # Last, because its presence says that all the others are there.
    write_private(layout.kubeconfig, _kubeconfig(layout, "admin"))


def client_kubeconfig(layout: Layout, client: str) -> Path:
    return layout.pki / f"{client}.kubeconfig"


def client_context(layout: Layout) -> Callable[[], ssl.SSLContext]:
    """Makes a TLS context that proves to be the admin and trusts the sandbox's authority alone."""

    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
        return context

    return make


class _Authority:
    """A certificate authority that lives in `directory`."""

    def __init__(self, directory: Path) -> None:
        # Imported here because it is slow to import, and a sandbox that is already up does not need it.
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sandbox-ca")])
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._sign(builder, "ca", self._key)

    def issue(self, name: str, common_name: str, organization: str) -> None:
        """Write `name`.crt and `name`.key, good for a client and for a server on the sandbox's addresses."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization),
                x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name),
            ]
        )
        alternatives: list[x509.GeneralName] = [x509.DNSName(server) for server in SERVER_NAMES]
        alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in SERVER_ADDRESSES]
        usages = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = self._builder(subject, key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        self._sign(builder, name, key)

    def _builder(self, subject, public_key):  # type: ignore[no-untyped-def]
        from cryptography import x509

        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(public_key)
        # An hour back, for machines whose clock is set while the sandbox runs.
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        return builder.not_valid_after(now + datetime.timedelta(days=3650)).serial_number(x509.random_serial_number())

    def _sign(self, builder, name, key):  # type: ignore[no-untyped-def]
        from cryptography.hazmat.primitives import hashes, serialization

        certificate = builder.sign(self._key, hashes.SHA256())
        (self._directory / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_private(self._directory / f"{name}.key", _pem(key))


def _pem(key) -> str:  # type: ignore[no-untyped-def]
    from cryptography.hazmat.primitives import serialization

    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def _write_service_account_key(directory: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    write_private(directory / "service-account.key", _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))


def _kubeconfig(layout: Layout, client: str) -> str:
    """A kubeconfig of one context, `sandbox`, with everything embedded; JSON is YAML."""

    def embedded(file: str) -> str:
        return base64.b64encode((layout.pki / file).read_bytes()).decode()

    cluster = {"server": f"https://{LOOPBACK}:{API_PORT}", "certificate-authority-data": embedded("ca.crt")}
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

