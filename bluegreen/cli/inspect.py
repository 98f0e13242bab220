"""`inspect`: shows how the manifest of a team is understood, without a cluster and without the engine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click

from bluegreen.cli.options import alone
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress
from bluegreen.cli.sources import Source, Tool, source_options, taken

if TYPE_CHECKING:
    from bluegreen.release.config_reader import Problem
    from bluegreen.workload.base import Note
    from bluegreen.workload.manifest.application import Application


@click.command("inspect")
@click.argument("path", required=False, help="A file or a folder with plain YAML, as --manifest.")
@source_options
@click.option(
    "--app", default="", metavar="NAME", help="The application (bluegreen:app); by default the name of its Deployment."
)
@click.option(
    "--worker",
    "workers",
    multiple=True,
    metavar="NAME",
    help="A Deployment that <color>:worker names. Can be given several times.",
)
@alone
def command(progress: Progress, path: str | None, app: str, workers: tuple[str, ...], **arguments: Any) -> None:
    """Show how a manifest is understood: what each color gets, what both share, what is left out, and what is refused.

    Needs no stack, no config and no cluster, and writes nothing. If the manifest cannot be released, the exit status is 2.
    """
    source = taken(arguments)
    if (source is None) == (path is None):
        raise click.UsageError("Give one of PATH, --manifest, --kustomize and --helm.")
    inspect(progress, source or Source(tool=Tool.NONE, target=str(path)), app, workers)


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """What a manifest is understood as. Texts are empty and lists too where nothing could be understood."""

    app: str
    deployment: str = ""
    container: str = ""
    why: str = ""
    image: str = ""
    ports: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    notes: Sequence["Note"] = ()
    refused: Sequence["Problem"] = ()


def inspect(progress: Progress, source: Source, app: str, workers: tuple[str, ...] = ()) -> None:
    """Shows what a source is understood as. Raises `ReleaseError` if it cannot be released."""
    found = understood(source, app, workers)
    if progress.is_json:
        progress.json_line({"event": "inspected", **_fields(found)})
    else:
        print("\n".join(_lines(found)))
    if found.refused:
        count = len(found.refused)
        raise ReleaseError(
            Exit.CONFIG, f"The manifest cannot be released: {count} {'thing is' if count == 1 else 'things are'} refused."
        )


def understood(source: Source, app: str, workers: tuple[str, ...] = ()) -> Inspected:
    """What a source is understood as, for the application `app`; if that is empty, for its only Deployment beside `workers`."""
    from bluegreen.cli.prepare import prepare
    from bluegreen.release import config_keys
    from bluegreen.release.settings import ColorSettings
    from bluegreen.release.snapshot import Snapshot
    from bluegreen.workload import manifest
    from bluegreen.workload.manifest.application import understand

    prepared = prepare(source, app=app or config_keys.APP.default, namespace=config_keys.NAMESPACE.default)
    deployments = [document for document in prepared.documents if document.kind == "Deployment"]
    serving = [document for document in deployments if document.name not in workers]
    app = app or (serving[0].name if len(serving) == 1 else "")
    # The values that are in the config already are not needed: what is shown does not depend on them.
    values: dict[str, dict[str, str]] = {name: dict(found) for name, found in prepared.moved.values.items()}
    for name, key in prepared.moved.kept:
        values.setdefault(name, {})[key] = ""
    color = ColorSettings(
        app=app,
        name="blue",
        image="",
        snapshot=Snapshot(path=str(source), documents=prepared.documents),
        secret_data=values,
        workers=workers,
        namespace=next((str(namespace) for found in deployments if (namespace := found.at("metadata", "namespace"))), ""),
    )
    # There is no config here that a key could stand in.
    refused = [replace(found, key=found.key.removeprefix("blue:manifest: ")) for found in manifest.problems(color)]
    application, _ = understand(color)
    if application is None:
        return Inspected(app=app, refused=refused)
    return _of(application, app, notes=() if refused else manifest.notes(color), refused=refused)


def _of(application: "Application", app: str, notes: Sequence["Note"], refused: Sequence["Problem"]) -> Inspected:
    from bluegreen.release.objects import as_items, as_mapping

    containers = as_items(application.web.pod.get("containers"))
    ports = [(container["name"], port) for container in containers for port in as_items(container.get("ports"))]
    services = [
        (service.name, port)
        for service in application.services
        for port in as_items(as_mapping(service.object.get("spec")).get("ports"))
    ]
    return Inspected(
        app=app,
        deployment=application.web.deployment.name,
        container=str(application.web.main_container["name"]),
        why=application.web.why_main,
        image=str(application.web.main_container["image"]),
        ports=[f"{name}: {_port(port, 'containerPort')}" for name, port in ports],
        services=[f"{name}: {_port(port, 'port')} -> {port.get('targetPort', port.get('port'))}" for name, port in services],
        notes=notes,
        refused=refused,
    )


def _port(port: Mapping[str, Any], number: str) -> str:
    """A port as people write it: its number, its protocol if that is not TCP, and its name."""
    protocol = f"/{port['protocol']}" if port.get("protocol", "TCP") != "TCP" else ""
    said = [str(port[name]) for name in ("name", "appProtocol") if port.get(name)]
    return f"{port.get(number)}{protocol}" + (f" ({', '.join(said)})" if said else "")


def _fields(found: Inspected) -> dict[str, Any]:
    notes = [
        {
            "kind": str(note.kind),
            "text": note.text,
            "file": note.place.file if note.place else "",
            "line": note.place.line if note.place else 0,
        }
        for note in found.notes
    ]
    plain = {name: value for name, value in vars(found).items() if name not in ("notes", "refused")}
    return {**plain, "notes": notes, "refused": [asdict(problem) for problem in found.refused]}


def _lines(found: Inspected) -> Iterator[str]:
    if found.deployment:
        yield from _column("application", [f"{found.app}, Deployment {found.deployment}"])
        yield from _column("container", [f"{found.container}: {found.why}"])
        yield from _column("image", [found.image])
        yield from _column("ports", found.ports)
        yield from _column("Services", found.services)
    files = {note.place.file for note in found.notes if note.place}
    for kind in dict.fromkeys(note.kind for note in found.notes):
        yield f"\n{kind}:"
        yield from (f"  {_note(note, is_short=len(files) == 1)}" for note in found.notes if note.kind == kind)
    if found.refused:
        yield "\nrefused:"
        yield from (f"  {line}" for problem in found.refused for line in str(problem).splitlines())


def _note(note: "Note", *, is_short: bool) -> str:
    """A note with its place: the line alone where all notes are about one file."""
    return f"{note.text} (line {note.place.line})" if is_short and note.place else str(note)


def _column(title: str, texts: Sequence[str]) -> Iterator[str]:
    for place, text in enumerate(texts or ["none"]):
        yield f"{'' if place else title:<14}{text}"
