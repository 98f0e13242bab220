"""How the API server is reached: over TLS, under another name, through a proxy, as the cluster of a kubeconfig says."""

import http.client
import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from release.kubeconfig import KubeconfigError
from release.login import basic, pem

# A cluster that has not answered by then is taken for absent; the provider would find out later and say less.
TIMEOUT_SECONDS = 10


def connection_to(server: SplitResult, cluster: Mapping[str, Any], certificate: str) -> http.client.HTTPConnection:
    """A connection, which is made when it is first used. Whoever asks shows `certificate` (PEM with its key) when not empty.

    Raises `KubeconfigError`.
    """
    address = _address(server)
    proxy = _proxy(cluster, server)
    at = _address(proxy) if proxy else address
    connection = (
        _Secured(*at, _trust(cluster, certificate), cluster.get("tls-server-name") or address[0])
        if server.scheme == "https"
        else http.client.HTTPConnection(*at, timeout=TIMEOUT_SECONDS)
    )
    if proxy:
        shown = basic(unquote(proxy.username), unquote(proxy.password or "")) if proxy.username else ""
        connection.set_tunnel(*address, headers={"Proxy-Authorization": shown} if shown else {})
    return connection


class _Secured(http.client.HTTPSConnection):
    """A connection whose server may show the certificate of another name than the one that leads to it."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, name: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS, context=tls)
        self._tls = tls
        self._name = name

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _address(url: SplitResult) -> tuple[str, int]:
    return url.hostname or "localhost", url.port or (443 if url.scheme == "https" else 80)


def _proxy(cluster: Mapping[str, Any], server: SplitResult) -> SplitResult | None:
    """The proxy that leads to a cluster: its own, or the one of the environment, which never leads to this machine."""
    url = cluster.get("proxy-url") or ""
    host = server.hostname or ""
    is_here = host in ("localhost", "::1") or host.startswith("127.")
    if not url and not is_here and any(name.lower() == f"{server.scheme}_proxy" for name in os.environ):
        from urllib.request import getproxies, proxy_bypass

        url = "" if proxy_bypass(server.netloc) else getproxies().get(server.scheme, "")
    if not url:
        return None
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    if proxy.scheme != "http":
        raise KubeconfigError(
            f"the cluster is behind the proxy {proxy.scheme}://{proxy.hostname}, and only http:// is known here"
        )
    return proxy


def _trust(cluster: Mapping[str, Any], certificate: str) -> ssl.SSLContext:
    """How the connection is secured: by the cluster's authority, or those that the system trusts."""
    try:
        context = ssl.create_default_context(cadata=pem(cluster, "certificate-authority") or None)
        # Strict from Python 3.13 on; the authorities of many clusters lack what it asks for, and kubectl does not.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            _load(context, certificate)
    except (ssl.SSLError, ValueError) as error:
        raise KubeconfigError(f"a certificate or key of the kubeconfig cannot be used: {error}") from None
    return context


def _load(context: ssl.SSLContext, certificate: str) -> None:
    """Python reads a certificate from a file alone, so it is in one for that long, which nobody else can read."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(certificate)
        file.flush()
        context.load_cert_chain(file.name)
