"""Any kubeconfig, plugin output or response leads to a result or to an error with a message, never to another exception."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bluegreen.kube import kubeconfig
from bluegreen.kube.client import ApiError, Client
from bluegreen.kube.connection import connection_to, server_of
from bluegreen.kube.credentials import read_credentials
from bluegreen.kube.kubeconfig import ClusterConfig, KubeconfigError, read_cluster_config
from tests.unit.api_server import FakeTime
from tests.unit.api_server import kubeconfig as kubeconfig_of

fuzzed = settings(max_examples=80, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "one", "c", "https://a.example", "http://[::1", "a:b", "socks5://x", "LS0t", "\x00", "\ud800", "oidc", "a\r\nb: c"]
    ),
)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def words(error: Exception) -> None:
    """An error in words: it says something, and is no Python."""
    assert str(error).strip()
    assert "Traceback" not in str(error)


class AnyServer:
    """Sends `response` to whoever connects and asks for something, and ends the connection."""

    def __init__(self) -> None:
        self.response = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                came, _ = self._listening.accept()
            except OSError:
                return
            with came, contextlib.suppress(OSError):
                came.recv(65536)
                came.sendall(self.response)

    def stop(self) -> None:
        """No more."""
        self._listening.close()


@pytest.fixture(scope="module")
def any_server() -> Iterator[AnyServer]:
    running = AnyServer()
    yield running
    running.stop()


# Kubeconfigs

CLUSTER_KEYS = [
    "server",
    "tls-server-name",
    "insecure-skip-tls-verify",
    "certificate-authority",
    "certificate-authority-data",
    "proxy-url",
    "extensions",
]
USER_KEYS = [
    "client-certificate",
    "client-certificate-data",
    "client-key",
    "client-key-data",
    "token",
    "tokenFile",
    "username",
    "password",
    "as",
    "as-uid",
    "as-groups",
    "as-user-extra",
    "auth-provider",
]
PLUGIN_KEYS = ["apiVersion", "args", "env", "installHint", "interactiveMode", "provideClusterInfo"]


def some_of(keys: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A mapping with some of these keys, of any values, often of those that are right."""
    likely = (
        texts | st.booleans() | st.lists(texts, max_size=2) | st.dictionaries(texts, st.lists(texts, max_size=2), max_size=2)
    )
    return st.dictionaries(st.sampled_from(keys), likely | values, max_size=5)


plugins = some_of(PLUGIN_KEYS).map(lambda value: {**value, "command": "no-such-plugin"}) | values.filter(
    lambda value: not isinstance(value, dict) or "command" not in value
)
providers = st.builds(
    lambda name, config: {"name": name, "config": config}, st.just("oidc") | values, some_of(["id-token"]) | values
)
users = st.builds(
    lambda user, plugin, provider, has_plugin, has_provider: {
        **user,
        **({"exec": plugin} if has_plugin else {}),
        **({"auth-provider": provider} if has_provider else {}),
    },
    some_of(USER_KEYS),
    plugins,
    providers,
    st.booleans(),
    st.booleans(),
)
configs = st.builds(
    lambda cluster, user: {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://a.example", **cluster}}],
        "users": [{"name": "c", "user": user}],
    },
    some_of(CLUSTER_KEYS),
    users,
) | st.dictionaries(st.sampled_from(["current-context", "contexts", "clusters", "users"]), values, max_size=4)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kubeconfig."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path / "account")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "kubeconfig"


def is_used(server: AnyServer) -> bool:
    """Does everything with the kubeconfig but connect to its cluster. False if it ends with an error in words."""
    server.response = b"HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n" + b'{"metadata": {"name": "any"}}'
    try:
        config = read_cluster_config("")
        connection_to(server_of(config), config.cluster, read_credentials(config).certificate)
        other = ClusterConfig(cluster={"server": server.url}, user=config.user)
        assert Client(other, "prod", FakeTime().clock).get("v1", "Service", "any")
    except KubeconfigError as error:
        words(error)
        return False
    return True


@fuzzed
@given(config=configs)
def test_any_kubeconfig_works_or_is_an_error_with_a_message(file: Path, any_server: AnyServer, config: Any) -> None:
    file.write_text(json.dumps(config))
    is_used(any_server)


@fuzzed
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
@example(content=b"[" * 20000)
@example(content=b"&a [*a]")
@example(content=b"contexts: &a [*a]")
@example(content=b"current-context: 2026-99-99")
@example(content=b"current-context: !!timestamp x")
@example(content=b"current-context: !!int ''")
@example(content=b"? [a]\n: b")
def test_any_file_as_a_kubeconfig_works_or_is_an_error(file: Path, any_server: AnyServer, content: bytes) -> None:
    file.write_bytes(content)
    is_used(any_server)


def test_some_of_the_fuzzed_kubeconfigs_are_valid(file: Path, any_server: AnyServer) -> None:
    """Else the tests above would look at one error alone."""
    file.write_text(yaml.safe_dump(kubeconfig_of("c", "https://a.example", current="c", token="secret")))
    assert is_used(any_server)


@fuzzed
@given(proxy=texts, excepted=texts, host=st.sampled_from(["a.example", "10.1.2.3", "[fd00::1]"]))
def test_any_proxy_variable_works_or_is_an_error_with_a_message(proxy: str, excepted: str, host: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (("http_proxy", proxy), ("no_proxy", excepted)):
            patched.setenv(name, value.encode(errors="replace").decode().replace("\0", ""))
        config = ClusterConfig(cluster={"server": f"http://{host}:6443"}, user={})
        try:
            connection_to(server_of(config), config.cluster, "")
        except KubeconfigError as error:
            words(error)


# Credential plugins

statuses = st.dictionaries(
    st.sampled_from(["token", "clientCertificateData", "clientKeyData", "expirationTimestamp"]),
    values | st.sampled_from(["2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"]),
)
outputs = st.one_of(
    st.binary(max_size=100),
    values.map(lambda value: json.dumps(value).encode()),
    (statuses | values).map(lambda status: json.dumps({"status": status}).encode()),
)


@settings(fuzzed, max_examples=50)
@given(output=outputs)
@example(output=b"[" * 100_000)
@example(output=b'{"status": {"token": "\\ud800"}}')
@example(output=b'{"status": {"token": "a\\nb"}}')
@example(output=b'{"status": {"clientCertificateData": "\\ud800", "clientKeyData": "x"}}')
@example(output=b'{"status": {"token": "a", "expirationTimestamp": 5}}')
def test_any_output_of_a_plugin_works_or_is_an_error_with_a_message(tmp_path: Path, output: bytes) -> None:
    written = tmp_path / "output"
    written.write_bytes(output)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "args": [str(written)]}
    config = ClusterConfig(cluster={"server": "https://a.example"}, user={"exec": plugin})
    try:
        connection_to(server_of(config), config.cluster, read_credentials(config).certificate)
    except KubeconfigError as error:
        words(error)


# Responses


items = st.fixed_dictionaries({"metadata": st.fixed_dictionaries({"name": texts}) | values}) | values
bodies = st.one_of(
    st.binary(max_size=100),
    values.map(lambda value: json.dumps(value).encode()),
    st.builds(
        lambda value: json.dumps({"kind": "List", "metadata": {"name": "x"}, "items": value}).encode(), st.lists(items) | values
    ),
    st.builds(
        lambda reason, details: json.dumps(
            {"kind": "Status", "message": reason, "reason": reason, "details": details}
        ).encode(),
        values | st.just("NotFound"),
        values | st.just({"name": "x"}),
    ),
    st.builds(lambda value: json.dumps({"resources": value}).encode(), st.lists(values) | values),
)
headers = st.dictionaries(
    st.sampled_from(["Content-Length", "Transfer-Encoding", "Retry-After", "Date", "Location", "Connection", "X"]),
    st.sampled_from(["chunked", "0", "5", "-1", "99999999999999999999", "close", ""])
    | st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20),
    max_size=4,
)


def response_of(version: str, code: str, fields: dict[str, str], body: bytes, cut: int) -> bytes:
    lines = [f"HTTP/{version} {code} Words", *(f"{name}: {value}" for name, value in fields.items())]
    whole = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    return whole[: len(whole) - cut]


responses = st.one_of(
    st.binary(max_size=100),
    st.builds(
        response_of,
        st.sampled_from(["1.1", "1.0", "1.1", "9.9"]),
        st.sampled_from(["200", "200", "200", "201", "204", "302", "401", "403", "404", "404", "422", "429", "500", "503"])
        | st.integers(min_value=-1, max_value=1200).map(str),
        headers,
        bodies,
        st.sampled_from([0, 0, 0, 1, 10]),
    ),
)


@fuzzed
@given(response=responses)
@example(response=b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000)
@example(response=b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}")
@example(response=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
@example(response=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n")
@example(response=b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n")
def test_any_response_is_a_result_or_an_error_with_a_message(any_server: AnyServer, response: bytes) -> None:
    any_server.response = response
    operation = {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}
    requests: list[Callable[[Client], object]] = [
        lambda one: one.get("v1", "Service", "x"),
        lambda one: one.get("example.com/v1", "Other", "x"),
        lambda one: one.list_objects("v1", "Pod", labelSelector="app=x"),
        lambda one: one.log("x", 5),
        lambda one: one.patch("v1", "Service", "x", [operation], "bluegreen"),
        lambda one: one.now(),
    ]
    for ask in requests:
        try:
            ask(Client(ClusterConfig(cluster={"server": any_server.url}, user={}), "prod", FakeTime().clock))
        except ApiError as error:
            words(error)
