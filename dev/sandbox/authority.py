"""A certificate authority in a directory, for the certificates of the sandbox's processes and of the tests."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dev.sandbox.files import write, write_private

VALID_DAYS = 3650


class Authority:
    """A new authority. Writes its certificate to `directory`/ca.crt; `directory` must exist.

    `servers` are the DNS names and IP addresses in the subjectAltName of every certificate.
    """

    def __init__(self, directory: Path, servers: list[str]) -> None:
        self._directory = directory
        self._alternatives = x509.SubjectAlternativeName([_general_name(server) for server in servers])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox-ca")])
        builder = self._builder(self._name, self._key)
        self._write("ca", builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True))

    def issue(self, name: str, common_name: str, organization: str) -> None:
        """Writes `name`.crt and `name`.key, valid for clients and servers."""
        attributes = {NameOID.ORGANIZATION_NAME: organization, NameOID.COMMON_NAME: common_name}
        subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in attributes.items()])
        key = ec.generate_private_key(ec.SECP256R1())
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = self._builder(subject, key).add_extension(self._alternatives, critical=False)
        self._write(name, builder.add_extension(usages, critical=False))
        write_private(self._directory / f"{name}.key", _pem(key))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        # Valid since an hour ago, in case the machine's clock is set back while the sandbox runs.
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        return builder.serial_number(x509.random_serial_number())

    def _write(self, name: str, builder: x509.CertificateBuilder) -> None:
        certificate = builder.sign(self._key, hashes.SHA256())
        write(self._directory / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM).decode())


def write_signing_key(path: Path) -> None:
    """Writes a new key for signing service account tokens."""
    write_private(path, _pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))


def _general_name(server: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(server))
    except ValueError:
        return x509.DNSName(server)


def _pem(key: CertificateIssuerPrivateKeyTypes) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
