"""What a contestant adds to a cluster: objects, and their size as JSON."""

import json
from collections import Counter
from typing import Any

from dev.bench import cluster
from dev.bench.contestants.base import Contestant
from dev.bench.peers import build, installed_objects
from dev.bench.samples import Footprint

_KINDS = (
    "deployments.apps",
    "services",
    "configmaps",
    "secrets",
    "serviceaccounts",
    "poddisruptionbudgets.policy",
    "virtualservices.networking.istio.io",
    "destinationrules.networking.istio.io",
    "gateways.networking.istio.io",
)
_KINDS_OF_PEERS = {"argo": ("rollouts.argoproj.io",), "flagger": ("canaries.flagger.app",)}
# In every namespace, whoever made it.
_GIVEN = ("kube-root-ca.crt", "default")
_OF_THE_SERVER = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")


def footprint(contestant: Contestant) -> Footprint:
    """What the installation and the application of `contestant` are, now, in the cluster."""
    installed = installed_objects(build(contestant.tool)) if contestant.tool else []
    application = [_as_made(each) for each in _application(contestant)]
    return Footprint(
        installed_objects=len(installed),
        installed_bytes=_bytes(installed),
        application_objects=len(application),
        application_bytes=_bytes(application),
        kinds=dict(sorted(Counter(each["kind"] for each in application).items())),
    )


def _application(contestant: Contestant) -> list[dict[str, Any]]:
    kinds = ",".join([*_KINDS, *_KINDS_OF_PEERS.get(contestant.slug, ())])
    found = json.loads(cluster.kubectl("--namespace", contestant.namespace, "get", kinds, "--output=json"))["items"]
    return [each for each in found if each["metadata"]["name"] not in _GIVEN]


def _as_made(item: dict[str, Any]) -> dict[str, Any]:
    """The object without what the server notes about it."""
    metadata = {name: value for name, value in item["metadata"].items() if name not in _OF_THE_SERVER}
    return {name: value for name, value in item.items() if name != "status"} | {"metadata": metadata}


def _bytes(objects: list[dict[str, Any]]) -> int:
    return sum(len(json.dumps(each, separators=(",", ":"), default=str)) for each in objects)
