"""A Service that both colors share, where the routing layer chooses between them behind it."""

import pulumi

from bluegreen.release.manifest import Manifest
from components.kubernetes_object import KubernetesObject


class Service(pulumi.ComponentResource):
    """The object `manifest` with the options `own`, under a component of the same name."""

    def __init__(self, manifest: Manifest, own: pulumi.ResourceOptions, opts: pulumi.ResourceOptions) -> None:
        super().__init__("bluegreen:components:Service", manifest.name, None, opts)
        KubernetesObject(manifest, pulumi.ResourceOptions.merge(own, pulumi.ResourceOptions(parent=self)))
        self.register_outputs({})
