"""The gateway's address in a cluster of the user's."""

import pytest

from sandbox.errors import SandboxError
from sandbox.external import gateway_url

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
def test_gateway_is_found_at_its_load_balancer_or_node_port(service: dict[str, object], expected: str) -> None:
    assert gateway_url(service, "192.0.2.7") == expected


@pytest.mark.parametrize("service", [{}, {"spec": {"ports": [{"port": 80}]}}], ids=["no Service", "cluster-internal"])
def test_gateway_without_an_outside_address_names_the_setting_that_gives_one(service: dict[str, object]) -> None:
    with pytest.raises(SandboxError, match="GATEWAY_URL="):
        gateway_url(service, "192.0.2.7")
