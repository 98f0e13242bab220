"""The route of an environment: the objects that its routing layer needs, in their order."""

from collections.abc import Callable

import pulumi

from bluegreen.release.objects import Object
from bluegreen.release.settings import Settings
from bluegreen.routing import find
from components.gateway import Gateway
from components.kubernetes_object import KubernetesObject, adopted
from components.service import Service


class Routing(pulumi.ComponentResource):
    """The route, and what it needs, as the layer of `settings.routing` says.

    `ready` resolves to the Deployments of all colors when they are ready. The route depends on them, whichever color is live,
    so that the graph never changes; nothing depends on the route. `hooks` are those of the object that decides about users,
    which `route` is. `url` says where users come in, and `test_command` what a tester types.
    """

    def __init__(
        self,
        name: str,
        settings: Settings,
        ready: pulumi.Output[list[pulumi.Resource]],
        hooks: pulumi.ResourceHookBinding | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        layer = find(settings.routing)
        super().__init__(f"bluegreen:routing:{layer.NAME.capitalize()}", name, None, opts)
        objects, child = layer.manifests(settings), pulumi.ResourceOptions(parent=self)
        needed: list[pulumi.Resource] = []
        if objects.gateway:
            needed.append(Gateway(objects.gateway, settings.protect, child))
        needed += [Service(service, adopted(settings, service), child) for service in objects.services]
        needed += [KubernetesObject(part, child) for part in objects.parts]
        after = ready.apply(lambda deployments: [*needed, *deployments])
        users, *others = objects.route
        options = pulumi.ResourceOptions(parent=self, depends_on=after)
        decides = pulumi.ResourceOptions(parent=self, depends_on=after, hooks=hooks, protect=settings.protect)
        merge = pulumi.ResourceOptions.merge
        self.route = KubernetesObject(users, merge(adopted(settings, users), decides))
        made = [self.route, *(KubernetesObject(other, merge(adopted(settings, other), options)) for other in others)]
        self.url = _text(lambda item: layer.url(settings, item), self.route)
        self.test_command = _text(lambda item: layer.command_of_testers(settings, item), made[-1])
        self.register_outputs({})


def _text(of: Callable[[Object | None], str], resource: KubernetesObject) -> pulumi.Output[str]:
    """The text `of` an object as it was written; at once, if the settings say it all."""
    if known := of(None):
        return pulumi.Output.from_input(known)
    return resource.spec.apply(lambda spec: of({"spec": spec}))
