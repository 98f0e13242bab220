"""Routing by Istio: a VirtualService chooses between two subsets of one Service.

A switch is one update of one object, the VirtualService. The subsets of both colors are declared always: a proxy that
learns of a route before its subset would answer 503.
"""

import re
from typing import Any

import pulumi

from bluegreen.release.colors import COLORS
from bluegreen.release.manifest import Manifest
from bluegreen.release.settings import Settings
from bluegreen.routing.istio import rule
from components.gateway import Gateway
from components.kubernetes_object import KubernetesObject
from components.service import Service

_API = "networking.istio.io/v1"


class Routing(pulumi.ComponentResource):
    """The VirtualService and DestinationRule `<app>-blue-green`, with the Gateway and the Service they need.

    A request that carries the test cookie goes to the test color, every other one to the active color; both answers say
    in the header `x-color` which color served.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        ready: pulumi.Output[list[pulumi.Resource]],
        hooks: pulumi.ResourceHookBinding | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__("bluegreen:routing:Istio", name, None, opts)
        app = settings.service.name
        gateway = Gateway(f"{app}-gateway", settings, pulumi.ResourceOptions(parent=self))
        service = Service(app, settings.service, pulumi.ResourceOptions(parent=self))
        object_name = f"{app}-blue-green"
        subsets = KubernetesObject(
            Manifest(
                api_version=_API,
                kind="DestinationRule",
                name=object_name,
                body={"spec": {"host": app, "subsets": [{"name": color, "labels": {"color": color}} for color in COLORS]}},
                labels={"app": app},
                resource_name=f"{object_name}-subsets",
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.route = KubernetesObject(
            Manifest(
                api_version=_API,
                kind="VirtualService",
                name=object_name,
                body={"spec": {"hosts": [settings.host], "gateways": [gateway.object_name], "http": _routes(settings)}},
                labels={"app": app},
            ),
            pulumi.ResourceOptions(
                parent=self,
                depends_on=ready.apply(lambda deployments: [gateway, service, subsets, *deployments]),
                hooks=hooks,
                protect=settings.protect,
            ),
        )
        self.url = pulumi.Output.from_input(_url(settings))
        self.test_command = pulumi.Output.from_input(f"curl --cookie {settings.test_cookie} {_url(settings)}")
        self.register_outputs({})


def _routes(settings: Settings) -> list[dict[str, Any]]:
    """The test route, if any, before the default route: the first match wins, and a diff goes by index."""
    app = settings.service.name
    default = rule(app, "default", settings.active_color)
    if not settings.test_color:
        return [default]
    match = [{"headers": {"cookie": {"regex": cookie_pattern(settings.test_cookie)}}}]
    return [rule(app, "test", settings.test_color) | {"match": match}, default]


def cookie_pattern(cookie: str) -> str:
    """The expression (RE2, matched from end to end) that finds `cookie` wherever it stands in a cookie header."""
    return rf"^(.*;\s*)?{re.escape(cookie)}\s*(;.*)?$"


def _url(settings: Settings) -> str:
    if settings.url:
        return settings.url
    host = "<address of the ingress gateway>" if settings.host == "*" else settings.host
    return f"{'https' if settings.tls_secret else 'http'}://{host}"
