"""Makes the connection to the API server that a kubeconfig cluster describes: TLS, tls-server-name, proxy-url, NO_PROXY."""

import http.client
import os
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from bluegreen.kube.credentials import basic
from bluegreen.kube.kubeconfig import ClusterConfig, KubeconfigError
from bluegreen.kube.pem import pem

# Timeout per socket operation. After it the attempt has failed; the client retries.
TIMEOUT_SECONDS = 10

_PORTS = {"http": 80, "https": 443}


def server_of(config: ClusterConfig) -> SplitResult:
    """The URL of the API server. Without a scheme it is https if any certificate is configured, as for kubectl.

    Raises `KubeconfigError`.
    """
    server = config.cluster.get("server") or ""
    if not server:
        raise KubeconfigError("the cluster of the kubeconfig has no server")
    url = _split(server, "server")
    if not (url.scheme and url.netloc):
        url = _split(f"{'https' if _has_certificates(config) else 'http'}://{server}", "server")
        if url.path not in ("", "/"):
            raise KubeconfigError(f"the server {server} of the kubeconfig must be a URL, or a host and a port")
    if url.scheme not in _PORTS:
        raise KubeconfigError(f"the server {server} of the kubeconfig must begin with https:// or http://")
    host, port = _address(url, "server")
    netloc = f"{_bracketed(host)}:{port}" if url.port else _bracketed(host)
    return SplitResult(url.scheme, netloc, quote(url.path.rstrip("/"), safe="/%:@!$&'()*+,;=~"), "", "")


def _has_certificates(config: ClusterConfig) -> bool:
    certificates = ("certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify")
    return any(config.cluster.get(key) for key in certificates) or any(
        config.user.get(key) for key in ("client-certificate", "client-certificate-data")
    )


def connection_to(server: SplitResult, cluster: Mapping[str, Any], certificate: str) -> http.client.HTTPConnection:
    """A connection that connects on first use. `certificate` is the client certificate with its key (PEM), or empty.

    `server` comes from `server_of`. Raises `KubeconfigError`.
    """
    host, port = _address(server, "server")
    proxy = _proxy(cluster, server)
    peer = _address(*proxy) if proxy else (host, port)
    connection = (
        _TlsConnection(*peer, _trust(cluster, certificate), _host(cluster.get("tls-server-name") or host, "tls-server-name"))
        if server.scheme == "https"
        else http.client.HTTPConnection(*peer, timeout=TIMEOUT_SECONDS)
    )
    if proxy:
        # http.client of Python 3.11 does not add the brackets of an IPv6 address itself.
        connection.set_tunnel(_bracketed(host), port, headers=_proxy_headers(proxy[0]))
    return connection


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    return {"Proxy-Authorization": basic(unquote(proxy.username), unquote(proxy.password or ""))}


class _TlsConnection(http.client.HTTPSConnection):
    """A TLS connection that verifies `server_name`, which may differ from the host it connects to."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, server_name: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS, context=tls)
        self._tls = tls
        self._server_name = server_name

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._server_name)


def _split(url: str, key: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError as error:
        raise KubeconfigError(f"the {key} of the cluster is no address: {error}") from None


def _address(url: SplitResult, key: str) -> tuple[str, int]:
    """Host and port."""
    try:
        return _host(url.hostname or "", key), url.port or _PORTS[url.scheme]
    except ValueError as error:
        raise KubeconfigError(f"the {key} of the cluster is no address: {error}") from None


def _host(name: str, key: str) -> str:
    """A host name in ASCII (IDNA). Raises `KubeconfigError` for an invalid one."""
    try:
        encoded = name.encode("idna").decode()
    except UnicodeError:
        encoded = ""
    if not re.fullmatch(r"[\w:][\w.:%-]*", encoded, re.ASCII):
        raise KubeconfigError(f"the {key} of the cluster has an invalid host name: {name!r}")
    return encoded


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _proxy(cluster: Mapping[str, Any], server: SplitResult) -> tuple[SplitResult, str] | None:
    """The proxy for a cluster and where it is configured: `proxy-url`, or a variable such as https_proxy. None for no proxy.

    Chooses as Go's golang.org/x/net/http/httpproxy does.
    """
    url, key = cluster.get("proxy-url") or "", "proxy-url"
    if not url:
        key = f"{server.scheme}_proxy"
        url = "" if _is_direct(server) else _variable(key)
    if not url:
        return None
    proxy = _split(url if "://" in url else f"http://{url}", key)
    if proxy.scheme != "http":
        raise KubeconfigError(
            f"the proxy {proxy.scheme}://{proxy.hostname} in {key} is not supported: only http:// proxies are"
        )
    return proxy, key


def _variable(name: str) -> str:
    """An environment variable in lower or upper case; empty if not set."""
    return os.environ.get(name) or os.environ.get(name.upper()) or ""


def _is_direct(server: SplitResult) -> bool:
    """Whether a server is reached without a proxy: this machine, or covered by NO_PROXY, by the rules of Go's httpproxy."""
    host, port = _address(server, "server")
    address = _ip(host)
    if host == "localhost" or (address and address.is_loopback):
        return True
    entries = [entry.strip().lower() for entry in _variable("no_proxy").split(",")]
    return "*" in entries or any(_covers(entry, host.lower(), address, port) for entry in entries if entry)


def _covers(entry: str, host: str, address: Any, port: int) -> bool:
    """Whether one entry of NO_PROXY (10.0.0.0/8, 10.1.2.3:6443, example.com, .example.com:443) covers a host."""
    if "/" in entry:
        return address is not None and _is_in(address, entry)
    name, entry_port = _name_and_port(entry)
    if not name or entry_port not in ("", str(port)):
        return False
    if entry_address := _ip(name):
        return bool(entry_address == address)
    domain = name.removeprefix("*") if name.startswith("*.") else name
    return address is None and (host.endswith(domain if domain.startswith(".") else f".{domain}") or host == domain)


def _name_and_port(entry: str) -> tuple[str, str]:
    """Host and port of host:port or [address]:port; an IPv6 address without brackets has no port."""
    if match := re.fullmatch(r"\[(.*)\]:(.*)", entry):
        return match[1], match[2]
    name, colon, port = entry.rpartition(":")
    return (name, port) if colon and ":" not in name else (entry, "")


def _ip(text: str) -> Any:
    """`text` as an IP address; None if it is not one. An IPv4-mapped IPv6 address becomes the IPv4 address."""
    from ipaddress import ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_in(address: Any, network: str) -> bool:
    from ipaddress import ip_network

    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False


def _trust(cluster: Mapping[str, Any], certificate: str) -> ssl.SSLContext:
    """The TLS settings: trusts the cluster's certificate authority, or the system's if it has none."""
    try:
        context = ssl.create_default_context(cadata=pem(cluster, "certificate-authority") or None)
        # The default since Python 3.13; many clusters' authorities do not satisfy it, and kubectl does not require it.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            _load_client_certificate(context, certificate)
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        raise KubeconfigError(f"a certificate or key of the kubeconfig cannot be used: {error}") from None
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: str) -> None:
    """Loads it by way of a temporary file (mode 0600), because Python's ssl reads client certificates from files only."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(certificate)
        file.flush()
        # With an empty password an encrypted key is an error. Without one OpenSSL would prompt on the terminal.
        context.load_cert_chain(file.name, password="")
