"""One Kubernetes object as a Pulumi resource, written from its manifest.

The typed classes of pulumi_kubernetes are not used: `core.v1` alone takes longer to import than the rest of the program
together, and the program starts on every `pulumi up`. To the engine and to the provider both are the same: the type token
decides, and the provider checks each object against the cluster.
"""

from typing import Any

import pulumi

from bluegreen.release import metadata
from bluegreen.release.manifest import Manifest
from bluegreen.release.settings import Settings

# Nobody else writes the objects of an environment for long: without this a preview fails at a field that somebody has changed
# with kubectl, and an update fails at one that somebody has changed with anything else.
_TAKES_FIELDS_BACK = {"pulumi.com/patchForce": "true"}

# The provider's waiting is not used. For a Service it takes up to ten seconds and then accepts no endpoints, or stale ones;
# for a Deployment or a Job it goes on until a timeout when the cause of the failure is long certain, and it does not look
# at what has not changed. The program's own gate waits instead.
_NOT_AWAITED = ("Deployment", "Job", "Service")


def owner() -> str:
    """The stack that owns the objects of this program, as organization/project/stack."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


def adopted(settings: Settings, manifest: Manifest) -> pulumi.ResourceOptions:
    """The options of an object that `bluegreen:adopt` names: it comes under the stack as it is, and is never deleted.

    For every other object these options change nothing: to create it is refused if it exists already.
    """
    adoption = settings.adopt
    if not adoption or manifest.ref not in adoption.refs:
        return pulumi.ResourceOptions()
    return pulumi.ResourceOptions(
        import_=f"{settings.namespace}/{manifest.name}", ignore_changes=["metadata", "spec"], retain_on_delete=True
    )


class KubernetesObject(pulumi.CustomResource):
    """The object that `manifest` describes. Its name is fixed, because others refer to it.

    `opts` are added to the options that follow from the manifest. The caller adds the resources that `waits_for` means.
    """

    spec: pulumi.Output[Any]
    metadata: pulumi.Output[Any]

    def __init__(self, manifest: Manifest, opts: pulumi.ResourceOptions) -> None:
        version = manifest.api_version
        group = version if "/" in version else f"core/{version}"
        annotations = {
            "pulumi.com/patchFieldManager": metadata.MANAGER,
            **_TAKES_FIELDS_BACK,
            metadata.OWNER: owner(),
            **manifest.annotations,
        }
        if manifest.kind in _NOT_AWAITED:
            annotations["pulumi.com/skipAwait"] = "true"
            # The provider's own choice leaves the object, with its name, until the last pod has gone, and does not wait for
            # that here: a color that comes back meanwhile would meet its own past.
            annotations["pulumi.com/deletionPropagationPolicy"] = "background"
        hidden = ["data", "stringData"] if manifest.kind == "Secret" else []
        body = {key: pulumi.Output.secret(value) if key in hidden else value for key, value in manifest.body.items()}
        labels = {**metadata.labels(manifest.labels.get("app", "")), **manifest.labels, **metadata.managed_by()}
        described = {"name": manifest.name, "labels": labels, "annotations": annotations}
        props = {"apiVersion": version, "kind": manifest.kind, "metadata": described, **body}
        own = pulumi.ResourceOptions(
            aliases=[pulumi.Alias(name=name) for name in manifest.formerly],
            ignore_changes=list(manifest.ignored),
            additional_secret_outputs=hidden,
        )
        name = manifest.resource_name or manifest.name
        super().__init__(f"kubernetes:{group}:{manifest.kind}", name, props, pulumi.ResourceOptions.merge(own, opts))
