"""The source of workloads `manifest`: a color is derived from its snapshot, the team's own manifest. No Pulumi, no cluster."""

from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.release.config_reader import Problem
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import as_mapping
from bluegreen.release.settings import ColorSettings, SharedService
from bluegreen.release.snapshot import Document
from bluegreen.workload.base import Note
from bluegreen.workload.manifest import colored, overrides, values
from bluegreen.workload.manifest import notes as all_notes
from bluegreen.workload.manifest.application import Application, understand
from bluegreen.workload.manifest.labels import annotations_of_object, labels_of_object
from bluegreen.workload.manifest.shapes import without_nulls


def problems(color: ColorSettings) -> Iterator[Problem]:
    """What of the snapshot, and of the config beside it, cannot be released."""
    application, found = understand(color)
    yield from found
    yield from values.problems(color, application)
    if application:
        yield from overrides.problems(color, application)


def completed(color: ColorSettings) -> ColorSettings:
    """The settings with the image and the numbers of replicas of the manifest."""
    return overrides.completed(color, _understood(color))


def objects(color: ColorSettings) -> list[Manifest]:
    """The objects of the color, derived from its snapshot."""
    application = _understood(color)
    return colored.objects(overrides.completed(color, application), application)


def pod_template_hashes(color: ColorSettings) -> tuple[str, ...]:
    """The digest of what the pods are derived from."""
    return (colored.pod_template_hash(color, _understood(color)),)


def main_container(color: ColorSettings) -> str:
    """The container that decides about readiness and images."""
    return str(_understood(color).web.main_container["name"])


def workers(color: ColorSettings, *, running: bool) -> list[Manifest]:
    """The workers of the color, after its `objects`: without pods unless they are `running`."""
    application = _understood(color)
    return colored.workers(overrides.completed(color, application), application, running=running)


def selector(color: ColorSettings) -> Mapping[str, str]:
    """The label of the pods of both colors."""
    return colored.selector(color)


def services(color: ColorSettings) -> tuple[SharedService, ...]:
    """The Services of the pods, as the team wrote them, that of the users first."""
    return tuple(_shared(document) for document in _understood(color).services)


def notes(color: ColorSettings) -> tuple[Note, ...]:
    """What was understood, rewritten, shared and left out, and warnings."""
    application = _understood(color)
    return tuple(all_notes.notes(color, application))


def _understood(color: ColorSettings) -> Application:
    application, found = understand(color)
    if not application:
        raise ValueError("\n\n".join(map(str, found)))
    return application


# What the cluster has assigned to a Service. `None` as clusterIP is the team's.
_ASSIGNED = ("clusterIP", "clusterIPs", "healthCheckNodePort", "ipFamilies")


def _shared(document: Document) -> SharedService:
    written: dict[str, Any] = without_nulls(document.object)
    spec = {name: value for name, value in written["spec"].items() if name != "selector" and name not in _ASSIGNED}
    if as_mapping(written["spec"]).get("clusterIP") == "None":
        spec["clusterIP"] = "None"
    metadata = written["metadata"]
    return SharedService(
        name=document.name, spec=spec, labels=labels_of_object(metadata), annotations=annotations_of_object(metadata)
    )
