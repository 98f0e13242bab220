"""One environment: puts the colors and the routing together and fixes their order."""

from collections.abc import Callable
from typing import Any, TypeVar

import pulumi

from bluegreen.release.settings import Settings
from bluegreen.workload import source_of
from components.color import Checks, Color
from components.routing import Routing

T = TypeVar("T")


class Environment(pulumi.ComponentResource):
    """The deployed colors, and the route, which is written when every color, and every worker of the active one, is ready.

    Workers are registered when those that come before them have settled, and nothing depends on them. So the order of a switch
    is no part of the graph, which stays the same whichever color is active.

    `url` says where users come in, and `test_command` what a tester types; both are empty without a route.
    """

    def __init__(self, name: str, settings: Settings, checks: Checks, opts: pulumi.ResourceOptions) -> None:
        super().__init__("bluegreen:components:Environment", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        colors = {
            color.name: Color(f"{name}-{color.name}", color, source_of(settings, color), checks, child)
            for color in settings.service.colors.values()
        }
        self.url: pulumi.Output[str] = pulumi.Output.from_input("")
        self.test_command: pulumi.Output[str] = pulumi.Output.from_input("")
        if settings.has_route:
            self._route(name, settings, colors, checks)
        self.register_outputs({})

    def _route(self, name: str, settings: Settings, colors: dict[str, Color], checks: Checks) -> None:
        """Registers the route, and the workers before and behind it."""
        ready = pulumi.Output.all(*(color.ready for color in colors.values()))
        active = colors.pop(settings.active_color)
        before: pulumi.Output[Any] = ready
        if settings.stops_workers_first:
            before = _after(before, lambda: pulumi.Output.all(*(color.work(running=False) for color in colors.values())))
        started = _after(before, lambda: active.work(running=True))
        # The output of both has the resources of both, which would be edges.
        ready = pulumi.Output.all(ready, _unlinked(started)).apply(lambda settled: settled[0])
        routing = Routing(f"{name}-routing", settings, ready, checks.route_hooks(), pulumi.ResourceOptions(parent=self))
        # Nothing depends on it: the engine ends the update with its failure.
        served = checks.verified(routing.route)
        if not settings.stops_workers_first:
            _after(served, lambda: pulumi.Output.all(*(color.work(running=False) for color in colors.values())))
        self.url, self.test_command = routing.url, routing.test_command


def _after(before: pulumi.Output[Any], register: Callable[[], pulumi.Output[Any]]) -> pulumi.Output[Any]:
    """What `register` returns. It is called when `before` has resolved, also in a preview."""
    return _unlinked(before).apply(lambda _: register())


def _unlinked(output: pulumi.Output[T]) -> pulumi.Output[T | None]:
    """The value of an output without the resources that it is of: what waits for it does not depend on them."""
    return pulumi.Output.from_input(output.future())
