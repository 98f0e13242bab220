"""The workers of one color: Deployments that have pods only while the color is active.

They are beside the color, and not in it: a switch changes them, and it must not change a color.
"""

from collections.abc import Mapping

import pulumi

from bluegreen.release.objects import Ref
from bluegreen.release.settings import ColorSettings
from bluegreen.workload.base import Workload
from components.color import Checks
from components.kubernetes_object import KubernetesObject


class Workers(pulumi.ComponentResource):
    """The workers of a color, `running` or without pods. `made` are the objects of the color, which they refer to.

    `moved` resolves when all of them run, or when all of their pods are gone.
    """

    def __init__(
        self,
        name: str,
        settings: ColorSettings,
        workload: Workload,
        made: Mapping[Ref, pulumi.Input[pulumi.Resource]],
        checks: Checks,
        opts: pulumi.ResourceOptions,
        *,
        running: bool,
    ) -> None:
        super().__init__("bluegreen:components:Workers", name, None, opts)
        known = {**made}
        moved = []
        for manifest in workload.workers(settings, running=running):
            after = [known[ref] for ref in manifest.waits_for]
            known[manifest.ref] = resource = KubernetesObject(manifest, pulumi.ResourceOptions(parent=self, depends_on=after))
            if manifest.kind == "Deployment":
                moved.append(checks.worker_moved(settings, resource, running=running))
        self.moved: pulumi.Output[list[object]] = pulumi.Output.all(*moved)
        self.register_outputs({})
