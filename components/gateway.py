"""The gateway of an environment: the object that accepts its host, where the routing layer has one."""

import pulumi

from bluegreen.release.manifest import Manifest
from components.kubernetes_object import KubernetesObject


class Gateway(pulumi.ComponentResource):
    """The object `manifest`, under a component of the same name. With `protect` it cannot be deleted."""

    def __init__(self, manifest: Manifest, protect: bool, opts: pulumi.ResourceOptions) -> None:
        super().__init__("bluegreen:components:Gateway", manifest.name, None, opts)
        KubernetesObject(manifest, pulumi.ResourceOptions(parent=self, protect=protect))
        self.register_outputs({})
