"""`python -m dev.demo`: runs one release under load, and shows how users' requests were served."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from bluegreen.routing import BUILT_IN, DEFAULT, find
from dev.demo import stack
from dev.demo.served import wait_until_served
from dev.demo.stack import ROOT, DemoError
from dev.demo.story import FIRST, SCENES, Outcome, Scene, outcome
from dev.traffic.answers import Answers
from dev.traffic.capacity import bearable_rate
from dev.traffic.load import Load
from dev.traffic.report import totals
from dev.traffic.timeline import Mark, Timeline, draw
from dev.traffic.vegeta import LoadError

# The pause between two steps, long enough to see in the picture which color served.
HOLD_SECONDS = 2.5
LONGEST_SECONDS = 600
# Maximum requests a second: enough to measure a switch to the millisecond.
MOST_RATE = 2000

console = Console(highlight=False)


def main() -> int:
    """Runs the demo; the exit status is 0 if no request failed and green served no user before it was activated."""
    parser = argparse.ArgumentParser(prog="python -m dev.demo", description=sys.modules["dev.demo"].__doc__)
    parser.add_argument("--routing", choices=BUILT_IN, default=DEFAULT)
    parser.add_argument(
        "--rate",
        type=int,
        help=f"requests a second (default: measured, so that one core of this host stays idle; at most {MOST_RATE:,})",
    )
    arguments = parser.parse_args()
    # A background job of a shell ignores SIGINT, and the engine would inherit that: it would wait 5 s for its plugins to end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with stack.alone():
            return _Demo(arguments.routing, arguments.rate).run()
    except (DemoError, LoadError) as error:
        console.print(f"[red]The demo stopped.[/] {escape(str(error))}", soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("[red]The demo was interrupted.[/] `make demo` removes its remains and starts again.")
        return 130


class _Demo:
    def __init__(self, routing: str, rate: int | None) -> None:
        self._routing = routing
        self._rate = rate
        layer = find(routing)
        # A layer with a separate port for testers has no proxy: the application sets the color header, and a switch moves only
        # new connections.
        self._is_proxied = not layer.HAS_TEST_ADDRESS
        self._users, self._testers = stack.endpoints(layer)
        self._marks: list[Mark] = []
        self._seconds: list[float] = []

    def run(self) -> int:
        console.rule(f"A release with bluegreen:routing {self._routing}")
        stack.create(self._routing)
        self._walk(FIRST)
        wait_until_served(self._users, "blue")
        rate = self._rate or self._measured_rate()
        self._load = self._load_of(rate)
        started = time.time_ns()
        with self._load:
            time.sleep(HOLD_SECONDS)
            for scene in SCENES:
                self._marks.append(Mark(scene.name, time.time_ns()))
                self._seconds.append(self._walk(scene))
                self._verify(scene)
                time.sleep(HOLD_SECONDS)
            if not self._load.live().running:
                raise DemoError(f"The load ended before the release did, after {LONGEST_SECONDS} s: this host is too slow.")
        answers = self._load.stop()
        return self._report(answers, started, f"{rate:,} requests a second, {'as given' if self._rate else 'measured'}")

    def _measured_rate(self) -> int:
        console.print("\n[bold]measuring the request rate that leaves one core of this host idle[/]")
        return bearable_rate(self._load_of, MOST_RATE, lambda reading: console.print(f"    {reading}", style="dim"))

    def _load_of(self, rate: int) -> Load:
        return Load(
            f"{self._users.url}/",
            rate=rate,
            seconds=LONGEST_SECONDS,
            keep_alive=self._is_proxied,
            host=self._users.host or None,
            color_header=self._users.color_header,
            allowed={urlsplit(self._users.url).hostname or ""},
        )

    def _walk(self, scene: Scene) -> float:
        """Runs the commands of a scene; returns how long its `pulumi up` took, in seconds."""
        console.print(f"\n[bold]{scene.name}[/]")
        for command in stack.commands(scene.change):
            console.print(f"  $ {' '.join(command)}", style="cyan", soft_wrap=True)
            started = time.monotonic()
            with self._live_line(scene):
                stack.run(command, lambda line: console.print(f"    {line}", style="dim", soft_wrap=True))
        return time.monotonic() - started

    def _verify(self, scene: Scene) -> None:
        if scene.moves:
            wait_until_served(self._users, scene.moves[1])
        if tested := scene.change.get("testColor"):
            wait_until_served(self._testers, tested)
            console.print(f"  testers: 20 of 20 requests in a row served by {tested}")

    @contextmanager
    def _live_line(self, scene: Scene) -> Iterator[None]:
        """Shows below the output which colors serve users now, on a terminal and once there is load."""
        if scene is FIRST or not console.is_terminal:
            yield
            return
        with Live(get_renderable=self._who_serves, console=console, refresh_per_second=5, transient=True):
            yield

    def _who_serves(self) -> Text:
        live = self._load.live()
        served = "  ".join(f"{color} {count:,}/s" for color, count in sorted(live.per_second.items()))
        return Text(f"  users: {served}  failed: {live.failed}  of {live.requests:,}")

    def _report(self, answers: Answers, started_ns: int, load: str) -> int:
        ends = [mark.at_ns for mark in self._marks[1:]] + [max(answers.ended) + 1]
        outcomes = [
            outcome(scene, seconds, answers.between(mark.at_ns, end))
            for scene, seconds, mark, end in zip(SCENES, self._seconds, self._marks, ends, strict=True)
        ]
        counted = totals(answers)
        activated = next(mark.at_ns for mark in self._marks if mark.name == "activate green")
        leaked = totals(answers.between(started_ns, activated)).succeeded.get("green", 0)
        console.print()
        console.print(_table(outcomes, load, counted.requests, counted.failed))
        console.print(Timeline(answers, self._marks))
        picture = self._write(answers, outcomes, counted.requests, counted.failed)
        console.print(f"\n{counted.failed} of {counted.requests:,} requests failed.", style="bold")
        for error in counted.errors:
            console.print(f"  {error}", style="red")
        console.print(f"{leaked} user requests were served by green before it was activated.")
        console.print(_farewell(picture), soft_wrap=True)
        return 1 if counted.failed or leaked else 0

    def _write(self, answers: Answers, outcomes: list[Outcome], requests: int, failed: int) -> Path:
        folder = ROOT / ".sandbox"
        steps = [asdict(step) for step in outcomes]
        figures = {"routing": self._routing, "steps": steps, "requests": requests, "failed": failed}
        (folder / "demo.json").write_text(json.dumps(figures, indent=2) + "\n")
        picture = folder / f"demo-{self._routing}.png"
        title = f"One release, routing: {self._routing}"
        draw(answers, picture, title=title, marks=self._marks)
        return picture


def _table(outcomes: list[Outcome], load: str, requests: int, failed: int) -> Table:
    table = Table(title=f"What users saw: {load}", title_justify="left")
    for column in ("step", "seconds", "requests", "failed", "cut-over, ms"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for step in outcomes:
        cut_over = "" if step.cut_over_ms is None else f"{step.cut_over_ms:.1f}"
        table.add_row(step.name, f"{step.seconds:.1f}", f"{step.requests:,}", str(step.failed), cut_over)
    table.add_section()
    table.add_row("all", "", f"{requests:,}", str(failed), "")
    return table


def _farewell(picture: Path) -> str:
    return (
        f"\nThe timeline as a picture: {picture.relative_to(ROOT)}; the figures: .sandbox/demo.json\n"
        "The environment is still up. To continue by hand:\n"
        f"  . .sandbox/env && pulumi stack select {stack.STACK} && pulumi stack output next\n"
        "Remove everything: make sandbox-down"
    )


if __name__ == "__main__":
    sys.exit(main())
