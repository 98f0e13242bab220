"""One environment: puts the colors and the routing together and fixes their order."""

import functools
from collections.abc import Mapping
from typing import Any

import pulumi

from bluegreen.release.settings import ColorSettings, Settings
from bluegreen.workload import source_of
from components.color import Checks, Color
from components.routing import Routing
from components.workers import Workers


class Environment(pulumi.ComponentResource):
    """The deployed colors, and the route, which is written when every color is ready.

    `url` says where users come in, and `test_command` what a tester types.
    """

    def __init__(self, name: str, settings: Settings, checks: Checks, opts: pulumi.ResourceOptions) -> None:
        super().__init__("bluegreen:components:Environment", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        colors = [
            Color(f"{name}-{color.name}", color, source_of(settings, color), checks, child)
            for color in settings.service.colors.values()
        ]
        ready = pulumi.Output.all(*(color.ready for color in colors))
        routing = Routing(f"{name}-routing", settings, ready, checks.route_hooks(), child)
        self._move_workers(name, settings, dict(zip(settings.service.colors, colors, strict=True)), routing.route, checks)
        # Nothing depends on it: the engine ends the update with its failure.
        checks.verified(routing.route)
        self.url: pulumi.Output[str] = routing.url
        self.test_command: pulumi.Output[str] = routing.test_command
        self.register_outputs({})

    def _move_workers(
        self, name: str, settings: Settings, colors: Mapping[str, Color], route: pulumi.Resource, checks: Checks
    ) -> None:
        """Starts the workers of the active color and stops the others, one color after the other, when users have moved."""
        found = [color for color in settings.service.colors.values() if color.workers]
        found.sort(key=lambda color: (color.name == settings.active_color) != (settings.worker_order == "start-first"))
        done: pulumi.Output[Any] = route.urn
        for color in found:
            done = done.apply(functools.partial(self._workers, name, settings, color, colors[color.name], checks))

    def _workers(
        self, name: str, settings: Settings, color: ColorSettings, made: Color, checks: Checks, _: object
    ) -> pulumi.Output[list[object]]:
        child = pulumi.ResourceOptions(parent=self)
        running = color.name == settings.active_color
        source = source_of(settings, color)
        return Workers(f"{name}-{color.name}-workers", color, source, made.made, checks, child, running=running).moved
