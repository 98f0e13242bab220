"""Reads what is live of one environment: its colors, its route, and the objects around them."""

import contextlib
from dataclasses import replace

from bluegreen.kube.cluster import Cluster, LiveError
from bluegreen.release import metadata
from bluegreen.release.live import Live, LiveColor, live_colors
from bluegreen.release.objects import Object, Ref, annotation, value_at
from bluegreen.routing import find


class LiveEnvironment(Cluster):
    """The objects of one app in one namespace, whose route is that of a routing layer. Raises `LiveError` as `Cluster` does.

    `routing` is the value of `bluegreen:routing`. Raises `UnknownLayerError` if it leads to no layer.
    """

    def __init__(self, *, context: str, namespace: str, app: str, routing: str) -> None:
        self._layer = find(routing)
        super().__init__(context=context, namespace=namespace, apis=self._layer.APIS)
        self._app = app

    def live(self) -> Live:
        """Who serves whom, and the Deployments of all colors but those that are being deleted."""
        found = self.list_objects("apps/v1", "Deployment", app=self._app, color=None)
        colors = live_colors(self._app, found)
        route = self.route()
        reading = self._layer.read(self._app, route)
        deployed = frozenset(colors)
        return Live(
            traffic=reading.traffic,
            also=(deployed if reading.may_serve is None else reading.may_serve & deployed) - {reading.traffic.active},
            foreign=reading.foreign,
            route_owner=None if route[0] is None else annotation(route[0], metadata.OWNER),
            route_uid=str(value_at(route[0], "metadata", "uid") or ""),
            colors=colors,
            objects=dict(zip(self._layer.route(self._app), route, strict=True))
            | {Ref("apps/v1", "Deployment", str(value_at(each, "metadata", "name"))): each for each in found},
        )

    def route(self) -> list[Object | None]:
        """The objects of the route, the users' first, None for each that does not exist."""
        return [self.get(*ref) for ref in self._layer.route(self._app)]

    def with_autoscalers(self, live: Live) -> Live:
        """`live` with the colors marked that have an autoscaler of their stack; none without the right to get autoscalers."""
        marked = {name: replace(color, is_autoscaled=self._has_autoscaler(name, color)) for name, color in live.colors.items()}
        return replace(live, colors=marked)

    def _has_autoscaler(self, name: str, color: LiveColor) -> bool:
        try:
            found = self.get("autoscaling/v2", "HorizontalPodAutoscaler", f"{self._app}-{name}")
        except LiveError:
            return False
        return found is not None and annotation(found, metadata.OWNER) == color.owner

    def parts(self) -> dict[Ref, Object | None]:
        """The other objects without which the route leads nowhere, None for each that does not exist.

        Those that may not be read are left out: an update needs no right to read what it does not change.
        """
        found: dict[Ref, Object | None] = {}
        for ref in self._layer.parts(self._app):
            with contextlib.suppress(LiveError):
                found[ref] = self.get(*ref)
        return found
