"""Makes plain objects of what a team has: a manifest, a kustomization (`kubectl kustomize`) or a chart (`helm template`).

Rendering reaches no cluster. What it prints may hold values of Secrets, so it stays in memory.
"""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.sources import Source, Tool
from bluegreen.release.helm import is_test
from bluegreen.release.snapshot import Document, SnapshotError, files_of, read_text

# A chart or a base may be downloaded first.
LONGEST_SECONDS = 120

# No line of an error of kubectl or helm is longer in what a person needs of it.
_MOST_LINES = 15


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The objects of a source, and the test pods of a chart that were left out, by kind and name."""

    documents: tuple[Document, ...]
    left_out: tuple[str, ...] = ()


def render(source: Source, *, app: str, namespace: str) -> Rendered:
    """The objects of a source; a chart is rendered as the release `app`. Raises `ReleaseError`."""
    try:
        documents = [document for name, text in _texts(source, app, namespace) for document in read_text(name, text)]
    except SnapshotError as error:
        raise ReleaseError(Exit.CONFIG, f"The manifest cannot be used, and nothing was changed.\n\n{error}") from None
    if not documents:
        raise _unusable(source, "it has no object", "name another one")
    tests = [document for document in documents if is_test(document.object)]
    kept = [document for document in documents if document not in tests]
    return Rendered(documents=tuple(kept), left_out=tuple(map(str, tests)))


def _texts(source: Source, app: str, namespace: str) -> Iterator[tuple[str, str]]:
    """The texts to read, each with the name that errors give it."""
    if source.tool is Tool.KUSTOMIZE:
        yield f"kubectl kustomize {source.target}", _run(source, ["kubectl", "kustomize", "--", source.target])
    elif source.tool is Tool.HELM:
        values = [argument for file in source.values for argument in ("--values", str(file))]
        command = ["helm", "template", "--namespace", namespace, *values, "--", app, source.target]
        yield f"helm template {source.target}", _run(source, command)
    else:
        yield from _files(source)


def _files(source: Source) -> Iterator[tuple[str, str]]:
    path = Path(source.target)
    if not path.exists():
        raise _unusable(source, "there is no such file or folder", "correct the path")
    for name, tool in (("kustomization.yaml", Tool.KUSTOMIZE), ("Chart.yaml", Tool.HELM)):
        if path.is_dir() and (path / name).exists():
            raise _unusable(source, f"it has a {name}, so it must be rendered", f"--{tool} {source.target}")
    for file in files_of(path):
        try:
            yield str(file), file.read_bytes().decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text in UTF-8"
            raise _unusable(source, f"{file} cannot be read: {why}", "correct the file") from None


def _run(source: Source, command: Sequence[str]) -> str:
    """What the tool prints. Its own words about an error end up in ours."""
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
        )
    except FileNotFoundError:
        raise ReleaseError(
            Exit.ERROR,
            f"There is no {command[0]} on PATH, so {source} cannot be rendered, and nothing was changed.\n"
            f"  next: install {command[0]}; or render it elsewhere, and give the file with --manifest.",
        ) from None
    except subprocess.TimeoutExpired:
        raise _unusable(source, f"{command[0]} did not end in {LONGEST_SECONDS} s", "run it by hand, and see why") from None
    if ran.returncode:
        words = (ran.stderr.strip() or ran.stdout.strip()).splitlines()[-_MOST_LINES:]
        raise _unusable(source, "\n        ".join(words), f"correct it; to see it by itself: {' '.join(command)}")
    return ran.stdout


def _unusable(source: Source, why: str, fix: str) -> ReleaseError:
    return ReleaseError(Exit.CONFIG, f"{source} cannot be rendered, and nothing was changed.\n  why:  {why}\n  next: {fix}")
