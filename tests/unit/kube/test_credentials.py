"""A kubeconfig user is turned into credentials as the provider's own client (client-go) does it."""

import base64
import contextlib
import functools
import json
import os
import pty
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bluegreen.kube import plugin as plugins
from bluegreen.kube.client import ApiError, Client
from bluegreen.kube.kubeconfig import KubeconfigError
from dev.sandbox.authority import Authority
from tests.unit import api_server
from tests.unit.api_server import FakeTime, Request, Response, exists

V1 = "client.authentication.k8s.io/v1"
OBJECT = {"metadata": {"name": "myapp"}}


@functools.cache
def _tls() -> ssl.SSLContext:
    """A server's certificate, whoever signed it."""
    with tempfile.TemporaryDirectory() as folder:
        Authority(Path(folder), ["localhost"]).issue("server", "server", "any")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(Path(folder, "server.crt"), Path(folder, "server.key"))
    return context


def secured(
    answer: Callable[[Request], Response] = exists, *, hangs_up: bool = False
) -> contextlib.AbstractContextManager[tuple[str, list[Request]]]:
    """An API server with TLS: without it no credentials are sent."""
    return api_server.api_server(answer, tls=_tls(), hangs_up=hangs_up)


def client(
    url: str, cluster: Mapping[str, Any] | None = None, *, user: Mapping[str, Any], time: FakeTime | None = None
) -> Client:
    """A client that does not look at the server's certificate."""
    return api_server.client(url, {"insecure-skip-tls-verify": True, **(cluster or {})}, user=user, time=time)


def shows(**user: Any) -> Request:
    """What a request of this user looks like to the API server."""
    with secured() as (url, requests):
        client(url, user=user).get("v1", "Service", "myapp")
    return requests[0]


def test_a_user_without_credentials_sends_only_the_user_agent() -> None:
    headers = shows().headers
    assert "Authorization" not in headers
    assert headers["User-Agent"] == ["bluegreen"]


def test_without_tls_no_credentials_are_sent_and_no_plugin_runs(tmp_path: Path) -> None:
    users = {"token": "secret"}, {"username": "ann", "password": "b"}, plugin(tmp_path, answers(token="fresh"))
    for user in users:
        with api_server.api_server() as (url, requests):
            api_server.client(url, user={**user, "as": "bob"}).get("v1", "Service", "myapp")
        assert "Authorization" not in requests[0].headers
        assert requests[0].headers["Impersonate-User"] == ["bob"]
    assert not (tmp_path / "runs").exists()


def test_a_token_is_sent() -> None:
    assert shows(token="secret").headers["Authorization"] == ["Bearer secret"]


def test_a_token_file_takes_precedence_over_a_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("renewed\n")
    assert shows(token="old", tokenFile=str(tmp_path / "token")).headers["Authorization"] == ["Bearer renewed"]


def test_the_token_is_sent_while_the_token_file_cannot_be_read(tmp_path: Path) -> None:
    assert shows(token="old", tokenFile=str(tmp_path / "token")).headers["Authorization"] == ["Bearer old"]


def test_a_name_and_a_password_are_sent() -> None:
    assert shows(username="ann", password="s3:cret").headers["Authorization"] == ["Basic YW5uOnMzOmNyZXQ="]


def test_impersonation_is_sent_as_headers() -> None:
    headers = shows(token="secret", **{"as": "bob", "as-uid": "7", "as-groups": ["dev", "ops"]}).headers
    assert headers["Impersonate-User"] == ["bob"]
    assert headers["Impersonate-Uid"] == ["7"]
    assert headers["Impersonate-Group"] == ["dev", "ops"]


def test_the_extra_fields_of_an_impersonated_user_are_sent_with_escaped_keys() -> None:
    extra = {"example.com/reasons": ["on call", "tr\u00e4nen"], "scopes": ["view"]}
    headers = shows(**{"as": "bob", "as-user-extra": extra}).headers
    assert headers["Impersonate-Extra-example.com%2Freasons"] == ["on call", "tr\u00c3\u00a4nen"]  # UTF-8, read as Latin-1
    assert headers["Impersonate-Extra-scopes"] == ["view"]


@pytest.mark.parametrize("alone", [{"as-uid": "7"}, {"as-groups": ["dev"]}, {"as-user-extra": {"scopes": ["view"]}}])
def test_groups_uid_and_extra_without_an_impersonated_user_are_refused(alone: dict[str, Any]) -> None:
    with pytest.raises(KubeconfigError, match="but not as"):
        shows(**alone)


@pytest.mark.parametrize(
    "user",
    [
        {"token": "a\r\nX-Other: b"},
        {"as": "bob\n"},
        {"as": "bob", "as-groups": ["a\0b"]},
        {"as": "bob", "as-user-extra": {"a": ["\x1b"]}},
    ],
)
def test_a_line_break_in_a_header_value_is_refused(user: dict[str, Any]) -> None:
    with pytest.raises(KubeconfigError, match="control character"):
        shows(**user)


def id_token(**claims: Any) -> str:
    """A JSON Web Token with these claims; nobody here looks at its signature."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "signature"])


def oidc(token: str) -> dict[str, Any]:
    """A user who logs in by the auth-provider oidc."""
    return {"auth-provider": {"name": "oidc", "config": {"id-token": token, "client-id": "kubernetes"}}}


def test_the_id_token_of_the_auth_provider_oidc_is_sent_while_it_is_valid() -> None:
    token = id_token(exp=int(time.time()) + 60, sub="ann")
    assert shows(**oidc(token)).headers["Authorization"] == [f"Bearer {token}"]


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (id_token(exp=0), r"expired at 1970-01-01 00:00:00 UTC, and this program does not renew it\. kubectl renews it"),
        (id_token(), "is missing or invalid, and this program does not renew it"),
        (id_token(exp="soon"), "is missing or invalid"),
        (id_token(exp=10**30), "is missing or invalid"),
        ("", "is missing"),
        ("a.b.c", "is missing or invalid"),
        ("abc", "is missing or invalid"),
    ],
)
def test_an_invalid_id_token_is_an_error_with_advice(token: str, words: str) -> None:
    with pytest.raises(KubeconfigError, match=words):
        shows(**oidc(token))


@pytest.mark.parametrize("name", ["gcp", "azure", "unheard"])
def test_any_other_auth_provider_is_an_error_with_advice(name: str) -> None:
    with pytest.raises(KubeconfigError, match=f"auth-provider {name}, which .*credential plugin instead"):
        shows(**{"auth-provider": {"name": name}})


def test_a_missing_token_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=r"a file that the kubeconfig names cannot be read: .*/token"):
        shows(tokenFile=str(tmp_path / "token"))


def test_a_token_in_a_file_is_read_again_after_a_minute_and_the_connection_stays(tmp_path: Path) -> None:
    now = FakeTime()
    (tmp_path / "token").write_text("one")
    with secured() as (url, requests):
        api = client(url, user={"tokenFile": str(tmp_path / "token")}, time=now)
        api.get("v1", "Service", "myapp")
        (tmp_path / "token").write_text("two")
        api.get("v1", "Service", "myapp")
        now.seconds += 61
        api.get("v1", "Service", "myapp")
    assert [request.headers["Authorization"] for request in requests] == [["Bearer one"], ["Bearer one"], ["Bearer two"]]
    assert len({request.connection for request in requests}) == 1


# Credential plugins


def plugin(folder: Path, body: str, **more: Any) -> dict[str, Any]:
    """A user whose plugin is this script. It records its runs in `runs` and its KUBERNETES_EXEC_INFO in `info`."""
    script = folder / "login"
    script.write_text(f'#!/bin/sh\necho run >> {folder}/runs\necho "$KUBERNETES_EXEC_INFO" > {folder}/info\n{body}\n')
    script.chmod(0o755)
    return {"exec": {"apiVersion": V1, "command": str(script), **more}}


def runs(folder: Path) -> int:
    """How often the plugin ran."""
    return len((folder / "runs").read_text().splitlines())


def answers(**status: str) -> str:
    return f"printf '%s' '{json.dumps({'apiVersion': V1, 'kind': 'ExecCredential', 'status': status})}'"


def counted(folder: Path, **status: str) -> str:
    """A body whose token is the number of its run."""
    written = json.dumps({"status": {"token": "%d", **status}})
    return f"printf '{written}' $(wc -l < {folder}/runs)"


def ends_in(seconds: float) -> str:
    """A time as an ExecCredential has it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_plugin_runs_once_even_if_the_connection_is_replaced(tmp_path: Path) -> None:
    with secured(hangs_up=True) as (url, requests):
        api = client(url, user=plugin(tmp_path, answers(token="fresh")))
        for _ in range(3):
            api.get("v1", "Service", "myapp")
    assert {request.headers["Authorization"][0] for request in requests} == {"Bearer fresh"}
    assert len({request.connection for request in requests}) == 3
    assert runs(tmp_path) == 1


def test_a_plugin_runs_once_for_concurrent_threads(tmp_path: Path) -> None:
    with secured() as (url, requests):
        api = client(url, user=plugin(tmp_path, answers(token="fresh")))
        threads = [threading.Thread(target=api.get, args=("v1", "Service", "myapp")) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(requests), runs(tmp_path)) == (8, 1)


def test_a_plugin_runs_again_shortly_before_its_credentials_expire(tmp_path: Path) -> None:
    now = FakeTime()
    with secured() as (url, requests):
        api = client(url, user=plugin(tmp_path, counted(tmp_path, expirationTimestamp=ends_in(600))), time=now)
        for passed in (0, 580, 15):
            now.seconds += passed
            api.get("v1", "Service", "myapp")
    assert [request.headers["Authorization"][0] for request in requests] == ["Bearer 1", "Bearer 1", "Bearer 2"]


@pytest.mark.parametrize("seconds", [-3600, -1, 5], ids=["an hour ago", "just now", "in a moment"])
def test_credentials_that_expire_at_once_are_used_nevertheless(tmp_path: Path, seconds: float) -> None:
    """The clock of this machine may be wrong, and a plugin that runs for every request helps nobody."""
    with secured() as (url, _):
        api = client(url, user=plugin(tmp_path, answers(token="a", expirationTimestamp=ends_in(seconds))))
        for _ in range(3):
            api.get("v1", "Service", "myapp")
    assert runs(tmp_path) == 1


def test_a_plugin_runs_again_when_the_server_rejects_its_token(tmp_path: Path) -> None:
    valid = ["Bearer 1"]

    def check(request: Request) -> Response:
        return (200, OBJECT) if request.headers["Authorization"] == valid else (401, {"message": "Unauthorized"})

    with secured(check) as (url, _):
        api = client(url, user=plugin(tmp_path, counted(tmp_path)))
        api.get("v1", "Service", "myapp")
        valid[:] = ["Bearer 2"]
        assert api.get("v1", "Service", "myapp") == OBJECT
        valid[:] = ["Bearer 7"]
        with pytest.raises(ApiError, match="Unauthorized"):
            api.get("v1", "Service", "myapp")
    assert runs(tmp_path) == 3


@pytest.mark.parametrize(
    "static", [{"token": "static"}, {"username": "ann", "password": "b"}], ids=["a token", "a name and a password"]
)
def test_a_plugin_does_not_run_for_a_user_with_static_credentials(tmp_path: Path, static: dict[str, str]) -> None:
    shows(**plugin(tmp_path, answers(token="fresh")), **static)
    assert not (tmp_path / "runs").exists()


def test_a_plugin_gets_its_arguments_its_variables_and_the_cluster_info(tmp_path: Path) -> None:
    user = plugin(
        tmp_path,
        """printf '{"status": {"token": "%s-%s"}}' "$1" "$REALM" """,
        args=["get-token"],
        env=[{"name": "REALM", "value": "dev"}],
        provideClusterInfo=True,
    )
    Authority(tmp_path, [])
    authority = base64.b64encode((tmp_path / "ca.crt").read_bytes()).decode()
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "a"}}
    cluster = {"certificate-authority": str(tmp_path / "ca.crt"), "extensions": [extension]}
    with secured() as (url, requests):
        client(url, cluster, user=user).get("v1", "Service", "myapp")
    assert requests[0].headers["Authorization"] == ["Bearer get-token-dev"]
    assert json.loads((tmp_path / "info").read_text()) == {
        "apiVersion": V1,
        "kind": "ExecCredential",
        "spec": {
            "interactive": False,
            "cluster": {
                "server": url,
                "insecure-skip-tls-verify": True,
                "certificate-authority-data": authority,
                "config": {"audience": "a"},
            },
        },
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("echo 'token expired, run: cloud login' >&2; exit 1", "failed with exit status 1: token expired, run: cloud login"),
        ("echo 'no such profile'; exit 3", "failed with exit status 3: no such profile"),
        ("echo nothing of use", "did not write an ExecCredential with a status"),
        ("echo '{}'", "did not write an ExecCredential with a status"),
        ("echo '[1]'", "did not write an ExecCredential with a status"),
        ("echo '{\"status\": {}}'", "wrote an ExecCredential with neither a token nor a certificate"),
        ('echo \'{"status": {"token": 5}}\'', "wrote an ExecCredential whose token or certificate is not text"),
        (answers(clientKeyData="k"), "wrote an ExecCredential with neither a token nor a certificate"),
        (answers(clientCertificateData="c"), "wrote an ExecCredential with a certificate or a key, but not both"),
    ],
)
def test_a_plugin_that_fails_twice_is_an_error_with_its_output(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(KubeconfigError, match=rf"^the credential plugin .*/login {message} \(it ran twice\)$"):
        shows(**plugin(tmp_path, body))
    assert runs(tmp_path) == 2


def test_a_plugin_that_fails_once_runs_a_second_time(tmp_path: Path) -> None:
    body = f"[ $(wc -l < {tmp_path}/runs) = 2 ] || exit 1; {answers(token='fresh')}"
    assert shows(**plugin(tmp_path, body)).headers["Authorization"] == ["Bearer fresh"]


def test_a_plugin_that_is_not_installed_is_an_error_with_its_install_hint() -> None:
    user = {"exec": {"apiVersion": V1, "command": "no-such-login", "installHint": "Install it with: cloud install login\n"}}
    with pytest.raises(
        KubeconfigError, match=r"no-such-login cannot be run: No such file.*\nInstall it with: cloud install login$"
    ):
        shows(**user)


def test_a_plugin_that_hangs_is_killed_with_its_children_and_is_an_error_with_its_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugins, "LONGEST_SECONDS", 1)
    body = f"echo 'open https://login.example and enter ABCD' >&2; sleep 1000 & echo $! > {tmp_path}/child; wait"
    with pytest.raises(KubeconfigError, match=r"did not end within 1 s and was stopped: open https://login.example and enter"):
        shows(**plugin(tmp_path, body))
    assert runs(tmp_path) == 1
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    assert not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_child_that_keeps_a_plugins_output_open_does_not_delay_it(tmp_path: Path) -> None:
    body = f"sleep 1000 & echo $! > {tmp_path}/child; {answers(token='fresh')}"
    try:
        assert shows(**plugin(tmp_path, body)).headers["Authorization"] == ["Bearer fresh"]
    finally:
        os.kill(int((tmp_path / "child").read_text()), 9)


def test_the_stderr_of_a_plugin_is_shown_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody may have to enter the code that it shows before it can go on."""
    body = f"echo 'enter ABCD' >&2; while [ ! -e {tmp_path}/entered ]; do sleep 0.02; done; {answers(token='fresh')}"
    seen: list[Request] = []
    waiting = threading.Thread(target=lambda: seen.append(shows(**plugin(tmp_path, body))))
    waiting.start()
    shown = ""
    while "enter ABCD\n" not in shown and waiting.is_alive():
        shown += capsys.readouterr().err
        time.sleep(0.01)
    assert "enter ABCD\n" in shown
    assert seen == []
    (tmp_path / "entered").touch()
    waiting.join()
    assert seen[0].headers["Authorization"] == ["Bearer fresh"]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Our stdin is a terminal; whoever types there writes to this descriptor."""
    keyboard, screen = pty.openpty()
    ours = os.dup(0)
    os.dup2(screen, 0)
    with open(screen, closefd=False) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keyboard
    os.dup2(ours, 0)
    for descriptor in (keyboard, screen, ours):
        os.close(descriptor)


READS_A_CODE = """read code; printf '{"status": {"token": "%s"}}' "$code" """


@pytest.mark.parametrize("mode", ["IfAvailable", "Always", None])
def test_an_interactive_plugin_gets_our_terminal(tmp_path: Path, terminal: int, mode: str | None) -> None:
    os.write(terminal, b"1234\n")
    assert shows(**plugin(tmp_path, READS_A_CODE, interactiveMode=mode)).headers["Authorization"] == ["Bearer 1234"]
    assert json.loads((tmp_path / "info").read_text())["spec"] == {"interactive": True}


@pytest.mark.usefixtures("terminal")
def test_a_plugin_with_interactive_mode_never_does_not_get_our_terminal(tmp_path: Path) -> None:
    body = f"read code && exit 1; {answers(token='fresh')}"
    assert shows(**plugin(tmp_path, body, interactiveMode="Never")).headers["Authorization"] == ["Bearer fresh"]
    assert json.loads((tmp_path / "info").read_text())["spec"] == {"interactive": False}


def test_a_plugin_that_waits_for_input_is_killed_too(tmp_path: Path, terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "LONGEST_SECONDS", 1)
    with pytest.raises(KubeconfigError, match=r"did not end within 1 s and was stopped: enter the code"):
        shows(**plugin(tmp_path, f"echo enter the code >&2; {READS_A_CODE}"))
    os.write(terminal, b"too late\n")


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        yield


@pytest.mark.usefixtures("no_terminal")
def test_without_a_terminal_a_plugin_with_interactive_mode_always_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=r"needs a terminal \(interactiveMode: Always\), and stdin is not one"):
        shows(**plugin(tmp_path, answers(token="fresh"), interactiveMode="Always"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("no_terminal")
def test_without_a_terminal_an_interactive_plugin_runs_with_interactive_false(tmp_path: Path) -> None:
    shows(**plugin(tmp_path, answers(token="fresh"), interactiveMode="IfAvailable"))
    assert json.loads((tmp_path / "info").read_text())["spec"] == {"interactive": False}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"interactiveMode": "Sometimes"}, "interactiveMode Sometimes; it may be Never"),
        (
            {"apiVersion": "client.authentication.k8s.io/v1alpha1"},
            "apiVersion client.authentication.k8s.io/v1alpha1; it may be",
        ),
        ({"apiVersion": None}, "apiVersion None; it may be"),
        ({"args": ["a\0b"]}, "cannot be run: embedded null byte"),
        ({"env": [{"name": "A=B", "value": ""}]}, "cannot be run: illegal environment variable name"),
    ],
)
def test_a_plugin_with_an_invalid_exec_section_is_an_error(tmp_path: Path, more: dict[str, Any], words: str) -> None:
    with pytest.raises(KubeconfigError, match=words):
        shows(**plugin(tmp_path, answers(token="fresh"), **more))


def test_exec_and_auth_provider_together_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="both exec and auth-provider"):
        shows(**plugin(tmp_path, answers(token="fresh")), **oidc(id_token(exp=0)))
