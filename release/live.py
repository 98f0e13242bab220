"""What the cluster serves now: the one place that reads it.

Nothing here writes and nothing decides. One `Cluster` keeps its connection, so a second look is cheap.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from release import marks
from release.drift import is_own
from release.image import Image
from release.routing import LAYERS
from release.routing.base import Object as Object
from release.routing.base import Ref
from release.served import Served

if TYPE_CHECKING:
    from datetime import datetime

    from release.client import Client

T = TypeVar("T")


class LiveError(Exception):
    """The cluster cannot be read. The message says what was asked of which cluster, and why it failed."""


@dataclass(frozen=True, kw_only=True)
class LiveColor:
    """The Deployment of one color as it is now.

    `image` is the one that runs. `asked` is the one that the program asked for, if `image` is what an admission controller made
    of it; it is empty if somebody else has written the image since.

    `owner`, `template`, `release`, `uid` and `migration` (a Job that had succeeded when it was written) are empty when it does
    not say. `is_settled` is true when the cluster has processed the newest template and no pod of an older one is left.
    `is_autoscaled` is known only after `Cluster.with_autoscalers`.
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
    def is_rewritten(self) -> bool:
        """Whether an admission controller has written another name of the image than the program."""
        return self.asked not in ("", self.image)

    @property
    def called(self) -> str:
        """The image by the name that the program asked for, with the digest that runs."""
        if not self.asked or Image.parse(self.image).pins(Image.parse(self.asked)):
            return self.image
        return str(replace(Image.parse(self.asked), digest=Image.parse(self.image).digest))


@dataclass(frozen=True, kw_only=True)
class Live:
    """What serves now.

    `active` is the color of the users (of most of them, if they are split) and `test` that of the testers; each is empty if the
    route names none. `also` are the other colors that users may get: those of a split, or every deployed color if the route
    does not say who is served. `foreign` says what in the route this program did not write, if it decides about users.
    `route_owner` is None without a route.
    """

    active: str = ""
    test: str = ""
    also: frozenset[str] = frozenset()
    foreign: str = ""
    route_owner: str | None = None
    route_uid: str = ""
    colors: Mapping[str, LiveColor] = field(default_factory=dict)
    objects: Mapping[Ref, Object | None] = field(default_factory=dict, repr=False, compare=False)
    """What was read: the Deployments and the objects of the route, None for one that does not exist."""

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


class Cluster:
    """The objects of one app in one namespace.

    `context` is a context of the kubeconfig, empty for the current one. Connects and logs in on first use, once for all
    threads. Every method raises `LiveError` when the cluster does not respond, or refuses.
    """

    def __init__(self, *, context: str, namespace: str, app: str, routing: str) -> None:
        self._context = context
        self._namespace = namespace
        self._app = app
        self._layer = LAYERS[routing]
        self._connecting = Lock()
        self._client: Client | None = None

    def live(self) -> Live:
        """Who serves whom, and the Deployments of all colors but those that are being deleted."""
        found = self.find("apps/v1", "Deployment", app=self._app, color=None)
        colors = live_colors(self._app, found)
        route = self.route()
        roles = self._layer.read(self._app, route)
        deployed = frozenset(colors)
        return Live(
            active=roles.active,
            test=roles.test,
            also=(deployed if roles.served is None else roles.served & deployed) - {roles.active},
            foreign=roles.foreign,
            route_owner=None if route[0] is None else annotation(route[0], marks.OWNER),
            route_uid=str(value_at(route[0], "metadata", "uid") or ""),
            colors=colors,
            objects=dict(zip(self._layer.objects(self._app), route, strict=True))
            | {Ref("apps/v1", "Deployment", str(value_at(each, "metadata", "name"))): each for each in found},
        )

    def place(self) -> str:
        """The context and the address of the API server that everything is read from, in words."""
        return self._read("use the kubeconfig", lambda client: client.place)

    def route(self) -> list[Object | None]:
        """The objects of the route, the users' first, None for each that does not exist."""
        return [self.get(*ref) for ref in self._layer.objects(self._app)]

    def with_autoscalers(self, live: Live) -> Live:
        """`live` with the colors marked that have an autoscaler of their stack; none without the right to get autoscalers."""
        marked = {name: replace(color, is_autoscaled=self._has_autoscaler(name, color)) for name, color in live.colors.items()}
        return replace(live, colors=marked)

    def _has_autoscaler(self, name: str, color: LiveColor) -> bool:
        try:
            found = self.get("autoscaling/v2", "HorizontalPodAutoscaler", f"{self._app}-{name}")
        except LiveError:
            return False
        return found is not None and annotation(found, marks.OWNER) == color.owner

    def parts(self) -> dict[Ref, Object | None]:
        """The other objects without which the route leads nowhere, None for each that does not exist.

        Those that may not be read are left out: an update needs no right to read what it does not change.
        """
        found: dict[Ref, Object | None] = {}
        for ref in self._layer.parts(self._app):
            with contextlib.suppress(LiveError):
                found[ref] = self.get(*ref)
        return found

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        """One object, or None when it does not exist. A kind that the cluster does not have is a `LiveError`."""
        return self._read(f"read {kind} {name}", lambda client: client.get(api_version, kind, name))

    def find(self, api_version: str, kind: str, /, **labels: str | None) -> list[Object]:
        """The objects with these labels; a label that is None may have any value."""
        selector = ",".join(name if value is None else f"{name}={value}" for name, value in labels.items())
        return self._read(f"list objects of kind {kind}", lambda client: client.find(api_version, kind, labelSelector=selector))

    def replica_sets(self, deployment: Object) -> list[Object]:
        """The ReplicaSets of the pod template that a Deployment asks for: none of an older template.

        The annotation identifies them: the cluster copies it from a Deployment to the ReplicaSet that it makes for it. The
        revision does not: with Recreate it is the old one until the last old pod has gone, and a crash loop that this very
        update fixes would be taken for its failure.
        """
        asked = annotation(deployment, marks.TEMPLATE)
        found = self.find("apps/v1", "ReplicaSet", **_selected(deployment))
        return [replica_set for replica_set in found if annotation(replica_set, marks.TEMPLATE) == asked]

    def find_everywhere(self, api_version: str, kind: str) -> list[Object]:
        """The objects of a kind in all namespaces; none without the right to list them."""
        with contextlib.suppress(LiveError):
            return self._read(f"list objects of kind {kind}", lambda client: client.find_everywhere(api_version, kind))
        return []

    def pods(self, deployment: Object, replica_sets: Sequence[Object]) -> list[Object]:
        """The pods of some ReplicaSets of a Deployment, but for those that are being deleted."""
        hashes = [value_at(replica_set, "metadata", "labels", "pod-template-hash") for replica_set in replica_sets]
        labels = _selected(deployment)
        found = [pod for name in hashes if name for pod in self.find("v1", "Pod", **labels, **{"pod-template-hash": name})]
        return [pod for pod in found if not is_leaving(pod)]

    def events_of(self, name: str) -> list[Object]:
        """The events about an object, oldest first; none if they cannot be read."""
        try:
            about = f"involvedObject.name={name}"
            found = self._read("list events", lambda client: client.find("v1", "Event", fieldSelector=about))
        except LiveError:
            return []
        return sorted(found, key=lambda event: str(value_at(event, "lastTimestamp") or value_at(event, "eventTime") or ""))

    def events(self, name: str, last: int = 4) -> list[str]:
        """The `last` events about an object, oldest first, a line each; none if they cannot be read."""
        found = [(value_at(event, "reason"), value_at(event, "message")) for event in self.events_of(name)]
        return [f"{reason}: {str(message or '').strip()}" for reason, message in found[-last:]]

    def log(self, pod: str, container: str = "", last: int = 8) -> list[str]:
        """The `last` lines of a container's log; none if it never ran, or the log cannot be read.

        They are those of its present run, or of the run before if the present one has not written anything. Without a
        container it is that of a pod that has only one.
        """
        return self._log(pod, container, last, previous=False) or self._log(pod, container, last, previous=True)

    def _log(self, pod: str, container: str, last: int, *, previous: bool) -> list[str]:
        try:
            return self._read("read a log", lambda client: client.log(pod, last, container, previous=previous))
        except LiveError:
            return []

    def rights(self) -> Object:
        """The rights of the account in the namespace, as the status of a SelfSubjectRulesReview says."""
        return self._read("read the rights of the account", lambda client: client.rights())

    def now(self) -> datetime:
        """The present time of the API server (UTC, to the second). Asks for it only when nothing was read before."""
        return self._read("read the time of the API server", lambda client: client.now())

    def _read(self, what: str, read: Callable[[Client], T]) -> T:
        """What `read` returns. Only what access to a cluster can raise means that it cannot be read; a bug is a bug."""
        from release.api_error import ApiError
        from release.kubeconfig import KubeconfigError

        try:
            return read(self.client)
        except (ApiError, KubeconfigError) as error:
            context = f"context {self._context}" if self._context else "the current context"
            raise LiveError(f"Could not {what} in namespace {self._namespace} ({context}): {error}") from error

    @property
    def client(self) -> Client:
        """The connection, for the emergency path, which writes the route; nothing here writes. Raises `KubeconfigError`."""
        # Here, because the program asks for the provider first and reads what is live while that starts.
        from release.client import Client
        from release.kubeconfig import access

        with self._connecting:
            if self._client is None:
                self._client = Client(access(self._context), self._namespace)
            return self._client


def _selected(deployment: Object) -> dict[str, str]:
    """The labels by which a Deployment selects its pods. Raises `LiveError` without any: that would be all pods there are."""
    labels = value_at(deployment, "spec", "selector", "matchLabels")
    found = {str(name): str(value) for name, value in labels.items()} if isinstance(labels, Mapping) else {}
    if not found:
        raise LiveError(f"The Deployment {value_at(deployment, 'metadata', 'name')} has no selector, so its pods are not known")
    return found


def value_at(item: object, *path: str) -> Any:
    """The value at `path` of an object, or None where the path ends. Objects of others may have any shape."""
    for key in path:
        item = item.get(key) if isinstance(item, Mapping) else None
    return item


def annotation(item: Object, name: str) -> str:
    """An annotation of an object, empty when it has none of that name."""
    return str(value_at(item, "metadata", "annotations", name) or "")


def is_leaving(item: Object) -> bool:
    """Whether an object is deleted already, and only waits for what belongs to it."""
    return value_at(item, "metadata", "deletionTimestamp") is not None


def live_colors(app: str, deployments: Iterable[Object]) -> dict[str, LiveColor]:
    """Each color by its Deployment `<app>-<color>`, or, without one, by another that has its labels.

    Deployments that are being deleted are left out.
    """
    found: dict[str, Object] = {}
    for deployment in deployments:
        color, name = value_at(deployment, "metadata", "labels", "color"), value_at(deployment, "metadata", "name")
        if isinstance(color, str) and not is_leaving(deployment) and (color not in found or name == f"{app}-{color}"):
            found[color] = deployment
    return {color: live_color(deployment) for color, deployment in found.items()}


def live_color(deployment: Object) -> LiveColor:
    """Reads a Deployment as a color. What it does not say counts as not ready."""
    status = {name: _number(deployment, 0, "status", name) for name in _COUNTS}
    wanted = _number(deployment, 1, "spec", "replicas")
    seen = status["observedGeneration"] >= _number(deployment, 0, "metadata", "generation")
    container = main_container(deployment)
    field = ("f:spec", "f:template", "f:spec", "f:containers", f'k:{{"name":{json.dumps(container.get("name"))}}}', "f:image")
    return LiveColor(
        image=str(container.get("image") or ""),
        asked=annotation(deployment, marks.IMAGE) if is_own(deployment, *field) else "",
        template=annotation(deployment, marks.TEMPLATE),
        release=annotation(deployment, marks.RELEASE),
        owner=annotation(deployment, marks.OWNER),
        uid=str(value_at(deployment, "metadata", "uid") or ""),
        migration=annotation(deployment, marks.MIGRATION),
        replicas=wanted,
        ready=status["readyReplicas"],
        is_settled=seen and status["updatedReplicas"] == status["replicas"] == wanted,
    )


_COUNTS = ("observedGeneration", "replicas", "updatedReplicas", "readyReplicas")


def _number(item: Object, default: int, *path: str) -> int:
    found = value_at(item, *path)
    return found if isinstance(found, int) else default


def main_container(deployment: Object) -> Object:
    """The container of the application: it has the name of the app. An injected container may come before it.

    Without one of that name it is the first, as in a Deployment that others have made; an empty object without any.
    """
    listed = value_at(deployment, "spec", "template", "spec", "containers")
    containers = [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else []
    app = value_at(deployment, "metadata", "labels", "app")
    first: Object = containers[0] if containers else {}
    return next((container for container in containers if container.get("name") == app), first)
