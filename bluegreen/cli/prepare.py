"""Brings what a team has into the form of a snapshot: rendered, without what clusters and tools have added, without secrets."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.render import render
from bluegreen.cli.sources import Source
from bluegreen.release.kustomize import name_without_digest
from bluegreen.release.objects import as_mapping, value_at
from bluegreen.release.snapshot import Document
from bluegreen.release.snapshot_file import Moved, SecretValueError, cleaned, without_secret_values
from bluegreen.workload.manifest.references import renamed


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """The objects of a source, ready to be written as a snapshot."""

    documents: tuple[Document, ...]
    moved: Moved
    left_out: tuple[str, ...]


def prepare(source: Source, *, app: str, namespace: str) -> Prepared:
    """Renders a source and brings its objects into the form of a snapshot. Raises `ReleaseError`."""
    rendered = render(source, app=app, namespace=namespace)
    documents = _without_digests([replace(document, object=cleaned(document.object)) for document in rendered.documents])
    try:
        moved = without_secret_values([document.object for document in documents])
    except SecretValueError as error:
        raise ReleaseError(Exit.CONFIG, f"{source} cannot be used, and nothing was changed.\n  why:  {error}") from None
    documents = [replace(document, object=item) for document, item in zip(documents, moved.objects, strict=True)]
    return Prepared(documents=tuple(documents), moved=moved, left_out=rendered.left_out)


def _without_digests(documents: Sequence[Document]) -> list[Document]:
    """The documents without the digests of kustomize in names, and in what refers to these names."""
    names = {(found.kind, found.name): name_without_digest(found.object) for found in documents}
    objects = [deepcopy(dict(document.object)) for document in documents]
    for item, document in zip(objects, documents, strict=True):
        item["metadata"] = {**item["metadata"], "name": names[document.kind, document.name]}
        if document.kind == "Deployment":
            pod = as_mapping(value_at(item, "spec", "template", "spec"))
            renamed(pod, lambda kind, name: names.get((kind, name), name))
    return [replace(document, object=item) for document, item in zip(documents, objects, strict=True)]
