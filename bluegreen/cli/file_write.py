"""Writes a file in one step, so that it is never seen half-written, and takes that back."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bluegreen.release.stack_file import ConfigFileError


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file that was written. `before` is its text before that, None if there was no file."""

    file: Path
    before: str | None
    after: str

    def take_back(self) -> None:
        """Restores the file, unless somebody has changed it meanwhile."""
        if self.before == self.after or text_or_none(self.file) != self.after:
            return
        if self.before is None:
            self.file.unlink()
        else:
            replace(self.file, self.before)


def write(file: Path, text: str) -> Written:
    """Writes `text` into `file`, whose folder may be missing. A file that has this text already is not touched.

    Raises `ConfigFileError`.
    """
    try:
        before = text_or_none(file)
        if before != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            replace(file, text)
    except OSError as error:
        raise ConfigFileError(f"Could not write {file}: {error.strerror or error}. Nothing was changed.") from None
    return Written(file=file, before=before, after=text)


def text_or_none(file: Path) -> str | None:
    """The text of a file, None if there is no file."""
    try:
        with file.open(encoding="utf-8", newline="", errors="surrogateescape") as opened:
            return opened.read()
    except FileNotFoundError:
        return None


def replace(file: Path, text: str) -> None:
    """Writes `text` in the place of the file that a link leads to, with its rights."""
    target = file.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="", errors="surrogateescape") as new:
            new.write(text)
        Path(name).chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o644)
        Path(name).replace(target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
