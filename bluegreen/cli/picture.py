"""The live picture of an update on a terminal: elapsed, who answers, and the colors with their pods. Imports rich."""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live as Screen
from rich.text import Text

from bluegreen.cli.outcomes import ReleaseError
from bluegreen.cli.selection import Selection
from bluegreen.kube.cluster import LiveError
from bluegreen.probe import Response, get
from bluegreen.release.endpoint import Endpoint
from bluegreen.release.image import Image
from bluegreen.release.live import Live

INTERVAL_SECONDS = 0.5


class Picture:
    """Drawn anew eight times a second below the lines that stay. `now` is what is going on at the moment."""

    def __init__(self, what: str, selection: Selection, endpoint: Endpoint | None) -> None:
        self.now = ""
        self._what = what
        self._selection = selection
        self._endpoint = endpoint
        self._began = time.monotonic()
        self._answers = ""
        self._live = Live()
        self._console = Console(highlight=False, markup=False)

    def line(self, text: str) -> None:
        """A line that stays, above the picture."""
        self._console.print(text, soft_wrap=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draws as long as this lasts, and leaves nothing behind."""
        over = threading.Event()
        for look in (self._ask, self._read):
            threading.Thread(target=look, args=(over,), daemon=True).start()
        try:
            with Screen(get_renderable=self._text, console=self._console, refresh_per_second=8, transient=True):
                yield
        finally:
            over.set()

    def _ask(self, over: threading.Event) -> None:
        while self._endpoint and not over.wait(INTERVAL_SECONDS):
            self._answers = _named(get(self._endpoint))

    def _read(self, over: threading.Event) -> None:
        try:
            cluster = self._selection.cluster()
        except ReleaseError:  # the update will say it
            return
        while not over.is_set():
            with contextlib.suppress(LiveError):  # an old picture is better than none
                self._live = cluster.live()
            over.wait(INTERVAL_SECONDS)

    def _text(self) -> Text:
        parts = [f"{self._what}  {time.monotonic() - self._began:.1f} s", self._answers, self.now]
        text = Text(overflow="ellipsis", no_wrap=True)
        text.append("  ·  ".join(part for part in parts if part), style="bold")
        for line in colors(self._live):
            text.append("\n").append_text(line)
        return text


def colors(live: Live) -> Iterator[Text]:
    """A line for each color: its tag, a dot for each pod that is ready and a circle for each that is not, who is on it."""
    on = {live.test: "testers", live.active: "users"}
    tags = {name: Image.parse(color.called).short for name, color in live.colors.items()}
    width = max(map(len, tags.values()), default=0)
    for name, color in sorted(live.colors.items()):
        pods = "●" * color.ready + "○" * max(0, color.replicas - color.ready)
        line = Text("  ").append(f"{name:<5}", style=name).append(f"  {tags[name]:<{width}}  {pods[:20]} ")
        yield line.append(f"{color.ready}/{color.replicas} ready  ").append(on.get(name, ""), style="bold")


def _named(answer: Response) -> str:
    return f"users: {answer.color or 'served'}" if answer.is_served else f"users: {answer}"
