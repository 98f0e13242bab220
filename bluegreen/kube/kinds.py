"""The plurals, as in URLs of the API, of the kinds that this program reads often, by API version.

All of them are namespaced. Other kinds are looked up in the cluster's discovery API: one request per API version.
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
