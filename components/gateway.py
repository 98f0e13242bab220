"""The edge of an environment in Istio: which hosts and ports of the ingress gateway are ours."""

import pulumi

from bluegreen.release.manifest import Manifest
from bluegreen.release.settings import Settings
from bluegreen.routing.hosts import SELECTOR
from components.kubernetes_object import KubernetesObject


class Gateway(pulumi.ComponentResource):
    """An Istio Gateway `<app>-gateway` on port 80 for the configured host; with a TLS secret on 443, and 80 redirects.

    The secret must stand in the namespace of the ingress gateway, where Istio looks for it.
    """

    def __init__(self, name: str, settings: Settings, opts: pulumi.ResourceOptions) -> None:
        super().__init__("bluegreen:components:Gateway", name, None, opts)
        self.object_name = f"{settings.service.name}-gateway"
        plain = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [settings.host]}
        servers = [plain]
        if settings.tls_secret:
            plain["tls"] = {"httpsRedirect": True}
            tls = {"mode": "SIMPLE", "credentialName": settings.tls_secret}
            port = {"number": 443, "name": "https", "protocol": "HTTPS"}
            servers.append({"port": port, "hosts": [settings.host], "tls": tls})
        manifest = Manifest(
            api_version="networking.istio.io/v1",
            kind="Gateway",
            name=self.object_name,
            body={"spec": {"selector": SELECTOR, "servers": servers}},
            labels={"app": settings.service.name},
            resource_name=name,
        )
        KubernetesObject(manifest, pulumi.ResourceOptions(parent=self, protect=settings.protect))
        self.register_outputs({})
