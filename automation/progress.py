"""What a command shows while it works: a live line on a terminal, one quiet line an event elsewhere, or JSON lines.

The shape of the JSON is in docs/command.md, and `SCHEMA` is raised when it changes in a way that readers notice.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from automation.probe import Answer, Entrance

SCHEMA = 1

SYMBOLS = {"create": "+", "update": "~", "delete": "-", "replace": "+-", "create-replacement": "++", "delete-replaced": "--"}


class Progress:
    """The output of one command. `is_json` makes every line one JSON object; people then get nothing on stdout."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        self._began = time.monotonic()
        self._live: _LiveLine | None = None
        self._passed = ""

    def event(self, event: str, text: str, /, **fields: Any) -> None:
        """Something has happened: `text` for people, `event` and `fields` for machines."""
        if self.is_json:
            self.object({"event": event, "elapsed": round(time.monotonic() - self._began, 3), **fields})
        elif self._live:
            self._live.print(text)
        else:
            print(text, flush=True)

    def passing(self, text: str) -> None:
        """What is going on right now; it is worth a line only where lines can be taken back, or as an event."""
        if text == self._passed:
            return
        self._passed = text
        if self.is_json:
            self.event("waiting", text, message=text)
        elif self._live:
            self._live.now = text
        else:
            print(f"  {text}", flush=True)

    def step(self, operation: str, kind: str, name: str) -> None:
        """A step of the engine begins."""
        text = f"  {SYMBOLS.get(operation, operation)} {kind} {name}"
        self.event("step", text, operation=operation, kind=kind, name=name)

    def object(self, fields: dict[str, Any]) -> None:
        """One line of JSON."""
        print(json.dumps({"schema": SCHEMA, **fields}), flush=True)

    def print(self, text: str) -> None:
        """Something for people alone."""
        if not self.is_json:
            print(text, flush=True)

    @contextmanager
    def working(self, what: str, entrance: Entrance | None) -> Iterator[None]:
        """While this lasts, a terminal shows the time that has passed and who serves at `entrance` at the moment."""
        if self.is_json or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
            yield
            return
        self._live = _LiveLine(what, entrance)
        try:
            with self._live.shown():
                yield
        finally:
            self._live = None


class _LiveLine:
    def __init__(self, what: str, entrance: Entrance | None) -> None:
        from rich.console import Console

        self.now = ""
        self._what = what
        self._entrance = entrance
        self._began = time.monotonic()
        self._served = ""
        self._console = Console(highlight=False, markup=False)

    def print(self, text: str) -> None:
        self._console.print(text)

    @contextmanager
    def shown(self) -> Iterator[None]:
        from rich.live import Live

        over = threading.Event()
        looking = threading.Thread(target=self._look, args=(over,), daemon=True)
        looking.start()
        try:
            with Live(get_renderable=self._text, console=self._console, refresh_per_second=8, transient=True):
                yield
        finally:
            over.set()

    def _look(self, over: threading.Event) -> None:
        while self._entrance and not over.wait(0.5):
            self._served = self._named(self._entrance.ask())

    @staticmethod
    def _named(answer: Answer) -> str:
        return f"users: {answer.color or 'served'}" if answer.is_served else f"users: {answer}"

    def _text(self) -> Any:
        from rich.text import Text

        parts = [f"{self._what}  {time.monotonic() - self._began:.1f} s", self._served, self.now]
        return Text("  ·  ".join(part for part in parts if part), style="bold", overflow="ellipsis", no_wrap=True)
