"""What an environment is now, as plain data: its colors by their Deployments, and who gets which of them.

Nothing here reads the cluster and nothing decides.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from bluegreen.release import metadata
from bluegreen.release.drift import is_own
from bluegreen.release.image import Image
from bluegreen.release.objects import (
    Object,
    Ref,
    annotation,
    as_items,
    as_mapping,
    as_number,
    as_text,
    is_terminating,
    value_at,
)
from bluegreen.release.served import Served
from bluegreen.release.traffic import NOBODY, Traffic


@dataclass(frozen=True, kw_only=True)
class LiveColor:
    """The Deployment of one color as it is now.

    `image` is the one that runs. `asked` is the one that the program asked for, if `image` is what an admission controller made
    of it; it is empty if somebody else has written the image since.

    `owner`, `template`, `release`, `uid` and `migration` (a Job that had succeeded when it was written) are empty when it does
    not say. `is_settled` is true when the cluster has processed the newest template and no pod of an older one is left.
    `is_autoscaled` is known only after `LiveEnvironment.with_autoscalers`. `generation` rises with each change of the spec.
    `labels` say which application the pods belong to; together with the label `color` they select the pods.
    """

    image: str
    asked: str = ""
    template: str = ""
    release: str = ""
    owner: str = ""
    uid: str = ""
    migration: str = ""
    replicas: int = 1
    ready: int = 1
    is_settled: bool = True
    is_autoscaled: bool = False
    generation: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether every pod that is wanted is there, is of the newest template, and is ready."""
        return self.is_settled and 0 < self.replicas <= self.ready

    @property
    def room(self) -> int:
        """How many pods can serve users: those that are ready, or those that will be when the color becomes ready."""
        return self.ready if self.is_ready else max(self.ready, self.replicas)

    def runs(self, image: str) -> bool:
        """Whether the pods run `image`, also if an admission controller has pinned it to a digest, or named it otherwise."""
        return image == self.asked or Image.parse(self.image).pins(Image.parse(image))

    @property
    def called(self) -> str:
        """The image by the name that the program asked for, with the digest that runs."""
        if not self.asked or Image.parse(self.image).pins(Image.parse(self.asked)):
            return self.image
        return str(replace(Image.parse(self.asked), digest=Image.parse(self.image).digest))


@dataclass(frozen=True, kw_only=True)
class LiveWorker:
    """The Deployment of one worker of a color as it is now. `name` is that of its Deployment in the manifest."""

    name: str
    color: str
    replicas: int
    ready: int
    generation: int


@dataclass(frozen=True, kw_only=True)
class Live:
    """What serves now.

    `traffic` is who gets which color by the route, as far as it names colors. `also` are the colors that users may get beside
    the active one: those of a split, or every deployed color if the route does not say who is served. `foreign` is what in the
    route this program did not write, in words, if it decides about users. `route_owner` is None without a route.
    """

    traffic: Traffic = NOBODY
    also: frozenset[str] = frozenset()
    foreign: str = ""
    route_owner: str | None = None
    route_uid: str = ""
    colors: Mapping[str, LiveColor] = field(default_factory=dict)
    workers: Mapping[str, LiveWorker] = field(default_factory=dict)
    """The workers of both colors, by the names of their Deployments."""
    objects: Mapping[Ref, Object | None] = field(default_factory=dict, repr=False, compare=False)
    """What was read: the Deployments and the objects of the route, None for one that does not exist."""

    @property
    def active(self) -> str:
        """The color of the users, or of most of them; empty if the route names none."""
        return self.traffic.active

    @property
    def test(self) -> str:
        """The color of the testers; empty if there are none."""
        return self.traffic.testers

    @property
    def serving(self) -> frozenset[str]:
        """Every color that users may get. Its pods stay as they are."""
        return self.also | ({self.active} if self.active else frozenset())

    def entry(self, color: str) -> Served | None:
        """A color with the pod template that it runs now, or None for none."""
        present = self.colors.get(color)
        return Served(color, present.template if present else "") if color else None

    @property
    def users(self) -> str:
        """Where users stay if nothing is written, in words."""
        if self.foreign:
            return f"users stay where they are: {self.foreign}"
        return f"users stay on {self.active or 'no color'}"


def is_of_app(app: str, deployment: Object) -> bool:
    """Whether a Deployment is that of a color of `app`: by its label of the program, or by its name or its label `app`.

    On a Deployment from a manifest `app` is a label of the team, and may be the name of another application. That of a worker
    is not that of a color.
    """
    labels = as_mapping(value_at(deployment, "metadata", "labels"))
    if metadata.WORKER_OF in labels:
        return False
    if metadata.APP in labels:
        return bool(labels[metadata.APP] == app)
    return bool(labels.get("app") == app or value_at(deployment, "metadata", "name") == f"{app}-{labels.get('color')}")


def live_colors(app: str, deployments: Iterable[Object]) -> dict[str, LiveColor]:
    """Each color by its Deployment `<app>-<color>`, or, without one, by another that has its labels.

    Deployments that are being deleted are left out.
    """
    found: dict[str, Object] = {}
    for deployment in deployments:
        color, name = value_at(deployment, "metadata", "labels", "color"), value_at(deployment, "metadata", "name")
        if isinstance(color, str) and not is_terminating(deployment) and (color not in found or name == f"{app}-{color}"):
            found[color] = deployment
    return {color: live_color(deployment) for color, deployment in found.items()}


def live_workers(app: str, deployments: Iterable[Object]) -> dict[str, LiveWorker]:
    """The workers of `app` by the names of their Deployments. Those that are being deleted are left out."""
    found: dict[str, LiveWorker] = {}
    for deployment in deployments:
        labels, read = as_mapping(value_at(deployment, "metadata", "labels")), live_color(deployment)
        if labels.get(metadata.WORKER_OF) == app and not is_terminating(deployment):
            found[str(value_at(deployment, "metadata", "name"))] = LiveWorker(
                name=as_text(labels.get(metadata.WORKER)),
                color=as_text(labels.get("color")),
                replicas=read.replicas,
                ready=read.ready,
                generation=read.generation,
            )
    return found


def live_color(deployment: Object) -> LiveColor:
    """Reads a Deployment as a color. What it does not say counts as not ready."""
    status = {name: _number(deployment, 0, "status", name) for name in _COUNTS}
    wanted = _number(deployment, 1, "spec", "replicas")
    generation = _number(deployment, 0, "metadata", "generation")
    seen = status["observedGeneration"] >= generation
    container = main_container(deployment)
    field = ("f:spec", "f:template", "f:spec", "f:containers", f'k:{{"name":{json.dumps(container.get("name"))}}}', "f:image")
    # A pod that is younger than minReadySeconds is ready, and not available yet.
    ready = status["availableReplicas" if _number(deployment, 0, "spec", "minReadySeconds") > 0 else "readyReplicas"]
    return LiveColor(
        image=str(container.get("image") or ""),
        asked=annotation(deployment, metadata.IMAGE) if is_own(deployment, *field) else "",
        template=annotation(deployment, metadata.TEMPLATE),
        release=annotation(deployment, metadata.RELEASE),
        owner=annotation(deployment, metadata.OWNER),
        uid=str(value_at(deployment, "metadata", "uid") or ""),
        migration=annotation(deployment, metadata.MIGRATION),
        replicas=wanted,
        # After a scaling down there may be more of them, which are about to stop.
        ready=min(ready, wanted),
        generation=generation,
        labels=_labels(deployment),
        is_settled=seen and status["updatedReplicas"] == status["replicas"] == wanted,
    )


def _labels(deployment: Object) -> dict[str, str]:
    """The label of the application: pods from a manifest have one of the program, other pods have `app`."""
    found = as_mapping(value_at(deployment, "spec", "template", "metadata", "labels"))
    name = metadata.APP if metadata.APP in found else "app"
    return {name: as_text(found[name])} if name in found else {}


_COUNTS = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def _number(item: Object, default: int, *path: str) -> int:
    found = as_number(value_at(item, *path))
    return default if found is None else found


def main_container(deployment: Object) -> Object:
    """The container of the application: the Deployment names it, or it has the name of the app. Others may come before it.

    Without one of that name it is the first, as in a Deployment that others have made; an empty object without any.
    """
    listed = as_items(value_at(deployment, "spec", "template", "spec", "containers"))
    containers = [container for container in listed if container]
    name = annotation(deployment, metadata.CONTAINER) or value_at(deployment, "metadata", "labels", "app")
    first: Object = containers[0] if containers else {}
    return next((container for container in containers if container.get("name") == name), first)
