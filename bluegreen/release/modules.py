"""Finds the module that a config value names: a routing layer, or a source of workloads."""

import importlib
from types import ModuleType


def named(package: str, name: str) -> ModuleType:
    """The module `name` of `package`, or, if the name has a dot, the module of that name anywhere on the Python path.

    Raises `ModuleNotFoundError` if there is none.
    """
    return importlib.import_module(name if "." in name else f"{package}.{name}")
