"""The Service that both colors share."""

import pulumi

from bluegreen.release.settings import ServiceSettings
from components.manifest import Manifest


class Service(pulumi.ComponentResource):
    """A Service `<app>` that selects the pods of both colors, always: the subsets of the routing choose among them.

    It must never follow one color. Its port leads to the container port named `http`, so each color may have its own.
    """

    def __init__(self, name: str, settings: ServiceSettings, opts: pulumi.ResourceOptions) -> None:
        super().__init__("bluegreen:components:Service", name, None, opts)
        self.object_name = settings.name
        ports = [{"name": "http", "port": settings.port, "targetPort": "http"}]
        Manifest(
            name,
            "v1",
            "Service",
            self.object_name,
            {"spec": {"selector": {"app": settings.name}, "ports": ports}},
            pulumi.ResourceOptions(parent=self),
            labels={"app": settings.name},
        )
        self.register_outputs({})
