"""The Service that both colors share."""

import pulumi

from bluegreen.release.manifest import Manifest
from bluegreen.release.settings import ServiceSettings
from components.kubernetes_object import KubernetesObject


class Service(pulumi.ComponentResource):
    """A Service `<app>` that selects the pods of both colors, always: the subsets of the routing choose among them.

    It must never follow one color. Its port leads to the container port named `http`, so each color may have its own.
    """

    def __init__(self, name: str, settings: ServiceSettings, opts: pulumi.ResourceOptions) -> None:
        super().__init__("bluegreen:components:Service", name, None, opts)
        self.object_name = settings.name
        ports = [{"name": "http", "port": settings.port, "targetPort": "http"}]
        manifest = Manifest(
            api_version="v1",
            kind="Service",
            name=self.object_name,
            body={"spec": {"selector": {"app": settings.name}, "ports": ports}},
            labels={"app": settings.name},
            resource_name=name,
        )
        KubernetesObject(manifest, pulumi.ResourceOptions(parent=self))
        self.register_outputs({})
