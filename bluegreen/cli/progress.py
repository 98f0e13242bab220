"""What a command shows while it works: a live picture on a terminal, one quiet line an event elsewhere, or JSON lines.

The shape of the JSON is in docs/reference/json.md, and `SCHEMA` is raised when it changes in a way that readers notice.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bluegreen.release.endpoint import Endpoint

if TYPE_CHECKING:
    from rich.console import Console

    from bluegreen.cli.picture import Picture
    from bluegreen.cli.selection import Selection

SCHEMA = 1

SYMBOLS = {"create": "+", "update": "~", "delete": "-", "replace": "+-", "create-replacement": "++", "delete-replaced": "--"}

# Takes the line back that the cursor is on.
_BACK = "\r\x1b[2K"


class Progress:
    """The output of one command. `is_json` makes every line one JSON object; people then get nothing on stdout.

    `is_live` is true where lines can be taken back.
    """

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self.is_live = not is_json and is_terminal()
        self._began = time.monotonic()
        self._picture: Picture | None = None
        self._passed = ""
        self._is_dangling = False

    def event(self, event: str, text: str, /, **fields: Any) -> None:
        """Something has happened: `text` for people, `event` and `fields` for machines."""
        elapsed = time.monotonic() - self._began
        if self.is_json:
            self.json_line({"event": event, "elapsed": round(elapsed, 3), **fields})
            return
        self.line(f"{text} ({elapsed:.1f} s)" if fields.get("changed") else text)

    def passing(self, text: str) -> None:
        """What is going on right now; it is worth a line only where lines can be taken back, or as an event."""
        if text == self._passed:
            return
        self._passed = text
        if self.is_json:
            self.event("waiting", text, message=text)
        elif self._picture:
            self._picture.now = text
        elif self.is_live:
            width = shutil.get_terminal_size().columns - 1
            print(f"{_BACK}  {text}"[: width + len(_BACK)], end="", flush=True)
            self._is_dangling = True
        else:
            print(f"  {text}", flush=True)

    def step(self, operation: str, kind: str, name: str) -> None:
        """A step of the engine begins."""
        text = f"  {SYMBOLS.get(operation, operation)} {kind} {name}"
        self.event("step", text, operation=operation, kind=kind, name=name)

    def json_line(self, fields: dict[str, Any]) -> None:
        """One line of JSON."""
        print(json.dumps({"schema": SCHEMA, **fields}), flush=True)

    def line(self, text: str) -> None:
        """A line for people alone."""
        if self.is_json:
            return
        if self._picture:
            self._picture.line(text)
            return
        self.clear()
        print(text, flush=True)

    def clear(self) -> None:
        """Takes back what was passing, so that something else can be written there."""
        if self._is_dangling:
            print(_BACK, end="", flush=True)
            self._is_dangling = False

    @contextmanager
    def working(self, what: str, selection: "Selection", endpoint: Endpoint | None) -> Iterator[None]:
        """While this lasts, a terminal shows the time that has passed, the colors of `selection` with their pods and who
        is on them, and which color answers at `endpoint` at the moment."""
        if not self.is_live:
            yield
            return
        from bluegreen.cli.picture import Picture

        self.clear()
        self._picture = Picture(what, selection, endpoint)
        try:
            with self._picture.shown():
                yield
        finally:
            self._picture = None


def is_terminal() -> bool:
    """Whether stdout is a terminal on which a line can be taken back."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def console() -> "Console":
    """Where tables are written. Where nobody sees the width, a line is as long as it is."""
    from rich.console import Console

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 500)
