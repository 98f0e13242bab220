"""Writing files so that a reader sees the old content or the new, never half of it."""

import os
from pathlib import Path


def write(path: Path, content: str, mode: int = 0o644) -> None:
    """Write `content` to `path`; one that already holds it is not touched: kube-proxy ends when its own is."""
    if path.exists() and path.read_text() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
    temporary.replace(path)


def write_private(path: Path, content: str) -> None:
    """Write a secret: nobody but root reads the file."""
    write(path, content, mode=0o600)
