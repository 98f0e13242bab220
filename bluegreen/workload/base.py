"""What a source of workloads offers to the components and to the gate, and the names that they all use."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from bluegreen.release import metadata
from bluegreen.release.config_reader import Problem
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Object
from bluegreen.release.settings import ColorSettings, SharedService
from bluegreen.release.snapshot import Place


class NoteKind(StrEnum):
    """What a note is about."""

    UNDERSTOOD = "understood"
    REWRITTEN = "rewritten"
    SHARED = "shared"
    LEFT_OUT = "left out"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True)
class Note:
    """What a source has made of a snapshot, in one sentence. `place` is the line that it is about."""

    kind: NoteKind
    text: str
    place: Place | None = None

    def __str__(self) -> str:
        return f"{self.text} ({self.place})" if self.place else self.text


class Workload(Protocol):
    """What each module of this package offers, and a module of a team's own that `bluegreen:workload` names.

    The Deployment of a color has the name `name_of`. It and its pods have the labels `labels_of`. The source decides everything
    else about the pods.
    """

    def objects(self, color: ColorSettings) -> list[Manifest]:
        """The objects of a color, in the order in which they are written.

        One of them is the Deployment. A Job is the migration of the color, if there is one. The name of a ConfigMap or a Secret
        is `values_name`, so that another value is another object: the pods that run keep theirs.
        """
        ...

    def workers(self, color: ColorSettings, *, running: bool) -> list[Manifest]:
        """The Deployments that run only while the color is active, with what belongs to them: without pods unless `running`.

        They are written after `objects`. The annotation `metadata.CONTAINER` of each Deployment names its main container.
        """
        ...

    def pod_template_hashes(self, color: ColorSettings) -> Sequence[str]:
        """What distinguishes the pods of a color from those with another image or other settings.

        A color that is deployed gets the first one. As long as it has one of them, no update changes its pod template. The
        others are those that earlier versions of the source gave to it.
        """
        ...

    def main_container(self, color: ColorSettings) -> str:
        """The name of the application's container, which decides about readiness, in the color's pods and in its migration."""
        ...

    def problems(self, color: ColorSettings) -> Iterator[Problem]:
        """What of the color's config or snapshot cannot be released. The other methods may fail while there are problems."""
        ...

    def completed(self, color: ColorSettings) -> ColorSettings:
        """The settings with what only the source knows: the image and the numbers of replicas."""
        ...

    def services(self, color: ColorSettings) -> tuple[SharedService, ...]:
        """The Services that the color shares with the other one, that of the users first."""
        ...

    def selector(self, color: ColorSettings) -> Mapping[str, str]:
        """Labels of the pods of both colors. Together with the label `color` they select the pods of one color."""
        ...

    def notes(self, color: ColorSettings) -> Sequence[Note]:
        """What was rewritten, shared and left out, and what deserves a warning."""
        ...


def name_of(color: ColorSettings) -> str:
    """The name of the color's Deployment, `<app>-<color>`."""
    return f"{color.app}-{color.name}"


def worker_name(color: ColorSettings, worker: str) -> str:
    """The name of the Deployment of a worker, `<app>-<worker>-<color>`."""
    return f"{color.app}-{worker}-{color.name}"


def labels_of(color: ColorSettings) -> dict[str, str]:
    """The labels by which the Deployment selects the color's pods. Without the tag: a selector cannot change."""
    return {"app": color.app, "color": color.name}


def pods_of(workload: Workload, color: ColorSettings) -> dict[str, str]:
    """The labels by which the pods of a color are found."""
    return {**workload.selector(color), "color": color.name}


def pods_of_workers(color: ColorSettings) -> dict[str, str]:
    """The labels by which the pods of all workers of a color are found."""
    return {metadata.WORKER_OF: color.app, "color": color.name}


def values_name(color: ColorSettings, kind: str, digest: str) -> str:
    """The name of a ConfigMap or a Secret (`kind`) of variables, by a digest of what it holds."""
    return content_name(color, "env" if kind == "ConfigMap" else "secret-env", digest)


# The lengths of a digest in a name, and of the longest name of an object.
_DIGEST = 10
_LONGEST_NAME = 253


def content_name(color: ColorSettings, name: str, digest: str) -> str:
    """The name of a color's ConfigMap or Secret by its content. A name that would be too long loses the end of `name`."""
    begin, end = f"{name_of(color)}-", f"-{digest}"
    return f"{begin}{name[: _LONGEST_NAME - len(begin) - len(end)].rstrip('-.')}{end}"


def has_values_name(color: ColorSettings, name: str) -> bool:
    """Whether `name` is one that `content_name` makes."""
    return re.fullmatch(rf"{re.escape(name_of(color))}-.+-[0-9a-f]{{{_DIGEST}}}", name) is not None


def written(workload: Workload, color: ColorSettings) -> list[Manifest]:
    """The objects of a color with the annotations by which updates recognize what is deployed."""
    manifests = workload.objects(color)
    deployed = {metadata.TEMPLATE: workload.pod_template_hashes(color)[0], metadata.IMAGE: color.image}
    if migration := _migration_name(manifests):
        deployed[metadata.MIGRATION] = migration
    deployment = next(manifest for manifest in manifests if manifest.kind == "Deployment")
    if (container := workload.main_container(color)) != deployment.labels.get("app"):
        deployed[metadata.CONTAINER] = container
    if color.release:
        deployed[metadata.RELEASE] = color.release
    added = {"Deployment": deployed}
    return [_values(_annotated(manifest, added.get(manifest.kind, {}))) for manifest in manifests]


def written_workers(workload: Workload, color: ColorSettings, *, running: bool) -> list[Manifest]:
    """The workers of a color with the annotation by which their pods are recognized."""
    manifests = workload.workers(color, running=running)
    deployed = {metadata.TEMPLATE: workload.pod_template_hashes(color)[0]} if manifests else {}
    return [_annotated(manifest, deployed if manifest.kind == "Deployment" else {}) for manifest in manifests]


def kept(color: ColorSettings, found: Object) -> Manifest:
    """A ConfigMap or a Secret that is in the cluster, as it is."""
    name = found["metadata"]["name"]
    body = {field: found[field] for field in ("data", "binaryData", "immutable") if field in found}
    # The type of a Secret cannot change. Opaque stands for none.
    body |= {"type": found["type"]} if found.get("type", "Opaque") != "Opaque" else {}
    manifest = Manifest(api_version="v1", kind=found["kind"], name=name, body=body, labels=labels_of(color))
    ignored = ("data", "stringData", *(["binaryData"] if "binaryData" in found else []))
    return _values(replace(manifest, ignored=ignored))


def migration_name(workload: Workload, color: ColorSettings) -> str:
    """The name of the Job that is the color's migration, empty without one."""
    return _migration_name(workload.objects(color))


def _migration_name(manifests: Iterable[Manifest]) -> str:
    return next((manifest.name for manifest in manifests if manifest.kind == "Job"), "")


def _values(manifest: Manifest) -> Manifest:
    """A ConfigMap or a Secret names its resource, so that it can be kept."""
    is_values = manifest.kind in ("ConfigMap", "Secret")
    return _annotated(manifest, {metadata.RESOURCE: manifest.name}) if is_values else manifest


def _annotated(manifest: Manifest, annotations: Mapping[str, str]) -> Manifest:
    return replace(manifest, annotations={**manifest.annotations, **annotations})
