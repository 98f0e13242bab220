"""How the API server is reached: over TLS, under another name, through a proxy, as the cluster of a kubeconfig says."""

import http.client
import os
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

from bluegreen.kube.credentials import basic, pem
from bluegreen.kube.kubeconfig import ClusterConfig, KubeconfigError

# The longest that one socket operation may take. After it the request counts as lost; the client sends it again.
TIMEOUT_SECONDS = 10

_PORTS = {"http": 80, "https": 443}


def server_of(config: ClusterConfig) -> SplitResult:
    """The address of the API server. Without a scheme it is https if there is any certificate, as for kubectl.

    Raises `KubeconfigError`.
    """
    given = config.cluster.get("server") or ""
    if not given:
        raise KubeconfigError("the cluster of the kubeconfig has no server")
    url = _split(given, "server")
    if not (url.scheme and url.netloc):
        url = _split(f"{'https' if _has_certificates(config) else 'http'}://{given}", "server")
        if url.path not in ("", "/"):
            raise KubeconfigError(f"the server {given} of the kubeconfig must be a URL, or a host and a port")
    if url.scheme not in _PORTS:
        raise KubeconfigError(f"the server {given} of the kubeconfig must begin with https:// or http://")
    host, port = _address(url, "server")
    netloc = f"{_bracketed(host)}:{port}" if url.port else _bracketed(host)
    return SplitResult(url.scheme, netloc, quote(url.path.rstrip("/"), safe="/%:@!$&'()*+,;=~"), "", "")


def _has_certificates(config: ClusterConfig) -> bool:
    certificates = ("certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify")
    return any(config.cluster.get(key) for key in certificates) or any(
        config.user.get(key) for key in ("client-certificate", "client-certificate-data")
    )


def connection_to(server: SplitResult, cluster: Mapping[str, Any], certificate: str) -> http.client.HTTPConnection:
    """A connection, which is made when it is first used. `certificate` (PEM with its key) is the client's, or empty.

    `server` is an address from `server_of`. Raises `KubeconfigError`.
    """
    host, port = _address(server, "server")
    proxy = _proxy(cluster, server)
    at = _address(*proxy) if proxy else (host, port)
    connection = (
        _Secured(*at, _trust(cluster, certificate), _host(cluster.get("tls-server-name") or host, "tls-server-name"))
        if server.scheme == "https"
        else http.client.HTTPConnection(*at, timeout=TIMEOUT_SECONDS)
    )
    if proxy:
        # http.client of Python 3.11 leaves the brackets of an IPv6 address to the caller.
        connection.set_tunnel(_bracketed(host), port, headers=_credentials(proxy[0]))
    return connection


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    return {"Proxy-Authorization": basic(unquote(proxy.username), unquote(proxy.password or ""))}


class _Secured(http.client.HTTPSConnection):
    """A connection whose server may show the certificate of another name than the one that leads to it."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, name: str) -> None:
        super().__init__(host, port, timeout=TIMEOUT_SECONDS, context=tls)
        self._tls = tls
        self._name = name

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


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
    """A host name as the network knows it."""
    try:
        known = name.encode("idna").decode()
    except UnicodeError:
        known = ""
    if not re.fullmatch(r"[\w:][\w.:%-]*", known, re.ASCII):
        raise KubeconfigError(f"the {key} of the cluster has no usable host name: {name!r}")
    return known


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _proxy(cluster: Mapping[str, Any], server: SplitResult) -> tuple[SplitResult, str] | None:
    """The proxy that leads to a cluster: its own, or the one of the environment, as Go's httpproxy chooses, and its key."""
    url, key = cluster.get("proxy-url") or "", "proxy-url"
    if not url:
        key = f"{server.scheme}_proxy"
        url = "" if _is_direct(server) else _of_environment(key)
    if not url:
        return None
    proxy = _split(url if "://" in url else f"http://{url}", key)
    if proxy.scheme != "http":
        raise KubeconfigError(
            f"the cluster is behind the proxy {proxy.scheme}://{proxy.hostname}, and this program can only use http:// proxies"
        )
    return proxy, key


def _of_environment(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.upper()) or ""


def _is_direct(server: SplitResult) -> bool:
    """Whether NO_PROXY excepts a server, or it is this machine: by the rules of golang.org/x/net/http/httpproxy."""
    host, port = _address(server, "server")
    address = _ip(host)
    if host == "localhost" or (address and address.is_loopback):
        return True
    entries = [entry.strip().lower() for entry in _of_environment("no_proxy").split(",")]
    return "*" in entries or any(_excepts(entry, host.lower(), address, port) for entry in entries if entry)


def _excepts(entry: str, host: str, address: Any, port: int) -> bool:
    """Whether one entry of NO_PROXY (10.0.0.0/8, 10.1.2.3:6443, example.com, .example.com:443) covers a host."""
    if "/" in entry:
        return address is not None and _is_in(address, entry)
    name, wanted = _name_and_port(entry)
    if not name or wanted not in ("", str(port)):
        return False
    if excepted := _ip(name):
        return bool(excepted == address)
    domain = name.removeprefix("*") if name.startswith("*.") else name
    return address is None and (host.endswith(domain if domain.startswith(".") else f".{domain}") or host == domain)


def _name_and_port(entry: str) -> tuple[str, str]:
    """The two parts of host:port or [address]:port; an address without brackets has no port."""
    if found := re.fullmatch(r"\[(.*)\]:(.*)", entry):
        return found[1], found[2]
    name, colon, port = entry.rpartition(":")
    return (name, port) if colon and ":" not in name else (entry, "")


def _ip(text: str) -> Any:
    """An IP address, or None when it is none. One that maps an IPv4 address to IPv6 is the former."""
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
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        raise KubeconfigError(f"a certificate or key of the kubeconfig cannot be used: {error}") from None
    return context


def _load(context: ssl.SSLContext, certificate: str) -> None:
    """Python reads a certificate from a file alone, so it is in one for that long, which nobody else can read."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(certificate)
        file.flush()
        # A password that is given, because OpenSSL asks the terminal for that of an encrypted key otherwise, and waits.
        context.load_cert_chain(file.name, password="")
