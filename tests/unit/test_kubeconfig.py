"""The kubeconfig is read as kubectl reads it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from release import kubeconfig
from release.kubeconfig import KubeconfigError, access
from tests.unit.api_server import kubeconfig as kubeconfig_of


def content(name: str, **more: Any) -> dict[str, Any]:
    return kubeconfig_of(name, f"https://{name}.example", **more)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where KUBECONFIG finds a and b/b, in this order, when they are there."""
    (tmp_path / "b").mkdir()
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["", *(str(tmp_path / name) for name in ("a", "absent", "b/b"))]))
    monkeypatch.setattr(kubeconfig, "SERVICE_ACCOUNT", tmp_path / "account")
    return tmp_path


def write(file: Path, content: Any) -> None:
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def test_without_a_context_it_is_the_first_current_one_that_a_file_names(folder: Path) -> None:
    write(folder / "a", content("one"))
    write(folder / "b/b", content("two", current="two"))
    assert access("").cluster["server"] == "https://two.example"
    assert access("one").cluster["server"] == "https://one.example"


def test_of_two_files_that_name_the_same_thing_the_first_one_wins(folder: Path) -> None:
    write(folder / "a", content("one", token="of the first file"))
    write(folder / "b/b", content("one", token="of the second file"))
    assert access("one").user == {"token": "of the first file"}


def test_a_context_may_name_what_stands_in_another_file(folder: Path) -> None:
    split = content("one", token="secret")
    write(folder / "a", {"contexts": split["contexts"]})
    write(folder / "b/b", {"clusters": split["clusters"], "users": split["users"]})
    assert access("one") == kubeconfig.Access(cluster={"server": "https://one.example"}, user={"token": "secret"})


def test_a_relative_path_is_relative_to_the_file_that_it_stands_in(folder: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login"}
    write(folder / "b/b", content("one", tokenFile="token", exec=plugin) | {"current-context": "one"})
    user = access("").user
    assert user["tokenFile"] == str(folder / "b/token")
    assert user["exec"]["command"] == str(folder / "b/login")


def test_a_plugin_that_is_a_mere_name_is_looked_for_on_path(folder: Path) -> None:
    write(folder / "a", content("one", exec={"command": "login"}))
    assert access("one").user["exec"]["command"] == "login"


def test_a_path_that_is_not_relative_stays(folder: Path) -> None:
    write(folder / "a", content("one", tokenFile="/run/token"))
    assert access("one").user["tokenFile"] == "/run/token"


def test_a_pod_uses_its_service_account_where_no_context_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "account").mkdir()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    found = access("")
    assert found.cluster == {
        "server": "https://[fd00::1]:443",
        "certificate-authority": str(folder / "account/ca.crt"),
    }
    assert found.user == {"tokenFile": str(folder / "account/token")}
    write(folder / "a", content("one", current="one"))
    assert access("").cluster["server"] == "https://one.example"


@pytest.mark.parametrize(
    ("written", "context", "message"),
    [
        (content("one"), "", "no file of .* has a current context"),
        (content("one"), "two", "no file of .* has the context two"),
        (content("one") | {"clusters": []}, "one", "the context one names the cluster one, which no file"),
        (content("one") | {"users": []}, "one", "the context one names the user one, which no file"),
        ("a: [", "one", "the kubeconfig .*a cannot be read"),
        ("only words", "one", "not as Kubernetes defines it"),
        ({"contexts": [{"context": {}}]}, "one", "not as Kubernetes defines it.*name"),
    ],
    ids=["no current context", "no such context", "no cluster", "no user", "no YAML", "no mapping", "no name"],
)
def test_what_leads_nowhere_is_an_error_that_names_it(folder: Path, written: Any, context: str, message: str) -> None:
    write(folder / "a", written)
    with pytest.raises(KubeconfigError, match=message):
        access(context)
