"""Reads the live objects of one environment: its colors, its route, and the objects that the route depends on."""

import contextlib
from dataclasses import replace

from bluegreen.kube.cluster import Cluster, LiveError
from bluegreen.release import metadata
from bluegreen.release.live import Live, LiveColor, is_of_app, live_colors, live_workers
from bluegreen.release.objects import Object, Ref, annotation, value_at
from bluegreen.release.settings import ServiceSettings, Settings
from bluegreen.routing import find
from bluegreen.routing.base import Claims


class LiveEnvironment(Cluster):
    """The objects of one service in one namespace. The methods raise `LiveError` as those of `Cluster` do.

    `routing` is the value of `bluegreen:routing`. Raises `UnknownModuleError` if it names no routing layer.
    """

    def __init__(self, *, context: str, namespace: str, service: ServiceSettings, routing: str) -> None:
        self._layer = find(routing)
        super().__init__(context=context, namespace=namespace, apis=self._layer.APIS)
        self._service = service

    def live(self) -> Live:
        """The traffic that the route describes, and the Deployments and workers of all colors, without terminating ones."""
        listed = self.list_objects("apps/v1", "Deployment", color=None)
        # The labels of a Deployment are the team's own, except for `color`, so its name decides.
        deployments = [deployment for deployment in listed if is_of_app(self._service.name, deployment)]
        colors = live_colors(self._service.name, deployments)
        route = self.route()
        reading = self._layer.read(self._service, route)
        deployed = frozenset(colors)
        return Live(
            traffic=reading.traffic,
            also=(deployed if reading.may_serve is None else reading.may_serve & deployed) - {reading.traffic.active},
            foreign=reading.foreign,
            route_owner=None if route[0] is None else annotation(route[0], metadata.OWNER),
            route_uid=str(value_at(route[0], "metadata", "uid") or ""),
            colors=colors,
            workers=live_workers(self._service.name, listed),
            objects=dict(zip(self._layer.route(self._service), route, strict=True))
            | {Ref("apps/v1", "Deployment", str(value_at(item, "metadata", "name"))): item for item in deployments},
        )

    def route(self) -> list[Object | None]:
        """The objects of the route, that of the users first; None in the place of one that does not exist."""
        return [self.get(*ref) for ref in self._layer.route(self._service)]

    def route_of_another_name(self, owner: str) -> str:
        """The name of the object that decides about the users of the stack `owner`, if the settings give it another one now.

        Only a manifest names it, so it can change. Empty if there is no such object, or if it may not be looked for.
        """
        users = self._layer.route(self._service)[0]
        with contextlib.suppress(LiveError):
            for item in self.list_objects(users.api_version, users.kind, **metadata.managed_by()):
                name = str(value_at(item, "metadata", "name"))
                if name != users.name and annotation(item, metadata.OWNER) == owner and annotation(item, metadata.SERVED):
                    return name
        return ""

    def with_autoscalers(self, live: Live) -> Live:
        """`live` with `is_autoscaled` set for the colors with an autoscaler of the same stack.

        Without the right to get autoscalers it is false for all colors.
        """
        colors = {name: replace(color, is_autoscaled=self._has_autoscaler(name, color)) for name, color in live.colors.items()}
        return replace(live, colors=colors)

    def _has_autoscaler(self, name: str, color: LiveColor) -> bool:
        try:
            autoscaler = self.get("autoscaling/v2", "HorizontalPodAutoscaler", f"{self._service.name}-{name}")
        except LiveError:
            return False
        return autoscaler is not None and annotation(autoscaler, metadata.OWNER) == color.owner

    def parts(self) -> dict[Ref, Object | None]:
        """The other objects that the route needs to work; None in the place of one that does not exist.

        Objects that may not be read are left out: an update needs no right to read what it does not change.
        """
        objects: dict[Ref, Object | None] = {}
        for ref in self._layer.parts(self._service):
            with contextlib.suppress(LiveError):
                objects[ref] = self.get(*ref)
        return objects


def claims(cluster: Cluster, settings: Settings) -> Claims:
    """Who else claims the host of an environment, as far as the account may list the objects that say it."""
    layer, found = find(settings.routing), list[list[Object]]()
    while kind := layer.next_to_list(settings, found):
        found.append(cluster.list_everywhere(*kind))
    return layer.claims(settings, found)
