"""The API server is asked as the provider's own client asks it: as the same user, over the same way."""

import base64
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from release.client import ApiError, Client, Clock
from release.kubeconfig import Access, KubeconfigError
from sandbox.authority import Authority
from tests.unit.api_server import Answer, Request, api_server

V1 = "client.authentication.k8s.io/v1"


def client(url: str, cluster: Mapping[str, Any] | None = None, *, user: Mapping[str, Any] | None = None) -> Client:
    return Client(Access(cluster={"server": url, **(cluster or {})}, user=user or {}), "prod")


def shows(**user: Any) -> Request:
    """What a request of this user looks like to the API server."""
    with api_server() as (url, asked):
        client(url, user=user).get("v1", "Service", "myapp")
    return asked[0]


# What is asked


def test_an_object_that_is_not_there_is_none() -> None:
    with api_server(lambda _: (404, {"kind": "Status", "message": "not found"})) as (url, asked):
        assert client(url).get("networking.istio.io/v1", "VirtualService", "myapp") is None
    assert asked[0].path == "/apis/networking.istio.io/v1/namespaces/prod/virtualservices/myapp"


def test_a_server_may_be_reached_below_a_path() -> None:
    with api_server() as (url, asked):
        client(url + "/k8s/clusters/c-1/").get("v1", "Service", "myapp")
    assert asked[0].path == "/k8s/clusters/c-1/api/v1/namespaces/prod/services/myapp"


def test_objects_are_found_by_selectors() -> None:
    with api_server(lambda _: (200, {"items": [{"metadata": {"name": "blue"}}]})) as (url, asked):
        assert client(url).find("apps/v1", "Deployment", labelSelector="app=myapp,color") == [{"metadata": {"name": "blue"}}]
    assert asked[0].path == "/apis/apps/v1/namespaces/prod/deployments?labelSelector=app%3Dmyapp%2Ccolor"


def test_a_log_is_its_last_lines() -> None:
    with api_server(lambda _: (200, "one\ntwo \u00fc\n")) as (url, asked):
        assert client(url).log("blue-1", last=2) == ["one", "two \u00fc"]
    assert asked[0].path == "/api/v1/namespaces/prod/pods/blue-1/log?tailLines=2"


def test_an_object_is_applied_by_force_in_the_name_of_its_manager() -> None:
    item = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "myapp"}, "spec": {"selector": {"color": "blue"}}}
    with api_server() as (url, asked):
        client(url).apply(item, "bluegreen")
    assert (asked[0].method, json.loads(asked[0].body)) == ("PATCH", item)
    assert asked[0].path == "/api/v1/namespaces/prod/services/myapp?fieldManager=bluegreen&force=true"
    assert asked[0].headers["Content-Type"] == ["application/apply-patch+yaml"]


def test_a_json_patch_is_sent_in_the_name_of_its_manager_and_returns_the_object_as_written() -> None:
    operations = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "replace", "path": "/spec/selector/color", "value": "blue"},
    ]
    with api_server(lambda _: (200, {"metadata": {"resourceVersion": "8"}})) as (url, asked):
        written = client(url).patch("v1", "Service", "myapp", operations, "bluegreen")
    assert written == {"metadata": {"resourceVersion": "8"}}
    assert (asked[0].method, json.loads(asked[0].body)) == ("PATCH", operations)
    assert asked[0].path == "/api/v1/namespaces/prod/services/myapp?fieldManager=bluegreen"
    assert asked[0].headers["Content-Type"] == ["application/json-patch+json"]


@pytest.mark.parametrize("status", [302, 304, 307])
def test_only_2xx_is_success(status: int) -> None:
    answer = (status, "", {"Location": "https://login.example/"})
    with api_server(lambda _: answer) as (url, _), pytest.raises(ApiError, match=f"HTTP status {status}"):
        client(url).patch("v1", "Service", "myapp", [], "bluegreen")


# The time of the API server

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def dated(header: str) -> Callable[[Request], Answer]:
    return lambda _: (200, {}, {"Date": header})


def test_the_present_time_is_that_of_the_latest_response_and_what_passed_since() -> None:
    passed = [100.0]
    with api_server(dated("Thu, 01 Jan 2026 12:00:00 GMT")) as (url, asked):
        one = Client(Access(cluster={"server": url}, user={}), "prod", Clock(now=lambda: passed[0]))
        one.get("v1", "Service", "myapp")
        passed[0] += 7.5
        assert one.now() == NOON + timedelta(seconds=7.5)
    assert len(asked) == 1


def test_the_present_time_is_asked_for_when_nothing_was_read_yet() -> None:
    with api_server(dated("Thu, 01 Jan 2026 13:00:00 +0100")) as (url, asked):
        assert NOON <= client(url).now() < NOON + timedelta(minutes=1)
    assert [each.path for each in asked] == ["/version"]


@pytest.mark.parametrize("header", ["", "soon", "Thu, 99 Jan 2026 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_without_a_usable_date_the_present_time_is_that_of_this_machine(header: str) -> None:
    before = datetime.now(UTC)
    with api_server(dated(header)) as (url, _):
        assert before <= client(url).now() <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((403, {"kind": "Status", "message": "services is forbidden"}), "^services is forbidden$"),
        ((502, "bad gateway"), "^HTTP status 502: bad gateway$"),
        ((500, ""), "^HTTP status 500$"),
    ],
)
def test_a_refusal_says_what_the_server_said(answer: Answer, message: str) -> None:
    with api_server(lambda _: answer) as (url, _), pytest.raises(ApiError, match=message):
        client(url).get("v1", "Service", "myapp")


def test_a_server_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(ApiError, match=r"http://127.0.0.1:1 cannot be asked: .*refused"):
        client("http://127.0.0.1:1").get("v1", "Service", "myapp")


# The connection


def test_one_connection_is_kept_for_all_requests() -> None:
    with api_server() as (url, asked):
        one = client(url)
        for _ in range(3):
            one.get("v1", "Service", "myapp")
    assert len(asked) == 3
    assert len({each.connection for each in asked}) == 1


def test_a_connection_that_the_server_has_closed_meanwhile_is_made_anew() -> None:
    with api_server(hangs_up=True) as (url, asked):
        one = client(url)
        assert [one.get("v1", "Service", "myapp") is not None for _ in range(3)] == [True] * 3
    assert len({each.connection for each in asked}) == 3


def test_after_an_answer_that_did_not_come_the_next_request_has_a_connection_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("release.connection.TIMEOUT_SECONDS", 0.2)
    go_on = threading.Event()

    def slow_at_first(request: Request) -> Answer:
        if request.path.endswith("slow"):
            go_on.wait(5)
        return 200, {"metadata": {"name": request.path.rpartition("/")[2]}}

    with api_server(slow_at_first) as (url, _):
        one = client(url)
        with pytest.raises(ApiError, match="timed out"):
            one.get("v1", "Service", "slow")
        found = one.get("v1", "Service", "myapp")
        go_on.set()
    assert found == {"metadata": {"name": "myapp"}}


# Who asks


def test_a_user_without_anything_shows_nothing_but_the_name_of_the_program() -> None:
    headers = shows().headers
    assert "Authorization" not in headers
    assert headers["User-Agent"] == ["bluegreen"]


def test_a_token_is_shown() -> None:
    assert shows(token="secret").headers["Authorization"] == ["Bearer secret"]


def test_a_token_in_a_file_comes_before_one_that_stands_there(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("renewed\n")
    assert shows(token="old", tokenFile=str(tmp_path / "token")).headers["Authorization"] == ["Bearer renewed"]


def test_a_name_and_a_password_are_shown() -> None:
    assert shows(username="ann", password="s3:cret").headers["Authorization"] == ["Basic YW5uOnMzOmNyZXQ="]


def test_who_acts_for_another_says_so() -> None:
    headers = shows(token="secret", **{"as": "bob", "as-uid": "7", "as-groups": ["dev", "ops"]}).headers
    assert headers["Impersonate-User"] == ["bob"]
    assert headers["Impersonate-Uid"] == ["7"]
    assert headers["Impersonate-Group"] == ["dev", "ops"]


def test_a_login_that_kubernetes_has_removed_is_refused() -> None:
    with pytest.raises(KubeconfigError, match=r"auth-provider, which Kubernetes 1\.26 removed; its login needs an exec plugin"):
        shows(**{"auth-provider": {"name": "gcp"}})


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=r"names a file that cannot be read: .*/token"):
        shows(tokenFile=str(tmp_path / "token"))


def plugin(folder: Path, body: str, **more: Any) -> dict[str, Any]:
    """A user whose login is a script, which counts its runs in `runs` and keeps what it was told in `told`."""
    script = folder / "login"
    script.write_text(f'#!/bin/sh\necho run >> {folder}/runs\necho "$KUBERNETES_EXEC_INFO" > {folder}/told\n{body}\n')
    script.chmod(0o755)
    return {"exec": {"apiVersion": V1, "command": str(script), **more}}


def answers(**status: str) -> str:
    return f"printf '%s' '{json.dumps({'apiVersion': V1, 'kind': 'ExecCredential', 'status': status})}'"


def test_a_plugin_gives_a_token_and_runs_once(tmp_path: Path) -> None:
    with api_server() as (url, asked):
        one = client(url, user=plugin(tmp_path, answers(token="fresh")))
        for _ in range(3):
            one.get("v1", "Service", "myapp")
    assert {each.headers["Authorization"][0] for each in asked} == {"Bearer fresh"}
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_plugin_runs_again_when_its_token_has_run_out(tmp_path: Path) -> None:
    user = plugin(tmp_path, f'printf \'{{"status": {{"token": "%d"}}}}\' $(wc -l < {tmp_path}/runs)')
    valid = ["Bearer 1"]

    def check(request: Request) -> Answer:
        return (200, {}) if request.headers["Authorization"] == valid else (401, {"message": "Unauthorized"})

    with api_server(check) as (url, _):
        one = client(url, user=user)
        one.get("v1", "Service", "myapp")
        valid[:] = ["Bearer 2"]
        assert one.get("v1", "Service", "myapp") == {}
        valid[:] = ["Bearer 7"]
        with pytest.raises(ApiError, match="Unauthorized"):
            one.get("v1", "Service", "myapp")
    assert (tmp_path / "runs").read_text() == "run\n" * 3


def test_a_plugin_gets_its_arguments_and_variables_and_is_told_whom_it_logs_in_to(tmp_path: Path) -> None:
    user = plugin(
        tmp_path,
        """printf '{"status": {"token": "%s-%s"}}' "$1" "$REALM" """,
        args=["get-token"],
        env=[{"name": "REALM", "value": "dev"}],
        provideClusterInfo=True,
    )
    (tmp_path / "ca.crt").write_text("PEM")
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    cluster = {"certificate-authority": str(tmp_path / "ca.crt"), "extensions": [extension]}
    with api_server() as (url, asked):
        client(url, cluster, user=user).get("v1", "Service", "myapp")
    assert asked[0].headers["Authorization"] == ["Bearer get-token-dev"]
    assert json.loads((tmp_path / "told").read_text()) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {"server": url, "certificate-authority-data": "UEVN", "config": {"audience": "a"}},
        },
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo 'token expired, run: cloud login' >&2; exit 1", "failed: token expired, run: cloud login"),
        ("echo nothing of use", "did not answer with an ExecCredential"),
        ("echo '{}'", "did not answer with an ExecCredential"),
    ],
)
def test_a_plugin_that_fails_is_an_error_that_says_what_it_said(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(KubeconfigError, match=f"the login plugin .*/login {message}"):
        shows(**plugin(tmp_path, body))


def test_a_plugin_that_is_not_installed_is_an_error_with_the_hint_of_whoever_brings_it() -> None:
    user = {"exec": {"apiVersion": V1, "command": "no-such-login", "installHint": "Install it with: cloud install login\n"}}
    with pytest.raises(
        KubeconfigError, match=r"no-such-login cannot be run: No such file.*\nInstall it with: cloud install login$"
    ):
        shows(**user)


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
def test_a_certificate_is_shown(is_embedded: bool, pki: Path, secured: tuple[str, list[Request]]) -> None:
    def entry(key: str, name: str) -> dict[str, str]:
        return {f"{key}-data": data(pki / name)} if is_embedded else {key: str(pki / name)}

    url, asked = secured
    user = entry("client-certificate", "ann.crt") | entry("client-key", "ann.key")
    trusted = entry("certificate-authority", "ca.crt") | {"tls-server-name": "api.internal"}
    client(url, trusted, user=user).get("v1", "Service", "myapp")
    assert asked[0].certificate == "ann"


def test_a_certificate_is_shown_that_a_plugin_gives(pki: Path, secured: tuple[str, list[Request]], tmp_path: Path) -> None:
    url, asked = secured
    given = answers(clientCertificateData=(pki / "ann.crt").read_text(), clientKeyData=(pki / "ann.key").read_text())
    trusted = {"certificate-authority": str(pki / "ca.crt"), "tls-server-name": "api.internal"}
    client(url, trusted, user=plugin(tmp_path, given)).get("v1", "Service", "myapp")
    assert asked[0].certificate == "ann"


@pytest.mark.parametrize("trusted", ["nobody that the system trusts", "another name"])
def test_a_server_that_cannot_prove_who_it_is_is_told_nothing(
    trusted: str, pki: Path, secured: tuple[str, list[Request]]
) -> None:
    url, asked = secured
    cluster = (
        {"certificate-authority": str(pki / "ca.crt")} if trusted == "another name" else {"tls-server-name": "api.internal"}
    )
    with pytest.raises(ApiError, match="certificate verify failed"):
        client(url, cluster, user={"token": "secret"}).get("v1", "Service", "myapp")
    assert asked == []


def test_a_cluster_may_ask_not_to_be_verified(secured: tuple[str, list[Request]]) -> None:
    url, asked = secured
    client(url, {"insecure-skip-tls-verify": True}, user={"token": "secret"}).get("v1", "Service", "myapp")
    assert asked[0].headers["Authorization"] == ["Bearer secret"]


def test_a_key_that_does_not_fit_is_an_error(pki: Path, secured: tuple[str, list[Request]]) -> None:
    url, _ = secured
    user = {"client-certificate": str(pki / "ann.crt"), "client-key": str(pki / "server.key")}
    with pytest.raises(KubeconfigError, match="a certificate or key of the kubeconfig cannot be used"):
        client(url, user=user).get("v1", "Service", "myapp")


# Proxies


class Proxy(threading.Thread):
    """A proxy that leads every CONNECT to `to`, and keeps the first lines that it was sent."""

    def __init__(self, to: str) -> None:
        super().__init__(daemon=True)
        self._to = int(to.rpartition(":")[2])
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.asked: list[str] = []

    def run(self) -> None:
        while True:
            came, _ = self._listening.accept()
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += came.recv(1)
            self.asked.append(head.decode())
            went = socket.create_connection(("127.0.0.1", self._to))
            came.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            for a, b in ((came, went), (went, came)):
                threading.Thread(target=self._pass_on, args=(a, b), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        while some := source.recv(65536):
            sink.sendall(some)
        sink.close()


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
    assert [each.path for each in secured[1]] == ["/api/v1/namespaces/prod/services/myapp"]
    assert proxy.asked[0].startswith("CONNECT api.internal:6443 ")
    assert "Proxy-Authorization: Basic YW5uOnM6Y3JldA==" in proxy.asked[0]


def test_a_cluster_is_reached_through_the_proxy_of_the_environment(
    proxy: Proxy, pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.at)
    client(FAR, {"certificate-authority": str(pki / "ca.crt")}).get("v1", "Service", "myapp")
    assert len(proxy.asked) == 1


def test_a_host_that_the_environment_excepts_is_reached_without_its_proxy(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy.at)
    monkeypatch.setenv("NO_PROXY", ".internal")
    with pytest.raises(ApiError, match="cannot be asked"):
        client(FAR).get("v1", "Service", "myapp")
    assert proxy.asked == []


def test_this_machine_is_reached_without_the_proxy_of_the_environment(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.at)
    with api_server() as (url, asked):
        client(url).get("v1", "Service", "myapp")
    assert (len(asked), proxy.asked) == (1, [])


def test_a_proxy_of_another_kind_is_refused() -> None:
    with pytest.raises(KubeconfigError, match=r"behind the proxy socks5://127.0.0.1, and only http:// is known here"):
        client(FAR, {"proxy-url": "socks5://127.0.0.1:1080"}).get("v1", "Service", "myapp")
