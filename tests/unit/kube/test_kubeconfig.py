"""The kubeconfig is read as kubectl reads it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bluegreen.kube import kubeconfig
from bluegreen.kube.kubeconfig import KubeconfigError, read_cluster_config
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


def cluster(name: str, **more: Any) -> dict[str, Any]:
    """A kubeconfig whose cluster has more than a server."""
    made = content(name)
    made["clusters"][0]["cluster"] |= more
    return made


def write(file: Path, content: Any) -> None:
    file.write_bytes(
        content if isinstance(content, bytes) else str(content if isinstance(content, str) else json.dumps(content)).encode()
    )


def test_the_default_context_is_the_first_current_context_of_the_files(folder: Path) -> None:
    write(folder / "a", content("one"))
    write(folder / "b/b", content("two", current="two"))
    assert read_cluster_config("").cluster["server"] == "https://two.example"
    assert read_cluster_config("one").cluster["server"] == "https://one.example"


def test_the_first_of_two_files_that_define_the_same_name_wins(folder: Path) -> None:
    write(folder / "a", content("one", token="of the first file"))
    write(folder / "b/b", content("one", token="of the second file"))
    assert read_cluster_config("one").user == {"token": "of the first file"}


def test_a_context_may_refer_to_another_file(folder: Path) -> None:
    split = content("one", token="secret")
    write(folder / "a", {"contexts": split["contexts"]})
    write(folder / "b/b", {"clusters": split["clusters"], "users": split["users"]})
    cluster = {"server": "https://one.example"}
    assert read_cluster_config("one") == kubeconfig.ClusterConfig(cluster=cluster, user={"token": "secret"}, context="one")


def test_a_relative_path_is_relative_to_the_kubeconfig_file(folder: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login"}
    write(folder / "b/b", content("one", tokenFile="token", exec=plugin) | {"current-context": "one"})
    user = read_cluster_config("").user
    assert user["tokenFile"] == str(folder / "b/token")
    assert user["exec"]["command"] == str(folder / "b/login")


def test_a_plugin_without_a_slash_is_looked_up_in_path(folder: Path) -> None:
    write(folder / "a", content("one", exec={"command": "login"}))
    assert read_cluster_config("one").user["exec"]["command"] == "login"


def test_an_absolute_path_does_not_change(folder: Path) -> None:
    write(folder / "a", content("one", tokenFile="/run/token"))
    assert read_cluster_config("one").user["tokenFile"] == "/run/token"


def test_a_pod_without_a_context_uses_its_service_account(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "account").mkdir()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    config = read_cluster_config("")
    assert config.cluster == {
        "server": "https://[fd00::1]:443",
        "certificate-authority": str(folder / "account/ca.crt"),
    }
    assert config.user == {"tokenFile": str(folder / "account/token")}
    write(folder / "a", content("one", current="one"))
    assert read_cluster_config("").cluster["server"] == "https://one.example"


@pytest.mark.parametrize(
    ("written", "context", "message"),
    [
        (content("one"), "", "no file of .* has a current context"),
        (content("one"), "two", "no file of .* has the context two"),
        (content("one") | {"clusters": []}, "one", "the context one names the cluster one, which no file"),
        (content("one") | {"users": []}, "one", "the context one names the user one, which no file"),
        ("a: [", "one", "the kubeconfig .*a cannot be read"),
        ("only words", "one", "the kubeconfig .*/a must be a mapping"),
        ("token: !!int ''", "one", "the kubeconfig .*/a cannot be read: it is not YAML"),
        (b"\xff", "one", "the kubeconfig .*/a cannot be read"),
        ({"contexts": [{"context": {}}]}, "one", r"a: contexts\[0\] has no name"),
        ({"contexts": {"name": "one"}}, "one", "a: contexts must be a list"),
        ({"contexts": [5]}, "one", r"a: contexts\[0\] must be a mapping"),
        ({"contexts": [{"name": 5}]}, "one", r"a: contexts\[0\]\.name must be text"),
        ({"current-context": 5}, "", "a: current-context must be text"),
        (
            content("one") | {"contexts": [{"name": "one", "context": []}]},
            "one",
            "the context one names the cluster , which no",
        ),
        (content("one") | {"contexts": [{"name": "one", "context": [1]}]}, "one", "a: the context one must be a mapping"),
        (content("one", token=12345), "one", r"a: the user one\.token must be text \(a number .* needs quotes\)"),
        (content("one", **{"as-groups": "dev"}), "one", r"a: the user one\.as-groups must be a list"),
        (content("one", **{"as-user-extra": {"a": "b"}}), "one", r"a: the user one\.as-user-extra\.a must be a list"),
        (content("one", exec={}), "one", r"a: the user one\.exec has no command"),
        (content("one", exec={"command": "x", "args": [1]}), "one", r"a: the user one\.exec\.args\[0\] must be text"),
        (content("one", exec={"command": "x", "env": [{}]}), "one", r"a: the user one\.exec\.env\[0\] has no name"),
        (content("one", **{"auth-provider": "oidc"}), "one", r"a: the user one\.auth-provider must be a mapping"),
        (
            cluster("one", **{"insecure-skip-tls-verify": "yes"}),
            "one",
            r"the cluster one\.insecure-skip-tls-verify must be true",
        ),
        (cluster("one", extensions=[{"extension": 1}]), "one", r"the cluster one\.extensions\[0\] has no name"),
    ],
)
def test_a_broken_reference_is_an_error_that_names_it(folder: Path, written: Any, context: str, message: str) -> None:
    write(folder / "a", written)
    with pytest.raises(KubeconfigError, match=message):
        read_cluster_config(context)


def test_errors_in_other_contexts_do_not_matter(folder: Path) -> None:
    other = {"name": "other", "context": 5}
    write(folder / "a", {**content("one"), "contexts": [other, *content("one")["contexts"]], "preferences": {"colors": True}})
    assert read_cluster_config("one").cluster == {"server": "https://one.example"}


def test_null_entries_count_as_absent(folder: Path) -> None:
    write(folder / "a", content("one", token=None, exec=None))
    assert read_cluster_config("one").user == {}
    write(folder / "a", {"clusters": None, "contexts": None, "users": None, "current-context": None})
    with pytest.raises(KubeconfigError, match="has a current context"):
        read_cluster_config("")


def test_a_yaml_error_names_the_line_number_and_does_not_show_the_line(folder: Path) -> None:
    write(folder / "a", "users:\n- name: one\n  user: {token: s3cret]\n")
    with pytest.raises(KubeconfigError, match="in line 3") as raised:
        read_cluster_config("one")
    assert "s3cret" not in str(raised.value)


def test_a_pod_without_the_address_of_the_api_server_is_an_error_that_names_the_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "account").mkdir()
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeconfigError, match="not the variable KUBERNETES_SERVICE_HOST"):
        read_cluster_config("")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"], ids=["too long", "a null byte"])
def test_an_invalid_file_name_is_an_error_or_no_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "\0" in name:
        monkeypatch.setattr("os.environ", {"KUBECONFIG": name})
    else:
        monkeypatch.setenv("KUBECONFIG", name)
    with pytest.raises(KubeconfigError):
        read_cluster_config("one")
