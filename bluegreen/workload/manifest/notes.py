"""What a person should know about a snapshot: how it was understood, what was rewritten, shared and left out, and warnings."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.release.image import Image
from bluegreen.release.objects import as_items, as_mapping, grace_seconds, value_at
from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot import Document, FieldPath
from bluegreen.workload.base import Note, NoteKind
from bluegreen.workload.manifest import colored, overrides, values
from bluegreen.workload.manifest.application import POD, Application, Pods
from bluegreen.workload.manifest.labels import divide_by_color, stripped
from bluegreen.workload.manifest.shapes import without_nulls

_MIGRATES = re.compile(r"migrat|flyway|liquibase|alembic", re.IGNORECASE)


def notes(color: ColorSettings, application: Application) -> Iterator[Note]:
    """Everything about the snapshot of a color, in the order of its kinds."""
    yield from _understood(color, application)
    yield from _rewritten(color, application)
    yield from _shared(application)
    yield from _left_out(application)
    yield from _warnings(color, application)


def _note(kind: NoteKind, text: str, document: Document, path: FieldPath = ()) -> Note:
    return Note(kind=kind, text=text, place=document.place(path))


def _understood(color: ColorSettings, application: Application) -> Iterator[Note]:
    web = application.web
    yield _note(NoteKind.UNDERSTOOD, f"{web.deployment} is the application {color.app}", web.deployment)
    for worker in application.workers:
        text = f"{worker.deployment} is a worker: it has pods only while {color.name} is active"
        yield _note(NoteKind.UNDERSTOOD, text, worker.deployment)
    path = (*POD, "containers", web.main)
    name = web.main_container["name"]
    yield _note(NoteKind.UNDERSTOOD, f"Container {name} is the main one: {web.why_main}", web.deployment, path)
    if probe := _readiness(web.main_container):
        yield _note(NoteKind.UNDERSTOOD, f"Container {name} is ready by {probe}", web.deployment, (*path, "readinessProbe"))
    users = application.services[0]
    yield _note(NoteKind.UNDERSTOOD, f"Users reach {users} at port {application.users_port}", users)


def _readiness(container: Mapping[str, Any]) -> str:
    probe = as_mapping(container.get("readinessProbe"))
    if http := as_mapping(probe.get("httpGet")):
        return f"HTTP {http.get('path', '/')} on port {http.get('port')}"
    if grpc := as_mapping(probe.get("grpc")):
        return f"gRPC health on port {grpc.get('port')}"
    if tcp := as_mapping(probe.get("tcpSocket")):
        return f"a TCP connection to port {tcp.get('port')}"
    return "a command" if probe.get("exec") else ""


def _rewritten(color: ColorSettings, application: Application) -> Iterator[Note]:
    for pods in application.all_pods:
        yield from _rewritten_pods(color, application, pods)
    for document in application.values.values():
        text = f"{document} is written as {values.name_in_color(color, document)}, and references to it lead there"
        yield _note(NoteKind.REWRITTEN, text, document)
    yield from _rewritten_end(color, application.web)
    kept = [*(pods.deployment for pods in application.all_pods), *application.services, *application.values.values()]
    for document in kept:
        if names := stripped(document.object):
            yield _note(NoteKind.REWRITTEN, f"{document} is written without {', '.join(names)}", document, ("metadata",))


def _rewritten_pods(color: ColorSettings, application: Application, pods: Pods) -> Iterator[Note]:
    deployment, name = pods.deployment, colored.name_in_color(color, pods)
    yield _note(NoteKind.REWRITTEN, f"{deployment} is written as {name}", deployment, ("metadata", "name"))
    text = f"The selector of {name} is {', '.join(colored.selector_of_pods(color, pods))}; the pods have these labels too"
    yield _note(NoteKind.REWRITTEN, text, deployment, ("spec", "selector"))
    labels = colored.labels_of_pods(color, pods)
    for path in divide_by_color(without_nulls(pods.pod), labels, pods.own_labels, color.name):
        yield _note(NoteKind.REWRITTEN, f"The label selector in {path} leaves out the pods of the other color", deployment, POD)
    yield from _rewritten_images(color, application, pods)
    for document in filter(None, (pods.autoscaler, pods.budget)):
        yield _note(NoteKind.REWRITTEN, f"{document} is written as {name}, for the pods of {color.name}", document)


def _rewritten_end(color: ColorSettings, web: Pods) -> Iterator[Note]:
    """How pods that serve users end."""
    for position, container in enumerate(as_items(web.pod["containers"])):
        if not value_at(container, "lifecycle", "preStop"):
            text = f"Container {container['name']} sleeps {color.drain_seconds} s before it stops: it has no preStop of its own"
            yield _note(NoteKind.REWRITTEN, text, web.deployment, (*POD, "containers", position))
    if grace_seconds(web.pod) < (needed := color.drain_seconds + color.shutdown_seconds):
        text = f"terminationGracePeriodSeconds is {needed}: drainSeconds and shutdownSeconds"
        yield _note(NoteKind.REWRITTEN, text, web.deployment, (*POD, "terminationGracePeriodSeconds"))


def _rewritten_images(color: ColorSettings, application: Application, pods: Pods) -> Iterator[Note]:
    repository = Image.parse(application.web.main_container["image"]).repository
    for group, position, container in _containers(pods):
        image = Image.parse(container["image"])
        if image.is_of(repository) and (new := overrides.with_tag(color, str(image))) != str(image):
            text = f"The image of container {container['name']} is {new}, as {color.name}:imageTag says"
            yield _note(NoteKind.REWRITTEN, text, pods.deployment, (*POD, group, position, "image"))


def _containers(pods: Pods) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    for group in ("initContainers", "containers"):
        for position, container in enumerate(as_items(pods.pod.get(group))):
            yield group, position, container


def _shared(application: Application) -> Iterator[Note]:
    for service in application.services:
        yield _note(NoteKind.SHARED, f"{service} leads to the active color; its ports stay as written", service)
    outside: dict[tuple[str, str], tuple[Document, FieldPath]] = {}
    for pods in application.all_pods:
        for ref, path in _outside(application, pods):
            outside.setdefault(ref, (pods.deployment, path))
    for (kind, name), (deployment, path) in outside.items():
        yield _note(NoteKind.SHARED, f"Both colors use {kind} {name}, which is not written by this program", deployment, path)


def _outside(application: Application, pods: Pods) -> Iterator[tuple[tuple[str, str], FieldPath]]:
    """The objects that pods refer to and that are not the color's own, with the path of the reference."""
    for reference in pods.references:
        if (ref := (reference.kind, reference.name)) not in application.values:
            yield ref, (*POD, *reference.path)
    for position, volume in enumerate(as_items(pods.pod.get("volumes"))):
        if claim := value_at(volume, "persistentVolumeClaim", "claimName"):
            yield ("PersistentVolumeClaim", claim), (*POD, "volumes", position)
    if account := pods.pod.get("serviceAccountName"):
        yield ("ServiceAccount", account), (*POD, "serviceAccountName")


def _left_out(application: Application) -> Iterator[Note]:
    for document in application.left_out:
        why = "no pod refers to it" if document.kind in ("ConfigMap", "Secret") else "it is there once, for both colors"
        yield _note(NoteKind.LEFT_OUT, f"{document} is left out: {why}; apply it as before", document)


def _warnings(color: ColorSettings, application: Application) -> Iterator[Note]:
    web = application.web
    if not web.main_container.get("readinessProbe"):
        text = f"Container {web.main_container['name']} has no readiness probe: its pods count as ready as soon as they run"
        yield _note(NoteKind.WARNING, text, web.deployment, (*POD, "containers", web.main))
    for pods in application.all_pods:
        for group, position, container in _containers(pods):
            where = (*POD, group, position)
            if why := _root(pods.pod, container):
                yield _note(NoteKind.WARNING, f"Container {container['name']} {why}", pods.deployment, where)
            if group == "initContainers" and _looks_like_a_migration(container):
                text = (
                    f"Init container {container['name']} looks like a migration: it runs for each pod, also of the idle color."
                )
                text += f" {color.name}:migrate runs one once for each image"
                yield _note(NoteKind.WARNING, text, pods.deployment, where)
            yield from _repeated_names(pods.deployment, container, where)
    yield from _warnings_of_claims(application)
    for name in values.unused(color, application):
        yield Note(kind=NoteKind.WARNING, text=f"{name} is set, and no Secret of the snapshot refers to it")


def _root(pod: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    """Why a container has the rights of root, or may have them, in words; empty if it cannot."""
    both = (as_mapping(item.get("securityContext")) for item in (pod, container))
    context = {name: value for found in both for name, value in found.items() if value is not None}
    if context.get("privileged"):
        return "is privileged"
    if context.get("runAsUser") == 0:
        return "runs as root: runAsUser is 0"
    is_safe = context.get("runAsNonRoot") or context.get("runAsUser")
    return "" if is_safe else "may run as root: nothing sets runAsNonRoot or runAsUser"


def _looks_like_a_migration(container: Mapping[str, Any]) -> bool:
    said = [container["name"], container["image"], *(container.get("command") or []), *(container.get("args") or [])]
    return container.get("restartPolicy") != "Always" and any(_MIGRATES.search(str(text)) for text in said)


def _repeated_names(deployment: Document, container: Mapping[str, Any], where: FieldPath) -> Iterator[Note]:
    for position, variable in enumerate(as_items(container.get("env"))):
        if variable.get("value") == deployment.name:
            text = f"Variable {variable.get('name')} has the name of the Deployment, {deployment.name}, in both colors"
            yield _note(NoteKind.WARNING, text, deployment, (*where, "env", position))


def _warnings_of_claims(application: Application) -> Iterator[Note]:
    for pods, document, path in application.claims:
        text = "Both colors mount this claim, which is not in the manifest: more than one node must be able to mount it"
        if document:
            text = f"Both colors mount {document} ({', '.join(document.at('spec', 'accessModes') or [])})"
        yield _note(NoteKind.WARNING, text, pods.deployment, path)
