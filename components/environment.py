"""One environment: puts the colors and the routing together and fixes their order."""

import pulumi

from bluegreen.release.settings import Settings
from bluegreen.workload import source_of
from components.color import Checks, Color
from components.routing import Routing


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
        # Nothing depends on it: the engine ends the update with its failure.
        checks.verified(routing.route)
        self.url: pulumi.Output[str] = routing.url
        self.test_command: pulumi.Output[str] = routing.test_command
        self.register_outputs({})
