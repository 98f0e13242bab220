"""The sample application as plain manifests, as one writes them by hand: the same objects that the program makes."""

from typing import Any

APP, PORT, REPLICAS = "myapp", 3000, 2
ISTIO = "networking.istio.io/v1"


def pod_template(labels: dict[str, str], image: str, color: str = "") -> dict[str, Any]:
    """The template of the application's pods. Without `color`, the image says which color it answers as."""
    container: dict[str, Any] = {
        "name": APP,
        "image": image,
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 2, "timeoutSeconds": 2},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if color:
        container["env"] = [{"name": "COLOR", "value": color}]
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container], "securityContext": security}}


def named(api_version: str, kind: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": {"app": APP}}, **body}


def deployment(name: str, labels: dict[str, str], image: str, color: str = "") -> dict[str, Any]:
    spec = {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": pod_template(labels, image, color)}
    return named("apps/v1", "Deployment", name, {"spec": spec})


def disruption_budget(name: str, labels: dict[str, str]) -> dict[str, Any]:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": labels}}
    return named("policy/v1", "PodDisruptionBudget", name, {"spec": spec})


def service(name: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": PORT, "targetPort": "http"}]
    return named("v1", "Service", name, {"spec": {"selector": {"app": APP}, "ports": ports}})


def gateway(host: str) -> dict[str, Any]:
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [host]}
    return named(ISTIO, "Gateway", f"{APP}-gateway", {"spec": {"selector": {"istio": "ingressgateway"}, "servers": [server]}})


def virtual_service(host: str, routes: list[dict[str, Any]]) -> dict[str, Any]:
    spec = {"hosts": [host], "gateways": [f"{APP}-gateway"], "http": routes}
    return named(ISTIO, "VirtualService", APP, {"spec": spec})
