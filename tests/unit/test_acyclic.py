"""No modules of the library import each other in a circle, not even for types: each can be read without the other."""

import graphlib

import grimp
import pytest


def circle(package: str) -> frozenset[str]:
    """The modules of one circle, none if there is none."""
    graph = grimp.build_graph(package)
    imports = {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return frozenset(error.args[1])
    return frozenset()


@pytest.mark.parametrize("package", ["bluegreen", "components", "dev"])
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    assert circle(package) == frozenset()
