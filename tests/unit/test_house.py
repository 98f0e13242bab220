"""Only a routing layer knows its own name, its kinds, and the names of its objects."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bluegreen.routing import BUILT_IN, istio
from tests.unit.program import ROOT

SOURCES = [
    file
    for folder in ("bluegreen", "components", "dev/demo", ".")
    for file in sorted((ROOT / folder).glob("*.py" if folder == "." else "**/*.py"))
    if ROOT / "bluegreen" / "routing" not in file.parents
]

KINDS = [kind for api in istio.APIS.values() for kind in api.plurals if kind != "Gateway"]
KNOWN = re.compile("|".join(["istio", "x-color", "-blue-green", *KINDS]), re.IGNORECASE)

# In these folders "selector" is a field of Kubernetes, too.
READ_OBJECTS = ("kube", "workload", "manifest")


def names_of_layers(source: str, folder: str = "") -> Iterator[str]:
    """The identifiers and texts in `source` that name a layer or what belongs to one.

    Docstrings are left out, and so are the descriptions of config keys, from which the reference is made.
    """
    tree = ast.parse(source)
    documentation = {id(node) for written in ast.walk(tree) if _is_documentation(written) for node in ast.walk(written)}
    for node in ast.walk(tree):
        for text in _texts(node):
            is_exact = text in BUILT_IN and (text != "selector" or folder not in READ_OBJECTS)
            if id(node) not in documentation and (KNOWN.search(text) or is_exact):
                yield f"line {getattr(node, 'lineno', '?')}: {text}"


def _is_documentation(node: ast.AST) -> bool:
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or (isinstance(node, ast.keyword) and node.arg == "description")


def _texts(node: ast.AST) -> Iterator[str]:
    """The texts that stand in a node itself: a literal, a name, an attribute, a module that is imported."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    yield from (
        value for field in ("id", "attr", "name", "arg", "module") if isinstance(value := getattr(node, field, None), str)
    )


@pytest.mark.parametrize("file", SOURCES, ids=[str(file.relative_to(ROOT)) for file in SOURCES])
def test_a_source_outside_routing_names_no_layer(file: Path) -> None:
    assert [*names_of_layers(file.read_text(), file.parent.name)] == []


NAMED = {
    "a comparison": 'if routing == "istio": ...',
    "the other layer": 'if routing == "selector": ...',
    "a kind": 'Ref(api, "VirtualService", name)',
    "a kind in an f-string": 'f"update VirtualService/{app}"',
    "a plural": 'PLURALS = {"destinationrules": 1}',
    "the name of an object": 'name = f"{app}-blue-green"',
    "a header": 'header = "x-color"',
    "an import": "from bluegreen.routing import istio",
    "a module": "from bluegreen.routing.istio import rule",
    "an attribute": "self.is_istio = True",
    "an argument": "def begin(istio: bool) -> None: ...",
}


@pytest.mark.parametrize("source", NAMED.values(), ids=NAMED)
def test_a_name_of_a_layer_is_found(source: str) -> None:
    assert [*names_of_layers(source)]


def test_documentation_and_a_field_of_kubernetes_are_no_names_of_a_layer() -> None:
    source = '"""As with istio."""\nHOST = Key(description="A host " "(istio).")\nspec["selector"]'
    assert [*names_of_layers(source, "workload")] == []
