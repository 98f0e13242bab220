"""Finds the module that a config value names: a routing layer, or a source of workloads."""

import importlib
from typing import Any


class UnknownModuleError(Exception):
    """A name that leads to no module of the kind that was looked for. The message says why."""


def named(package: str, name: str, interface: type, kind: str) -> Any:
    """The module `name` of `package`, or, if the name has a dot, the module of that name anywhere on the Python path.

    The module offers the members of the Protocol `interface`; `kind` is that in words. Raises `UnknownModuleError` if there is
    no such module, if it cannot be imported, or if it lacks a member.
    """
    full = name if "." in name else f"{package}.{name}"
    try:
        module = importlib.import_module(full)
    except ImportError as error:
        is_absent = isinstance(error, ModuleNotFoundError) and f"{full}.".startswith(f"{error.name}.")
        absent = f"There is no module {full} (the Python path has no {error.name})"
        raise UnknownModuleError(absent if is_absent else f"The module {full} could not be imported: {error}") from None
    members = {*interface.__annotations__, *(member for member in vars(interface) if not member.startswith("_"))}
    if missing := sorted(member for member in members if not hasattr(module, member)):
        raise UnknownModuleError(f"The module {full} is not {kind}: it has no {', '.join(missing)}")
    return module
