"""Routing by selector: a NodePort Service selects the pods of one color.

It needs nothing but Kubernetes. It moves new connections only: an established one stays with its pod until it closes.
"""

from typing import Any

import pulumi

from bluegreen.release.manifest import Manifest
from bluegreen.release.settings import Settings
from bluegreen.routing.selector import selector
from components.kubernetes_object import KubernetesObject


class Routing(pulumi.ComponentResource):
    """The Service `<app>` for users and, while there is a test color, the Service `<app>-test` for testers."""

    def __init__(
        self,
        name: str,
        settings: Settings,
        ready: pulumi.Output[list[pulumi.Resource]],
        hooks: pulumi.ResourceHookBinding | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("bluegreen:routing:Selector", name, None, opts)
        self._settings = settings
        self._ready = ready
        app = settings.service.name
        self.route = users = self._service(
            app, settings.active_color, settings.node_port, hooks=hooks, protect=settings.protect
        )
        self.url = pulumi.Output.from_input(settings.url) if settings.url else _address(users)
        self.test_command = pulumi.Output.from_input("")
        if settings.test_color:
            testers = self._service(f"{app}-test", settings.test_color, settings.test_node_port)
            self.test_command = _address(testers).apply(lambda address: f"curl {address}")
        self.register_outputs({})

    def _service(self, object_name: str, color: str, node_port: int, **options: Any) -> KubernetesObject:
        service = self._settings.service
        port = {"name": "http", "port": service.port, "targetPort": "http"}
        if node_port:
            port["nodePort"] = node_port
        manifest = Manifest(
            api_version="v1",
            kind="Service",
            name=object_name,
            body={"spec": {"type": "NodePort", "selector": selector(service.name, color), "ports": [port]}},
            labels={"app": service.name},
        )
        return KubernetesObject(manifest, pulumi.ResourceOptions(parent=self, depends_on=self._ready, **options))


def _address(service: KubernetesObject) -> pulumi.Output[str]:
    # A number comes back from the engine as a float.
    spec: pulumi.Output[dict[str, list[dict[str, float]]]] = service.spec
    return spec.apply(lambda live: f"http://<any node>:{int(live['ports'][0].get('nodePort', 0)) or '<node port>'}")
