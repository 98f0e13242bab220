"""Makes the new snapshot of a color of what a team has, and deploys it.

The objects are checked as the program will check them, before anything is written: an error names the line of the source. Then
the snapshot, the encrypted values of its Secrets and the config that names it are written together, and taken back together if
nothing comes of the update.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bluegreen.cli import config_changes, project
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.prepare import Prepared, prepare
from bluegreen.cli.secret_data import SecretStore
from bluegreen.cli.session import Session
from bluegreen.cli.sources import Source
from bluegreen.cli.up import up
from bluegreen.release.about import About
from bluegreen.release.image import Image
from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot import Document, Snapshot
from bluegreen.release.snapshot_file import text_of, with_image
from bluegreen.workload.manifest.application import understand

FOLDER = "manifests"

# A value that is shorter may well be a word of the manifest that is no secret.
_SHORTEST_SECRET = 8


def deploy_manifest(session: Session, *, source: Source, color: str, image: str | None, release: str | None) -> None:
    """Gives a color the manifest that `source` leads to, and returns when its pods are ready."""
    if session.is_from_state:
        raise ReleaseError(
            Exit.CONFIG,
            "--from-state does not write the project, and a snapshot must be in the project when the next update runs.\n"
            "Nothing was changed.\n  next: deploy a manifest without --from-state, and commit what it writes.",
        )
    selection = session.selection
    place = selection.place()
    prepared = prepare(source, app=place.service.name, namespace=place.namespace)
    file = snapshot_file(selection.stack, color)
    path = str(file.relative_to(project.ROOT))
    store = SecretStore(stack=selection.stack, file=selection.config_file)
    tag = None if image is None or _is_whole(image) else image
    changes = config_changes.deploy_manifest(color, path, tag, release, store.secret_data(color, prepared.moved))
    settings = selection.changed(changes, {path: Snapshot(path=str(source), documents=prepared.documents)})
    documents, changes[f"{color}:imageTag"] = _with_image(settings.service.colors[color], image)
    text = text_of(document.object for document in documents)
    for what in _warnings(file, text, prepared):
        session.progress.event("warning", what, message=what)
    up(session, About(verb="deploy", color=color), changes, {file: text})
    session.progress.line(f"next: commit {path} with {selection.config_file.name}")


def snapshot_file(stack: str, color: str) -> Path:
    """Where the snapshot of a color is: beside the config file of its stack, in a folder of its own."""
    beside = project.stack_files().resolve()
    folder = beside if beside.is_relative_to(project.ROOT) else project.ROOT
    return folder / FOLDER / stack.rpartition("/")[2] / f"{color}.yaml"


def _with_image(color: ColorSettings, image: str | None) -> tuple[tuple[Document, ...], str | None]:
    """The documents with `image`, if it is a whole one, and the `imageTag`, which the history and roll-backs need."""
    application, _ = understand(color)
    assert color.snapshot
    assert application
    documents, present = color.snapshot.documents, str(application.web.main_container["image"])
    if image is None:
        return documents, _tag_of(present)
    if not _is_whole(image):
        return documents, image
    objects = with_image([document.object for document in documents], present, image)
    changed = tuple(replace(document, object=item) for document, item in zip(documents, objects, strict=True))
    return changed, _tag_of(image)


def _is_whole(image: str) -> bool:
    """Whether a text names an image, and not only a tag or a digest."""
    return not image.startswith("sha256:") and any(separator in image for separator in "/:@")


def _tag_of(image: str) -> str | None:
    return Image.parse(image).tag_or_digest or None


def _warnings(file: Path, text: str, prepared: Prepared) -> Iterator[str]:
    """What a person should look at before the snapshot is committed. No value of a Secret is shown."""
    for left_out in prepared.left_out:
        yield f"{left_out} is a test of the chart and was left out."
    lines = text.splitlines()
    for name, values in prepared.moved.values.items():
        for key, value in values.items():
            if len(value) >= _SHORTEST_SECRET and (place := next((n for n, line in enumerate(lines, 1) if value in line), 0)):
                yield f"{file.name}:{place} has the value of {key} of Secret {name} in plain text. Refer to the Secret there."
