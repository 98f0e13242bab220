"""The ConfigMaps and Secrets of a color: their names by content, and the values of Secrets, which are in the config."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

from bluegreen.release.config_reader import Problem
from bluegreen.release.digest import of_secret
from bluegreen.release.manifest import Manifest
from bluegreen.release.metadata import APP
from bluegreen.release.objects import as_mapping
from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot import PLACEHOLDER, Document
from bluegreen.workload.base import content_name
from bluegreen.workload.manifest.application import Application, Pods, is_kind, problem
from bluegreen.workload.manifest.labels import annotations_of_object, labels_of_object

_SECTIONS = ("data", "stringData")


def problems(color: ColorSettings, application: Application | None) -> Iterator[Problem]:
    """Values that stand in the snapshot, and values that the config lacks. No value is ever shown."""
    used = {id(document) for document in application.values.values()} if application else set()
    for document in color.snapshot.documents if color.snapshot else ():
        if is_kind(document, "Secret"):
            for section in _SECTIONS:
                # Another problem names a value that is no text.
                texts = {
                    key: value for key, value in as_mapping(document.object.get(section)).items() if isinstance(value, str)
                }
                for key, value in texts.items():
                    yield from _problems_of_value(color, document, section, key, value, is_used=id(document) in used)
    if application:
        for pods in application.all_pods:
            yield from _problems_of_keys(color, application, pods)


def _problems_of_keys(color: ColorSettings, application: Application, pods: Pods) -> Iterator[Problem]:
    """References to keys that an object of the snapshot does not have."""
    for reference in pods.references:
        found = application.values.get((reference.kind, reference.name))
        if found and reference.key and reference.key not in _keys(found):
            path = ("spec", "template", "spec", *reference.path[:-1], "key")
            allowed = f"a key of {found} ({found.place()}): {', '.join(sorted(_keys(found))) or 'it has none'}"
            fix = "Correct it, or write optional: true beside it. Without the key no container starts."
            yield problem(color, pods.deployment, path, reference.key, allowed, fix)


def _problems_of_value(
    color: ColorSettings, secret: Document, section: str, key: str, value: str, *, is_used: bool
) -> Iterator[Problem]:
    command = f"pulumi config set --secret --path '{_config_path(color, secret, key)}' <value>"
    if value != PLACEHOLDER:
        path = color.snapshot.path if color.snapshot else ""
        fix = f"bluegreen deploy {color.name} --manifest {path} moves it into the config. By hand: {command}"
        yield problem(
            color, secret, (section, key), "[secret]", f"{PLACEHOLDER}: a file that is committed holds no secret", fix
        )
        return
    given = color.secret_data.get(secret.name, {}).get(key)
    if given is None and is_used:
        encoded = ", in base64" if section == "data" else ""
        allowed = f"set{encoded}: {secret.place((section, key))} refers to it"
        yield Problem(_config_path(color, secret, key), "(not set)", allowed, f"Set it: {command}")
    elif given is not None and section == "data" and not _is_base64(given):
        allowed = f"in base64: {secret.place((section, key))} has it in data"
        yield Problem(_config_path(color, secret, key), "[secret]", allowed, "Encode it, or write the key into stringData.")


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def unused(color: ColorSettings, application: Application) -> list[str]:
    """The values in `secretData` that no Secret of the snapshot refers to, as paths in the config."""
    known = {name: _keys(document) for (kind, name), document in application.values.items() if kind == "Secret"}
    return [
        f"{color.name}:secretData{_step(name)}{_step(key)}"
        for name, values in color.secret_data.items()
        for key in values
        if key not in known.get(name, ())
    ]


def _config_path(color: ColorSettings, secret: Document, key: str) -> str:
    return f"{color.name}:secretData{_step(secret.name)}{_step(key)}"


def _step(name: str) -> str:
    """One step of a path as `pulumi config set --path` reads it."""
    return f".{name}" if re.fullmatch(r"[A-Za-z_][-A-Za-z0-9_]*", name) else f"[{json.dumps(name)}]"


def _keys(document: Document) -> set[str]:
    return {key for section in (*_SECTIONS, "binaryData") for key in as_mapping(document.object.get(section))}


def content(color: ColorSettings, document: Document) -> dict[str, Any]:
    """What a ConfigMap or a Secret holds, the values of a Secret from the config. `problems` reports those that it lacks."""
    found = {name: document.object.get(name) for name in ("type", "data", "binaryData", "stringData")}
    held: dict[str, Any] = {name: value if isinstance(value, str) else {**value} for name, value in found.items() if value}
    if document.kind == "Secret":
        given = color.secret_data.get(document.name, {})
        held |= {
            section: {key: given.get(key, PLACEHOLDER) for key in held[section]} for section in _SECTIONS if section in held
        }
    return held


def digest(color: ColorSettings, document: Document) -> str:
    """A digest of what a ConfigMap or a Secret holds. It is part of a name, so that of a Secret is expensive to guess from."""
    text = json.dumps(content(color, document), sort_keys=True)
    if document.kind == "Secret":
        return of_secret(text, f"{color.app}-{color.name}-{document.name}")
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def name_in_color(color: ColorSettings, document: Document) -> str:
    """The name of the object of `color` that is made of a ConfigMap or a Secret of the snapshot."""
    return content_name(color, document.name, digest(color, document))


def manifest(color: ColorSettings, document: Document) -> Manifest:
    """The ConfigMap or the Secret of one color."""
    metadata = as_mapping(document.object.get("metadata"))
    own = {"app": color.app, **labels_of_object(metadata), APP: color.app, "color": color.name}
    body = content(color, document)
    if document.object.get("immutable") is not None:
        body["immutable"] = document.object["immutable"]
    return Manifest(
        api_version="v1",
        kind=document.kind,
        name=name_in_color(color, document),
        body=body,
        labels=own,
        annotations=annotations_of_object(metadata),
    )
