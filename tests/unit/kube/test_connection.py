"""The API server is reached as the provider's own client (client-go) reaches it: over TLS, by name, through proxies."""

import base64
import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bluegreen.kube.client import ApiError
from bluegreen.kube.connection import connection_to, server_of
from bluegreen.kube.kubeconfig import ClusterConfig, KubeconfigError
from dev.sandbox.authority import Authority
from tests.unit.api_server import Request, api_server, client

V1 = "client.authentication.k8s.io/v1"


# The address


@pytest.mark.parametrize(
    ("server", "more", "address"),
    [
        ("https://a.example", {}, "https://a.example"),
        ("https://a.example:6443/k8s/c 1/", {}, "https://a.example:6443/k8s/c%201"),
        ("https://ann:secret@a.example/?x=1#y", {}, "https://a.example"),
        ("http://[fd00::1]:8080", {}, "http://[fd00::1]:8080"),
        ("https://m\u00fcnchen.example", {}, "https://xn--mnchen-3ya.example"),
        ("a.example:6443", {}, "http://a.example:6443"),
        ("10.0.0.1", {}, "http://10.0.0.1"),
        ("a.example:6443", {"certificate-authority": "/ca.crt"}, "https://a.example:6443"),
        ("a.example:6443/", {"insecure-skip-tls-verify": True}, "https://a.example:6443"),
    ],
)
def test_a_server_url_is_read_as_kubectl_reads_it(server: str, more: Mapping[str, Any], address: str) -> None:
    assert server_of(ClusterConfig(cluster={"server": server, **more}, user={})).geturl() == address


def test_a_server_without_a_scheme_is_https_when_the_user_has_a_certificate() -> None:
    user = {"client-certificate-data": "eA=="}
    assert server_of(ClusterConfig(cluster={"server": "a.example"}, user=user)).geturl() == "https://a.example"


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("", "has no server"),
        ("a.example/path", "must be a URL, or a host and a port"),
        ("ftp://a.example", "must begin with https:// or http://"),
        ("https://:443", "an invalid host name"),
        ("https://a..example", "an invalid host name"),
        ("https://a b", "an invalid host name"),
        ("https://a.example:99999", "no address: Port out of range"),
        ("https://a.example:x", "no address: Port could not be cast"),
        ("https://[fd00::1", "no address: Invalid IPv6 URL"),
    ],
)
def test_an_invalid_server_url_is_an_error(server: str, words: str) -> None:
    with pytest.raises(KubeconfigError, match=words):
        client(server).get("v1", "Service", "myapp")


# TLS


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificates of an authority: server, which is good for api.internal alone, and ann."""
    folder = tmp_path_factory.mktemp("pki")
    authority = Authority(folder, ["api.internal"])
    authority.issue("server", "server", "any")
    authority.issue("ann", "ann", "any")
    return folder


@pytest.fixture
def secured(pki: Path) -> Iterator[tuple[str, list[Request]]]:
    """A server that asks for a certificate of that authority, and takes whoever has none too."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.crt"))
    tls.verify_mode = ssl.CERT_OPTIONAL
    tls.load_cert_chain(pki / "server.crt", pki / "server.key")
    with api_server(tls=tls) as running:
        yield running


def data(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


@pytest.mark.parametrize("is_embedded", [False, True], ids=["from files", "from the kubeconfig itself"])
def test_a_client_certificate_is_presented(is_embedded: bool, pki: Path, secured: tuple[str, list[Request]]) -> None:
    def entry(key: str, name: str) -> dict[str, str]:
        return {f"{key}-data": data(pki / name)} if is_embedded else {key: str(pki / name)}

    url, requests = secured
    user = entry("client-certificate", "ann.crt") | entry("client-key", "ann.key")
    trusted = entry("certificate-authority", "ca.crt") | {"tls-server-name": "api.internal"}
    client(url, trusted, user=user).get("v1", "Service", "myapp")
    assert requests[0].certificate == "ann"


def test_a_client_certificate_of_a_plugin_is_presented(pki: Path, secured: tuple[str, list[Request]]) -> None:
    url, requests = secured
    script = (
        "import json, pathlib, sys; cert, key = (pathlib.Path(name).read_text() for name in sys.argv[1:]); "
        "print(json.dumps({'status': {'clientCertificateData': cert, 'clientKeyData': key}}))"
    )
    files = [str(pki / name) for name in ("ann.crt", "ann.key")]
    user = {"exec": {"apiVersion": V1, "command": "python3", "args": ["-c", script, *files]}}
    trusted = {"certificate-authority": str(pki / "ca.crt"), "tls-server-name": "api.internal"}
    client(url, trusted, user=user).get("v1", "Service", "myapp")
    assert requests[0].certificate == "ann"


@pytest.mark.parametrize("trusted", ["nobody that the system trusts", "another name"])
def test_an_unverified_server_receives_no_request(trusted: str, pki: Path, secured: tuple[str, list[Request]]) -> None:
    url, requests = secured
    cluster = (
        {"certificate-authority": str(pki / "ca.crt")} if trusted == "another name" else {"tls-server-name": "api.internal"}
    )
    with pytest.raises(ApiError, match="certificate verify failed"):
        client(url, cluster, user={"token": "secret"}).get("v1", "Service", "myapp")
    assert requests == []


def test_verification_can_be_disabled_for_a_cluster(secured: tuple[str, list[Request]]) -> None:
    url, requests = secured
    client(url, {"insecure-skip-tls-verify": True}, user={"token": "secret"}).get("v1", "Service", "myapp")
    assert requests[0].headers["Authorization"] == ["Bearer secret"]


def test_a_key_of_another_certificate_is_an_error(pki: Path, secured: tuple[str, list[Request]]) -> None:
    url, _ = secured
    user = {"client-certificate": str(pki / "ann.crt"), "client-key": str(pki / "server.key")}
    with pytest.raises(KubeconfigError, match="a certificate or key of the kubeconfig cannot be used"):
        client(url, user=user).get("v1", "Service", "myapp")


def test_an_encrypted_key_is_an_error_without_a_prompt(pki: Path, secured: tuple[str, list[Request]], tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkey", "-in", str(pki / "ann.key"), "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run(command, check=True)
    user = {"client-certificate": str(pki / "ann.crt"), "client-key": str(locked)}
    with pytest.raises(KubeconfigError, match="a certificate or key of the kubeconfig cannot be used"):
        client(secured[0], user=user).get("v1", "Service", "myapp")


@pytest.mark.parametrize("key", ["certificate-authority-data", "client-certificate-data"])
@pytest.mark.parametrize("value", ["no base64!", "/w==", "bm8gUEVN"], ids=["no base64", "no text", "no PEM"])
def test_an_invalid_certificate_is_an_error(key: str, value: str, secured: tuple[str, list[Request]]) -> None:
    entry = {key: value}
    with pytest.raises(KubeconfigError, match=f"{key} of the kubeconfig|a certificate or key of the kubeconfig cannot be used"):
        client(secured[0], entry, user=entry).get("v1", "Service", "myapp")


@pytest.mark.parametrize("name", [".a", "a b", "a\0b", "x" * 64])
def test_an_invalid_tls_server_name_is_an_error(name: str, secured: tuple[str, list[Request]]) -> None:
    with pytest.raises(KubeconfigError, match="tls-server-name of the cluster has an invalid host name"):
        client(secured[0], {"tls-server-name": name}).get("v1", "Service", "myapp")


# Proxies


class Proxy(threading.Thread):
    """A proxy that leads every CONNECT to `to`, and keeps the first lines that it was sent."""

    def __init__(self, to: str) -> None:
        super().__init__(daemon=True)
        self._to = int(to.rpartition(":")[2])
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[str] = []

    def run(self) -> None:
        while True:
            came, _ = self._listening.accept()
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += came.recv(1)
            self.requests.append(head.decode())
            went = socket.create_connection(("127.0.0.1", self._to))
            came.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for a, b in ((came, went), (went, came)):
                threading.Thread(target=self._pass_on, args=(a, b), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError), sink:  # the other direction has ended the connection
            while some := source.recv(65536):
                sink.sendall(some)


@pytest.fixture
def proxy(secured: tuple[str, list[Request]], monkeypatch: pytest.MonkeyPatch) -> Proxy:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    running = Proxy(secured[0])
    running.start()
    return running


FAR = "https://api.internal:6443"


def test_a_cluster_is_reached_through_its_proxy(proxy: Proxy, pki: Path, secured: tuple[str, list[Request]]) -> None:
    to = {"certificate-authority": str(pki / "ca.crt"), "proxy-url": f"http://ann:s%3Acret@{proxy.at}"}
    client(FAR, to).get("v1", "Service", "myapp")
    assert [request.path for request in secured[1]] == ["/api/v1/namespaces/prod/services/myapp"]
    assert proxy.requests[0].startswith("CONNECT api.internal:6443 ")
    assert "Proxy-Authorization: Basic YW5uOnM6Y3JldA==" in proxy.requests[0]


def test_a_cluster_is_reached_through_the_proxy_of_the_environment(
    proxy: Proxy, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.at)
    client(FAR, {"certificate-authority": str(pki / "ca.crt")}).get("v1", "Service", "myapp")
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("server", "excepted", "is_direct"),
    [
        ("api.internal", "internal", True),
        ("api.internal", ".internal", True),
        ("api.internal", "*.internal", True),
        ("api.internal", "API.Internal", True),
        ("internal", ".internal", False),
        ("notinternal", "internal", False),
        ("api.internal", "other, api.internal:6443 ,", True),
        ("api.internal", "api.internal:443", False),
        ("api.internal", "*", True),
        ("api.internal", "", False),
        ("api.internal", ":6443", False),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.9.9.9/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.1.2.3:6443", True),
        ("10.1.2.3", "10.1.2.3:443", False),
        ("10.1.2.3", "2.3", False),
        ("10.1.2.3", "10.0.0.0/99", False),
        ("10.1.2.3", "fd00::/8", False),
        ("api.internal", "10.0.0.0/8", False),
        ("[fd00::1]", "fd00::/8", True),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]", "[fd00::1]:6443", True),
        ("[fd00::1]", "[fd00::1]:443", False),
        ("[::ffff:10.1.2.3]", "10.0.0.0/8", True),
        ("localhost", "", True),
        ("127.1.2.3", "", True),
        ("[::1]", "", True),
    ],
)
def test_no_proxy_covers_the_same_hosts_as_for_kubectl(
    server: str, excepted: str, is_direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", excepted)
    monkeypatch.delenv("NO_PROXY", raising=False)
    config = ClusterConfig(cluster={"server": f"https://{server}:6443"}, user={})
    assert (connection_to(server_of(config), config.cluster, "").host != "proxy.example") == is_direct


def test_a_host_that_no_proxy_covers_is_reached_without_the_proxy(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.at)
    monkeypatch.setenv("NO_PROXY", "192.0.2.0/24")
    monkeypatch.setattr("bluegreen.kube.connection.TIMEOUT_SECONDS", 0.05)
    with pytest.raises(ApiError, match="did not respond"):
        client("https://192.0.2.1").get("v1", "Service", "myapp")
    assert proxy.requests == []


def test_the_proxy_url_of_a_cluster_is_used_in_spite_of_no_proxy(
    proxy: Proxy, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    client(FAR, {"certificate-authority": str(pki / "ca.crt"), "proxy-url": f"http://{proxy.at}"}).get("v1", "Service", "myapp")
    assert len(proxy.requests) == 1


def test_an_ipv6_address_is_in_brackets_for_a_proxy_and_for_the_server(
    proxy: Proxy, pki: Path, secured: tuple[str, list[Request]]
) -> None:
    to = {"certificate-authority": str(pki / "ca.crt"), "proxy-url": f"http://{proxy.at}", "tls-server-name": "api.internal"}
    client("https://[fd00::1]:6443", to).get("v1", "Service", "myapp")
    assert proxy.requests[0].startswith("CONNECT [fd00::1]:6443 ")
    assert secured[1][0].headers["Host"] == ["[fd00::1]:6443"]


def test_this_machine_is_reached_without_the_proxy_of_the_environment(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.at)
    with api_server() as (url, requests):
        client(url).get("v1", "Service", "myapp")
    assert (len(requests), proxy.requests) == (1, [])


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_a_proxy_with_another_scheme_is_refused(scheme: str) -> None:
    words = rf"the proxy {scheme}://127\.0\.0\.1 in proxy-url is not supported: only http:// proxies are"
    with pytest.raises(KubeconfigError, match=words):
        client(FAR, {"proxy-url": f"{scheme}://127.0.0.1:1080"}).get("v1", "Service", "myapp")


def test_an_invalid_proxy_is_an_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://:3128")
    with pytest.raises(KubeconfigError, match="the https_proxy of the cluster has an invalid host name"):
        client(FAR).get("v1", "Service", "myapp")
