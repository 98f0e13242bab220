"""The kinds of objects that this program reads often, by their API version, with the plural that stands in their address.

All of them belong to a namespace. Other kinds are looked up in the cluster, which costs one request for each API version.
"""

from collections.abc import Mapping

PLURALS: Mapping[str, Mapping[str, str]] = {
    "v1": {
        "ConfigMap": "configmaps",
        "Event": "events",
        "Pod": "pods",
        "Secret": "secrets",
        "Service": "services",
    },
    "apps/v1": {"Deployment": "deployments", "ReplicaSet": "replicasets"},
    "autoscaling/v2": {"HorizontalPodAutoscaler": "horizontalpodautoscalers"},
    "batch/v1": {"Job": "jobs"},
    "networking.istio.io/v1": {
        "DestinationRule": "destinationrules",
        "Gateway": "gateways",
        "VirtualService": "virtualservices",
    },
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
}
