"""Writes files atomically: a reader sees the old content or the new, never a part."""

import os
from pathlib import Path


def write(path: Path, content: str, mode: int = 0o644) -> None:
    """Writes `content` to `path`. Does not touch a file with this content: kube-proxy exits when its config file changes."""
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
    """Writes a secret to a file that only its owner can read."""
    write(path, content, mode=0o600)
