"""The gateway's URL in the user's own cluster, and the states of stacks there."""

import json
from pathlib import Path

import pytest

from dev.sandbox import cluster, external
from dev.sandbox.errors import SandboxError
from dev.sandbox.external import gateway_url
from dev.sandbox.layout import Layout

NODE_PORT = {"spec": {"ports": [{"port": 443, "nodePort": 30443}, {"port": 80, "nodePort": 30080}]}}


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"status": {"loadBalancer": {"ingress": [{"ip": "203.0.113.5"}]}}}, "http://203.0.113.5"),
        ({"status": {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}}}, "http://lb.example"),
        (NODE_PORT, "http://192.0.2.7:30080"),
    ],
    ids=["load balancer by address", "load balancer by name", "node port"],
)
def test_gateway_url_is_its_load_balancer_or_node_port(service: dict[str, object], expected: str) -> None:
    assert gateway_url(service, "192.0.2.7") == expected


@pytest.mark.parametrize("service", [{}, {"spec": {"ports": [{"port": 80}]}}], ids=["no Service", "cluster-internal"])
def test_gateway_without_an_external_address_is_an_error_that_names_the_setting(service: dict[str, object]) -> None:
    with pytest.raises(SandboxError, match="GATEWAY_URL="):
        gateway_url(service, "192.0.2.7")


def write_state(layout: Layout, resources: list[dict[str, str]]) -> None:
    stack = layout.state / ".pulumi" / "stacks" / "bluegreen" / "prod.json"
    stack.parent.mkdir(parents=True)
    stack.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {"resources": resources}}}))


def test_state_of_resources_in_the_users_cluster_is_not_removed(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_state(layout, [{"urn": "urn:pulumi:prod"}])
    with pytest.raises(SandboxError, match="prod still have resources"):
        cluster.remove(layout)
    assert layout.state.exists()


def test_state_of_an_empty_stack_is_removed(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_state(layout, [])
    assert external.stacks_left(layout) == []


def test_state_of_a_sandbox_is_removed_with_its_cluster(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    write_state(layout, [{"urn": "urn:pulumi:dev"}])
    layout.pki.mkdir()
    assert external.stacks_left(layout) == []
