"""The plurals, as in URLs of the API, of the kinds of Kubernetes that this program reads often, by API version.

A routing layer brings those of its own kinds. Others are looked up in the cluster's discovery API: one request per API version.
"""

from collections.abc import Mapping

from bluegreen.release.objects import Api

APIS: Mapping[str, Api] = {
    "v1": Api(
        plurals={
            "ConfigMap": "configmaps",
            "Event": "events",
            "Pod": "pods",
            "Secret": "secrets",
            "Service": "services",
        }
    ),
    "apps/v1": Api(plurals={"Deployment": "deployments", "ReplicaSet": "replicasets"}),
    "autoscaling/v2": Api(plurals={"HorizontalPodAutoscaler": "horizontalpodautoscalers"}),
    "batch/v1": Api(plurals={"Job": "jobs"}),
    "policy/v1": Api(plurals={"PodDisruptionBudget": "poddisruptionbudgets"}),
}
