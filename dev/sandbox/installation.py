"""Installs built tools into the sandbox, where its processes, shells and Pulumi find them."""

import contextlib
import json
import os
import shutil
from pathlib import Path

from dev.sandbox import toolchain
from dev.sandbox.files import write
from dev.sandbox.layout import Layout


def install(layout: Layout, folders: dict[str, Path]) -> None:
    """Installs the commands in `folders` (by name of the tool) into the sandbox, replacing other versions."""
    layout.bin.mkdir(parents=True, exist_ok=True)
    for name, folder in folders.items():
        for path in folder.iterdir():
            if path.is_file():
                _place(path, _folder_of_tool(layout, name) / path.name)
    write(_record(layout), json.dumps(_names(folders)))


def outdated(layout: Layout, folders: dict[str, Path]) -> list[str]:
    """The tools whose installed version differs from that in `folders`."""
    with contextlib.suppress(OSError, ValueError):
        installed = json.loads(_record(layout).read_text())
        return [name for name, folder in _names(folders).items() if installed.get(name) != folder]
    return list(folders)


def _folder_of_tool(layout: Layout, tool: str) -> Path:
    if tool != toolchain.PROVIDER.name:
        return layout.bin
    # An installed plugin of the version that the Python SDK requests. Pulumi also uses one on PATH, but warns.
    folder = layout.pulumi_home / "plugins" / f"resource-kubernetes-v{toolchain.PROVIDER_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _names(folders: dict[str, Path]) -> dict[str, str]:
    return {name: str(folder) for name, folder in folders.items()}


def _record(layout: Layout) -> Path:
    return layout.home / "tools.json"


def _place(source: Path, target: Path) -> None:
    """Installs `source` as `target`, by a hard link if possible; Pulumi would resolve a symlink and miss its parts."""
    if target.exists() and _identity(target) == _identity(source):
        return
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
