"""Only one demo runs at a time, and it removes the remains of an earlier one in any state."""

import json
import os
from pathlib import Path

import pytest
import yaml

from bluegreen.routing import find
from dev.demo import stack
from dev.demo.stack import DemoError
from tests.stack import PREFIX


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the demo's own."""
    (tmp_path / ".sandbox").mkdir()
    monkeypatch.setattr(stack, "ROOT", tmp_path)
    monkeypatch.setattr(stack, "_CONFIG_FILE", tmp_path / "Pulumi.demo.yaml")
    (tmp_path / "Pulumi.blue.yaml").write_text(json.dumps({"config": {"green:imageTag": "2", "bluegreen:testColor": "green"}}))
    monkeypatch.setenv("GATEWAY_URL", "http://gateway")
    return tmp_path


def stand_in(root: Path, monkeypatch: pytest.MonkeyPatch, locked: str = "") -> Path:
    """Stand-ins for pulumi and kubectl that write down how they are called; `stack rm` fails with `locked` until a `cancel`."""
    calls = root / "calls"
    for name in ("pulumi", "kubectl"):
        file = root / name
        file.write_text(
            f'#!/bin/sh\necho "{name} $*" >>{calls}\n'
            f"""case "$*" in "stack ls"*) echo '[{{"name": "demo"}}]';; esac\n"""
            f"""case "$*" in "stack rm"*) grep -q cancel {calls} || {{ echo '{locked}' >&2; test -z '{locked}'; }};; esac\n"""
        )
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{root}:{os.environ['PATH']}")
    return calls


def lock_of(pid: int) -> str:
    return f"the stack is locked, file:///lock.json: created by ada@{os.uname().nodename} (pid {pid}) at 2026-01-02T03:04:05Z"


def test_a_second_demo_is_refused_while_one_runs(root: Path) -> None:
    with stack.alone(), pytest.raises(DemoError, match="Another demo is running"), stack.alone():
        pass
    with stack.alone():
        assert root


def test_the_stack_of_an_earlier_demo_is_removed_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = stand_in(root, monkeypatch)
    stack.create("istio")
    assert [" ".join(line.split()[:3]) for line in calls.read_text().splitlines()] == [
        "kubectl delete namespace",
        "pulumi stack ls",
        "pulumi stack rm",
        "kubectl create namespace",
        "pulumi stack init",
    ]


def test_the_lock_of_a_killed_demo_is_removed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.cli.lock_holder.abandoned", lambda text, _: f"{text}, whose process is gone")
    calls = stand_in(root, monkeypatch, lock_of(1))
    stack.create("istio")
    assert "pulumi cancel demo --yes" in calls.read_text()


def test_the_lock_of_a_running_update_is_respected(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = stand_in(root, monkeypatch, lock_of(os.getpid()))
    with pytest.raises(DemoError, match="the stack is locked"):
        stack.create("istio")
    assert "cancel" not in calls.read_text()


def test_without_the_sandboxs_variables_the_error_says_how_to_set_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_URL", raising=False)
    with pytest.raises(DemoError, match=r"GATEWAY_URL is not set\. Run the demo with `make demo`"):
        stack.variable("GATEWAY_URL")


def test_the_demo_serves_a_host_of_its_own_and_none_of_the_tests(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(root, monkeypatch)
    stack.create("istio")
    config = yaml.safe_load((root / "Pulumi.demo.yaml").read_text())["config"]
    assert config["bluegreen:host"] == stack.HOST
    assert "*" not in stack.HOST
    assert not stack.NAMESPACE.startswith(PREFIX)


@pytest.mark.parametrize("routing", ["istio", "selector"])
def test_the_requests_of_the_demo_name_its_host_where_hosts_are_routed(routing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = find(routing)
    monkeypatch.setenv("GATEWAY_URL", "http://gateway")
    monkeypatch.setenv("NODE_ADDRESS", "127.0.0.1")
    hosts = [endpoint.host for endpoint in stack.endpoints(layer)]
    assert hosts == ["" if layer.HAS_TEST_ADDRESS else stack.HOST] * 2
