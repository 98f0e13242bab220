"""What one writes who knows Pulumi and wants two colors: the objects of the program, typed, one after the other.

The yardstick of the benchmark. Nothing is checked and nothing is shared; a switch changes `activeColor` and `testColor`, and a
release `blue` or `green`, the tag of a color's image.
"""

from typing import Any

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment
from pulumi_kubernetes.core.v1 import Service
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget

APP, PORT, ISTIO = "myapp", 3000, "networking.istio.io/v1"

config = pulumi.Config()
active, host, namespace = (config.require(key) for key in ("activeColor", "host", "namespace"))
test = config.get("testColor")
tags = {color: tag for color in ("blue", "green") if (tag := config.get(color))}
cluster = pulumi.ResourceOptions(provider=Provider("cluster", namespace=namespace))


def deploy(color: str) -> Deployment:
    labels, name = {"app": APP, "color": color}, f"{APP}-{color}"
    container = {
        "name": APP,
        "image": f"bluegreen.example/app:{tags[color]}",
        "ports": [{"name": "http", "container_port": PORT}],
        "env": [{"name": "COLOR", "value": color}],
        "readiness_probe": {"http_get": {"path": "/ready", "port": "http"}, "period_seconds": 2, "timeout_seconds": 2},
        "lifecycle": {"pre_stop": {"sleep": {"seconds": 1}}},
        "security_context": {"allow_privilege_escalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"run_as_non_root": True, "seccomp_profile": {"type": "RuntimeDefault"}}
    spec: Any = {
        "replicas": 2,
        "selector": {"match_labels": labels},
        "strategy": {"type": "Recreate"},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], "security_context": security}},
    }
    budget: Any = {"max_unavailable": 1, "selector": {"match_labels": labels}}
    PodDisruptionBudget(name, metadata={"name": name, "labels": labels}, spec=budget, opts=cluster)
    return Deployment(name, metadata={"name": name, "labels": labels}, spec=spec, opts=cluster)


def route(role: str, color: str, match: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    destination = {"destination": {"host": APP, "subset": color}, "headers": {"response": {"set": {"x-color": color}}}}
    return {"name": f"{APP}-{role}", "route": [destination]} | ({"match": match} if match else {})


def custom(kind: str, name: str, spec: dict[str, Any], depends_on: list[pulumi.Resource]) -> CustomResource:
    opts = pulumi.ResourceOptions.merge(cluster, pulumi.ResourceOptions(depends_on=depends_on))
    return CustomResource(name, api_version=ISTIO, kind=kind, metadata={"name": name}, spec=spec, opts=opts)


colors = [deploy(color) for color in tags]
ports: Any = {"selector": {"app": APP}, "ports": [{"name": "http", "port": PORT, "target_port": "http"}]}
service = Service(APP, metadata={"name": APP, "labels": {"app": APP}}, spec=ports, opts=cluster)
plain = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [host]}
gateway = custom("Gateway", f"{APP}-gateway", {"selector": {"istio": "ingressgateway"}, "servers": [plain]}, [])
subsets = [{"name": color, "labels": {"color": color}} for color in ("blue", "green")]
rule = custom("DestinationRule", f"{APP}-blue-green", {"host": APP, "subsets": subsets}, [service])
cookie = [{"headers": {"cookie": {"regex": r"^(.*;\s*)?test=true\s*(;.*)?$"}}}]
routes = [*([route("test", test, cookie)] if test else []), route("default", active)]
spec = {"hosts": [host], "gateways": [f"{APP}-gateway"], "http": routes}
custom("VirtualService", f"{APP}-route", spec, [gateway, rule, *colors])
