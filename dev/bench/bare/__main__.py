"""What one writes who knows Pulumi and wants two colors: the objects of the program, typed, one after the other.

The yardstick of the benchmark. Nothing is checked and nothing is shared; a switch changes `activeColor` and `testColor`, and a
release `blue` or `green`, the tag of a color's image.
"""

from typing import Any

import pulumi
from pulumi_kubernetes import Provider
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.apps.v1 import Deployment, DeploymentSpecArgs, DeploymentStrategyArgs
from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgs,
    ContainerArgs,
    ContainerPortArgs,
    EnvVarArgs,
    HTTPGetActionArgs,
    LifecycleArgs,
    LifecycleHandlerArgs,
    PodSecurityContextArgs,
    PodSpecArgs,
    PodTemplateSpecArgs,
    ProbeArgs,
    SeccompProfileArgs,
    SecurityContextArgs,
    Service,
    ServicePortArgs,
    ServiceSpecArgs,
    SleepActionArgs,
)
from pulumi_kubernetes.meta.v1 import LabelSelectorArgs, ObjectMetaArgs
from pulumi_kubernetes.policy.v1 import PodDisruptionBudget, PodDisruptionBudgetSpecArgs

APP, PORT, ISTIO = "myapp", 3000, "networking.istio.io/v1"
REPOSITORY = "bluegreen.example/app"

config = pulumi.Config()
active, host, namespace = (config.require(key) for key in ("activeColor", "host", "namespace"))
test = config.get("testColor")
tags = {color: tag for color in ("blue", "green") if (tag := config.get(color))}
cluster = pulumi.ResourceOptions(provider=Provider("cluster", namespace=namespace))


def container(color: str) -> ContainerArgs:
    return ContainerArgs(
        name=APP,
        image=f"{REPOSITORY}:{tags[color]}",
        ports=[ContainerPortArgs(name="http", container_port=PORT)],
        env=[EnvVarArgs(name="COLOR", value=color)],
        readiness_probe=ProbeArgs(http_get=HTTPGetActionArgs(path="/ready", port="http"), period_seconds=2, timeout_seconds=2),
        lifecycle=LifecycleArgs(pre_stop=LifecycleHandlerArgs(sleep=SleepActionArgs(seconds=1))),
        security_context=SecurityContextArgs(allow_privilege_escalation=False, capabilities=CapabilitiesArgs(drop=["ALL"])),
    )


def deploy(color: str) -> Deployment:
    labels = {"app": APP, "color": color}
    name = f"{APP}-{color}"
    pod = PodSpecArgs(
        containers=[container(color)],
        security_context=PodSecurityContextArgs(
            run_as_non_root=True, seccomp_profile=SeccompProfileArgs(type="RuntimeDefault")
        ),
    )
    deployment = Deployment(
        name,
        metadata=ObjectMetaArgs(name=name, labels=labels),
        spec=DeploymentSpecArgs(
            replicas=2,
            selector=LabelSelectorArgs(match_labels=labels),
            strategy=DeploymentStrategyArgs(type="Recreate"),
            template=PodTemplateSpecArgs(metadata=ObjectMetaArgs(labels=labels), spec=pod),
        ),
        opts=cluster,
    )
    PodDisruptionBudget(
        name,
        metadata=ObjectMetaArgs(name=name, labels=labels),
        spec=PodDisruptionBudgetSpecArgs(max_unavailable=1, selector=LabelSelectorArgs(match_labels=labels)),
        opts=cluster,
    )
    return deployment


def route(role: str, color: str, match: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    destination = {"destination": {"host": APP, "subset": color}, "headers": {"response": {"set": {"x-color": color}}}}
    return {"name": f"{APP}-{role}", "route": [destination]} | ({"match": match} if match else {})


def custom(kind: str, name: str, spec: dict[str, Any], depends_on: list[pulumi.Resource]) -> CustomResource:
    opts = pulumi.ResourceOptions.merge(cluster, pulumi.ResourceOptions(depends_on=depends_on))
    return CustomResource(name, api_version=ISTIO, kind=kind, metadata=ObjectMetaArgs(name=name), spec=spec, opts=opts)


colors = [deploy(color) for color in tags]
service = Service(
    APP,
    metadata=ObjectMetaArgs(name=APP, labels={"app": APP}),
    spec=ServiceSpecArgs(selector={"app": APP}, ports=[ServicePortArgs(name="http", port=PORT, target_port="http")]),
    opts=cluster,
)
plain = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [host]}
gateway = custom("Gateway", f"{APP}-gateway", {"selector": {"istio": "ingressgateway"}, "servers": [plain]}, [])
subsets = [{"name": color, "labels": {"color": color}} for color in ("blue", "green")]
rule = custom("DestinationRule", f"{APP}-blue-green", {"host": APP, "subsets": subsets}, [service])
cookie = [{"headers": {"cookie": {"regex": r"^(.*;\s*)?test=true\s*(;.*)?$"}}}]
routes = [*([route("test", test, cookie)] if test else []), route("default", active)]
custom(
    "VirtualService",
    f"{APP}-route",
    {"hosts": [host], "gateways": [f"{APP}-gateway"], "http": routes},
    [gateway, rule, *colors],
)
