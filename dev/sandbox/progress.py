"""Shows the progress of a long build: a live display on a terminal, otherwise one line per event."""

import contextlib
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars


class Progress:
    """Reports the steps of a plan with their usual durations, on stderr."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._bars: Bars | None = None
        self._total = TaskID(0)
        self._usual: dict[str, float] = {}
        self._done: list[str] = []
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """Prints a line, above the live display if there is one."""
        if self._console.is_terminal:
            self._console.print(text, markup=False)
        else:
            print(text, file=sys.stderr, flush=True)

    @contextlib.contextmanager
    def plan(self, usual_seconds: dict[str, float] | dict[str, int]) -> Iterator[None]:
        """Announces the steps, by name, with the seconds that each usually takes. An empty plan shows nothing."""
        self._usual, self._done, self._began = dict(usual_seconds), [], time.monotonic()
        if not self._usual:
            yield
            return
        total = _minutes(sum(self._usual.values()))
        self.say(f"Building {', '.join(self._usual)}, once for this machine: about {total} on two cores.")
        with self._display():
            yield
        self.say(f"Built in {_minutes(time.monotonic() - self._began)}.")

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Shows the step `name` of the plan as running during the block, and as done after it."""
        usual = self._usual[name]
        place = f"{len(self._done) + 1}/{len(self._usual)}"
        began = time.monotonic()
        if self._bars:
            task = self._bars.add_task(f"{place} {name}", total=None, note=f"usually {_minutes(usual)}")
        else:
            self.say(f"[{place}] building {name} (usually {_minutes(usual)})")
        yield
        self._done.append(name)
        elapsed = _minutes(time.monotonic() - began)
        rest = sum(seconds for step, seconds in self._usual.items() if step not in self._done)
        if self._bars:
            self._bars.update(task, total=1, completed=1, note=f"built in {elapsed}")
            self._bars.stop_task(task)
            self._bars.update(self._total, advance=usual, note=f"about {_minutes(rest)} to go")
        else:
            total = _minutes(time.monotonic() - self._began)
            self.say(f"[{place}] built {name} in {elapsed}; {total} so far, about {_minutes(rest)} to go")

    @contextlib.contextmanager
    def _display(self) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn())
        with Bars(*columns, TextColumn("{task.fields[note]}"), console=self._console) as self._bars:
            self._total = self._bars.add_task("in all", total=sum(self._usual.values()), note="")
            yield
        self._bars = None


def _minutes(seconds: float) -> str:
    """A duration such as `42 s` or `5 min 30 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
