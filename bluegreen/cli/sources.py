"""Where the manifest of a color comes from, and the options that name it. Imports nothing that renders."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import click


class Tool(StrEnum):
    """What renders a source."""

    NONE = "manifest"
    KUSTOMIZE = "kustomize"
    HELM = "helm"


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the objects of a color come from. `target` is a path, or a chart as helm names it; `values` are for helm."""

    tool: Tool
    target: str
    values: tuple[Path, ...] = ()

    def __str__(self) -> str:
        return " ".join([f"--{self.tool} {self.target}", *(f"-f {file}" for file in self.values)])


_OPTIONS = (
    click.option("--manifest", metavar="PATH", help="A file or a folder with plain YAML: the manifest of the color."),
    click.option("--kustomize", metavar="DIR", help="A kustomization, which `kubectl kustomize` renders."),
    click.option("--helm", metavar="CHART", help="A chart, which `helm template` renders with bluegreen:app as its release."),
    click.option(
        "--values",
        "-f",
        multiple=True,
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="A file with values for --helm. Can be given several times; the last one wins.",
    ),
)


def source_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Adds the options; `taken` makes a source of their values."""
    for option in reversed(_OPTIONS):
        verb = option(verb)
    return verb


def taken(arguments: dict[str, Any]) -> Source | None:
    """Takes the values of the options out of `arguments`; None if they name no source."""
    given = {tool: target for tool in Tool if (target := arguments.pop(tool.value))}
    values = arguments.pop("values")
    if len(given) > 1:
        raise click.UsageError(f"Give one of {', '.join(f'--{tool}' for tool in Tool)}, not {len(given)}.")
    if values and Tool.HELM not in given:
        raise click.UsageError("--values is for --helm.")
    for tool, target in given.items():
        return Source(tool=tool, target=target, values=values)
    return None
