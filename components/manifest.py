"""One Kubernetes object as a Pulumi resource, written as its manifest.

The typed classes of pulumi_kubernetes are not used: `core.v1` alone takes longer to import than the rest of the program
together, and the program starts on every `pulumi up`. To the engine and to the provider both are the same: the type token
decides, and the provider checks each object against the cluster.
"""

from collections.abc import Mapping
from typing import Any

import pulumi

from bluegreen.release import metadata

# What an environment owns, nobody else writes for long: without this a preview fails at a field that somebody has changed
# with kubectl, and an update fails at one that somebody has changed with anything else.
_TAKES_FIELDS_BACK = {"pulumi.com/patchForce": "true"}

# The provider's waiting is not used. For a Service it takes up to ten seconds and then accepts no endpoints, or stale ones;
# for a Deployment or a Job it goes on until a timeout when the cause of the failure is long certain, and it does not look
# at what has not changed. The program's own gate waits instead.
_NOT_AWAITED = ("Deployment", "Job", "Service")


def owner() -> str:
    """The stack that owns what this program makes, as organization/project/stack."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


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
        labels: Mapping[str, str],
        annotations: Mapping[str, str] | None = None,
    ) -> None:
        group = api_version if "/" in api_version else f"core/{api_version}"
        noted = {
            "pulumi.com/patchFieldManager": metadata.MANAGER,
            **_TAKES_FIELDS_BACK,
            metadata.OWNER: owner(),
            **(annotations or {}),
        }
        if kind in _NOT_AWAITED:
            noted["pulumi.com/skipAwait"] = "true"
            # The provider's own choice leaves the object, with its name, until the last pod has gone, and does not wait for
            # that here: a color that comes back meanwhile would meet its own past.
            noted["pulumi.com/deletionPropagationPolicy"] = "background"
        described = {"name": object_name, "labels": dict(labels), "annotations": noted}
        props = {"apiVersion": api_version, "kind": kind, "metadata": described, **body}
        super().__init__(f"kubernetes:{group}:{kind}", resource_name, props, opts)
