"""How an application that is live already comes into an environment: what each step needs, as plain functions over plain data.

The pods of the new color keep every label of the team, so the Services that select the old pods would select the new ones as
soon as they exist. Therefore the adoption goes in four steps, and users move in the second one alone:

1. `beside`: the Services select the old pods by their pod-template-hash too, and the old Deployment is paused: it would make
   pods with another hash otherwise, which no Service selects. Then the color is deployed beside it.
2. `users`: the Services select the pods of the color.
3. `own`: the Services come under the stack as they are. Nothing in the cluster changes but the annotation of their owner.
4. `finish`: `bluegreen:adopt` goes from the config, so the program writes the Services like those that it has created.

Each step before `finish` can be undone. The old Deployment belongs to the team all the time and never comes under the stack.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from bluegreen.release import metadata
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.objects import Object, Ref, annotation, as_items, as_mapping, is_terminating, value_at
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.traffic import NOBODY, Traffic
from bluegreen.release.values import InvalidValueError

HASH = "pod-template-hash"
"""The label by which the pods of one ReplicaSet differ from all others. Kubernetes writes it."""

SELECTOR_PATH = "/spec/selector"
_SELECTOR = tuple(SELECTOR_PATH.split("/")[1:])

Selector = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """The value of `bluegreen:adopt`: what served the users before this environment.

    `deployment` is its Deployment, `services` maps the names of its Services to their selectors. `is_owned` says that these
    Services come under the stack as they are.
    """

    deployment: str
    services: Mapping[str, Selector]
    is_owned: bool = False

    @property
    def config(self) -> dict[str, Any]:
        """The value as it stands in the config."""
        services = {name: dict(labels) for name, labels in self.services.items()}
        return {"deployment": self.deployment, "services": services, "step": "own" if self.is_owned else "beside"}

    def own(self, *, is_owned: bool) -> "Adoption":
        """The same adoption with other Services under the stack: all of them, or none."""
        return replace(self, is_owned=is_owned)

    @property
    def refs(self) -> list[Ref]:
        """The Services."""
        return [Ref("v1", "Service", name) for name in self.services]


def parse(text: str) -> Adoption:
    """Reads the value of `bluegreen:adopt` (JSON, as the engine passes it). Raises `InvalidValueError`."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    deployment, services, step = (value_at(value, name) for name in ("deployment", "services", "step"))
    is_known = isinstance(deployment, str) and deployment and step in ("beside", "own")
    if not is_known or not isinstance(services, Mapping) or not services or not all(map(_is_selector, services.values())):
        raise InvalidValueError(
            "what bluegreen adopt has written: an object with deployment, services and step (beside or own)",
            "Restore what bluegreen adopt has written (git checkout), or remove the key if no adoption goes on.",
        )
    return Adoption(deployment=deployment, services=services, is_owned=step == "own")


def _is_selector(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(label, str) for label in value.values())


# What is adopted


def selector_of(service: Object | None) -> Selector:
    """The labels by which a Service selects pods; empty if it selects none."""
    return as_mapping(value_at(service, *_SELECTOR))


def labels_of(deployment: Object) -> Selector:
    """The labels of the pods of a Deployment."""
    return as_mapping(value_at(deployment, "spec", "template", "metadata", "labels"))


def selecting(services: Iterable[Object], deployment: Object) -> list[Object]:
    """The Services that select the pods of a Deployment."""
    labels = labels_of(deployment)
    return [service for service in services if (wanted := selector_of(service)) and wanted.items() <= labels.items()]


def scaling(autoscalers: Iterable[Object], deployment: Object) -> list[Object]:
    """The autoscalers of a Deployment."""
    target = ("Deployment", value_at(deployment, "metadata", "name"))
    return [
        found
        for found in autoscalers
        if (value_at(found, "spec", "scaleTargetRef", "kind"), value_at(found, "spec", "scaleTargetRef", "name")) == target
    ]


def guarding(budgets: Iterable[Object], deployment: Object) -> list[Object]:
    """The disruption budgets that select the pods of a Deployment by labels."""
    labels = labels_of(deployment)
    found = ((budget, as_mapping(value_at(budget, *_SELECTOR, "matchLabels"))) for budget in budgets)
    return [budget for budget, wanted in found if wanted and wanted.items() <= labels.items()]


def ready(pods: Iterable[Object]) -> int:
    """How many of `pods` are ready."""
    conditions = [as_items(value_at(pod, "status", "conditions")) for pod in pods if not is_terminating(pod)]
    return sum(any(found.get("type") == "Ready" and found.get("status") == "True" for found in listed) for listed in conditions)


def own_labels(deployment: Object) -> dict[str, str]:
    """The labels by which a Deployment finds its pods and ReplicaSets."""
    labels = as_mapping(value_at(deployment, *_SELECTOR, "matchLabels"))
    return {str(name): str(value) for name, value in labels.items()}


def pod_template_hash(deployment: Object, replica_sets: Iterable[Object]) -> str:
    """The hash of the old pods; empty as long as pods of several templates are there, or as none are."""
    present = [
        found for found in replica_sets if _is_owned(found, {_uid(deployment)}) and value_at(found, "status", "replicas")
    ]
    return str(value_at(present[0], "metadata", "labels", HASH) or "") if len(present) == 1 and is_processed(deployment) else ""


def is_processed(deployment: Object) -> bool:
    """Whether Kubernetes has processed the newest change of a Deployment."""
    seen, newest = value_at(deployment, "status", "observedGeneration"), value_at(deployment, "metadata", "generation")
    return bool(seen and newest and seen >= newest)


def narrowed(labels: Selector, pods: str) -> Selector:
    """The selector for pods with this pod-template-hash alone."""
    return {**labels, HASH: pods}


# Where an adoption stands


class Stage(IntEnum):
    """How far an adoption has come, by what is live."""

    WRITTEN = 0
    BEGUN = 1
    """Some of `beside` is done, or all of it."""
    MOVED = 2
    """Users are on the color, all or some: a step that ended early is made again."""
    OWNED = 3


def stage(
    adoption: Adoption, services: Mapping[str, Object | None], color: LiveColor | None, ours: Sequence[Selector]
) -> Stage:
    """How far an adoption has come. `services` are the live Services by name, `ours` the selectors of the color's pods."""
    if adoption.is_owned:
        return Stage.OWNED
    live = {name: selector_of(service) for name, service in services.items()}
    if any(labels in ours for labels in live.values()):
        return Stage.MOVED
    return Stage.BEGUN if color or live != dict(adoption.services) else Stage.WRITTEN


def seen(live: Live, adoption: Adoption, color: str, ours: Sequence[Selector], owner: str) -> Live:
    """`live` as the rules are to see it during an adoption: users are on the color, or where the rules have no say.

    The Services belong to nobody yet, or to `owner`. A route of another stack stays what it is.
    """
    if live.route_owner not in (None, "", owner):
        return live
    found = [live.objects.get(ref) for ref in adoption.refs]
    is_moved = any(selector_of(service) in ours for service in found)
    return replace(
        live,
        traffic=Traffic.to(color) if is_moved else NOBODY,
        also=frozenset(),
        foreign="",
        route_owner=live.route_owner or None,
    )


# What is refused


@dataclass(frozen=True, kw_only=True)
class _Tool:
    """A tool that knows its objects by annotations or labels with one of `prefixes`."""

    name: str
    prefixes: tuple[str, ...]
    release: str


_RESTORES = "It would put back what the stack writes, or delete the object."
_TOOLS = (
    _Tool(
        name="Flux",
        prefixes=("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/"),
        release="Set the annotation kustomize.toolkit.fluxcd.io/prune=disabled (in a chart: helm.sh/resource-policy=keep) on "
        "it in git, let Flux apply that, and remove it from the sources of Flux",
    ),
    _Tool(
        name="Helm",
        prefixes=("meta.helm.sh/",),
        release="Set the annotation helm.sh/resource-policy=keep on it in the chart and upgrade, then remove it from the "
        "chart and upgrade again",
    ),
    _Tool(
        name="Argo CD",
        prefixes=("argocd.argoproj.io/",),
        release="Set the annotation argocd.argoproj.io/sync-options=Prune=false on it in git and sync, then remove it from "
        "git and sync again",
    ),
    _Tool(
        name="another Pulumi stack",
        prefixes=("pulumi.com/", metadata.OWNER),
        release="Take it out of the state of that stack without deleting it (pulumi state delete <urn>), and remove it from "
        "its program",
    ),
)


def marked(ref: Ref, item: Object, owner: str) -> Iterator[Refusal]:
    """Refuses to take an object that carries the marks of another tool, or of another stack than `owner`."""
    whose = annotation(item, metadata.OWNER)
    if whose and whose == owner:
        return
    marks = {group: sorted(as_mapping(value_at(item, "metadata", group))) for group in ("annotations", "labels")}
    for tool in _TOOLS:
        found = {group: [name for name in names if name.startswith(tool.prefixes)] for group, names in marks.items()}
        if tool.name == "Helm" and value_at(item, "metadata", "labels", metadata.MANAGED_BY) == "Helm":
            found["labels"].append(metadata.MANAGED_BY)
        if any(found.values()):
            stack = f" ({whose})" if whose else ""
            listed = " and ".join(f"{group[:-1]} {name}" for group, names in found.items() for name in names)
            yield Refusal(
                rule=Rule.ONE_OWNER,
                asked=f"to adopt {ref}",
                live=f"it belongs to {tool.name}{stack}: it has the {listed}",
                remedy=f"{_RESTORES} {tool.release}. Then remove the marks: {_removal(ref, found)}",
            )
            return


def _removal(ref: Ref, marks: Mapping[str, Sequence[str]]) -> str:
    verbs = {"annotations": "annotate", "labels": "label"}
    return " && ".join(
        f"kubectl {verbs[group]} {ref.kind.lower()} {ref.name} {' '.join(f'{name}-' for name in names)}"
        for group, names in marks.items()
        if names
    )


def ended(adoption: Adoption, services: Mapping[str, Object | None], owner: str) -> Iterator[Refusal]:
    """Refuses an adoption that has ended: without a route in the program, the stack would delete the Services of the users.

    `bluegreen:adopt` comes back when an older config file is restored.
    """
    for name, service in services.items():
        if annotation(service or {}, metadata.OWNER) == owner and value_at(service, "metadata", "annotations", _WRITTEN):
            yield Refusal(
                rule=Rule.ONE_OWNER,
                asked=f"to adopt Deployment {adoption.deployment}",
                live=f"this stack has written Service {name}: the adoption has ended",
                remedy="Take bluegreen:adopt out of the config: pulumi config rm adopt",
            )


# An annotation of the provider on every object that it has written.
_WRITTEN = "pulumi.com/patchFieldManager"


def foreign_pods(pods: Iterable[Object], deployment: Object, replica_sets: Iterable[Object]) -> list[str]:
    """The names of those of `pods` that do not belong to a Deployment with these ReplicaSets."""
    own = {_uid(found) for found in replica_sets if _is_owned(found, {_uid(deployment)})}
    return [str(value_at(pod, "metadata", "name")) for pod in pods if not _is_owned(pod, own)]


def _uid(item: Object) -> object:
    return value_at(item, "metadata", "uid")


def _is_owned(item: Object, uids: set[object]) -> bool:
    """Whether one of the objects `uids` owns an object."""
    return any(owner.get("uid") in uids for owner in as_items(value_at(item, "metadata", "ownerReferences")))


def users_to(color: str, target: LiveColor | None, reached: int, old: LiveColor) -> Iterator[Refusal]:
    """Refuses to move users to a color that is not ready, or has less room than the old pods.

    `reached` is the number of its ready pods that the new selector of the Services selects.
    """
    asked = f"users from the old pods to {color}"
    if target is None or not target.is_ready:
        state = f"{target.ready} of {target.replicas} pods of {color} are ready" if target else f"{color} is not deployed"
        remedy = f"Wait until {color} is ready, or fix it; users stay where they are."
        yield Refusal(rule=Rule.READY, asked=asked, live=state, remedy=remedy)
    elif reached < max(old.ready, 1):
        yield Refusal(
            rule=Rule.ROOM,
            asked=asked,
            live=f"{reached} ready pods of {color} would serve the users, and {old.ready} ready pods serve them now",
            remedy=f"Scale {color} first: pulumi config set {color}:replicas {old.ready} && bluegreen up",
        )


def users_back(old: LiveColor | None, name: str) -> Iterator[Refusal]:
    """Refuses to move users back to pods of which none is ready."""
    if old is None or not old.ready:
        yield Refusal(
            rule=Rule.READY,
            asked="users back to the old pods",
            live=f"0 of {old.replicas} pods of Deployment {name} are ready" if old else f"Deployment {name} does not exist",
            remedy=f"Bring Deployment {name} up again, or stay.",
        )
