"""One Kubernetes object as a Pulumi resource, written as its manifest.

The typed classes of pulumi_kubernetes are not used: `core.v1` alone takes longer to import than the rest of the program
together, and the program starts on every `pulumi up` (docs/performance.md has the figures). To the engine and to the
provider both are the same: the type token decides, and the provider checks each object against the cluster.
"""

from collections.abc import Mapping
from typing import Any

import pulumi

# The provider draws a random field manager for each resource otherwise, and a tool that writes the same field (the
# emergency path, kubectl) could never name it.
FIELD_MANAGER = "bluegreen"


class Manifest(pulumi.CustomResource):
    """An object with the name `object_name`, which is fixed because others refer to it.

    `body` holds everything but apiVersion, kind and metadata, with the keys of Kubernetes (camelCase).
    """

    spec: pulumi.Output[Any]

    def __init__(
        self,
        resource_name: str,
        api_version: str,
        kind: str,
        object_name: str,
        body: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        group = api_version if "/" in api_version else f"core/{api_version}"
        annotations = {"pulumi.com/patchFieldManager": FIELD_MANAGER}
        if kind == "Service":
            # The provider would wait up to ten seconds for endpoints and then accept none, or stale ones: the route
            # waits for the colors instead.
            annotations["pulumi.com/skipAwait"] = "true"
        metadata = {"name": object_name, "labels": dict(labels or {}), "annotations": annotations}
        props = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}
        super().__init__(f"kubernetes:{group}:{kind}", resource_name, props, opts)
