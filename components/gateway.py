"""The edge of an environment in Istio: which hosts and ports of the ingress gateway are ours."""

import pulumi

from bluegreen.release.settings import Settings
from bluegreen.routing.hosts import SELECTOR
from components.manifest import Manifest


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
        Manifest(
            name,
            "networking.istio.io/v1",
            "Gateway",
            self.object_name,
            {"spec": {"selector": SELECTOR, "servers": servers}},
            pulumi.ResourceOptions(parent=self, protect=settings.protect),
            labels={"app": settings.service.name},
        )
        self.register_outputs({})
