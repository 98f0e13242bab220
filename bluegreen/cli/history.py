"""`history`: the switches of a stack, found by comparing the config of one good update with that of the next."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from bluegreen.cli.config_changes import ACTIVE
from bluegreen.cli.options import reading
from bluegreen.cli.progress import Progress, console
from bluegreen.cli.selection import Selection
from bluegreen.cli.stack import PastUpdate, Stack
from bluegreen.release import metadata
from bluegreen.release.colors import other
from bluegreen.release.objects import annotation
from bluegreen.release.served import Served, read

if TYPE_CHECKING:
    from bluegreen.release.live import Live
    from bluegreen.release.settings import Settings

_OURS = re.compile(r"bluegreen (?P<verb>.*), by (?P<who>.*)")


@click.command("history")
@reading
def command(selection: Selection, progress: Progress) -> None:
    """Show every time users moved: when, between which colors, how long it took, and who did it."""
    stack = Stack(selection.stack, selection.config_file, wait_seconds=0, timeout_seconds=60, show=lambda _: None)
    show(switches(stack.history()), progress)


@dataclass(frozen=True, kw_only=True)
class Switch:
    """One update that moved users. `who` is the author of the commit when the update was not made by this command."""

    version: int
    at: str
    seconds: float
    origin: str
    target: str
    image: str
    who: str
    how: str

    @property
    def is_rollback(self) -> bool:
        return self.how.startswith("rollback")


def switches(updates: Sequence[PastUpdate]) -> list[Switch]:
    """The switches among `updates`, which are the newest first; so are the switches."""
    good = [update for update in reversed(updates) if update.kind == "update" and update.result == "succeeded"]
    found = [
        _switch(before, after)
        for before, after in itertools.pairwise(good)
        if _value(before, ACTIVE) and _value(after, ACTIVE) and _value(before, ACTIVE) != _value(after, ACTIVE)
    ]
    return found[::-1]


def _switch(before: PastUpdate, after: PastUpdate) -> Switch:
    target = _value(after, ACTIVE)
    ours = _OURS.fullmatch(after.message or "")
    author = after.environment.get("git.author", "")
    ended = after.end_time or after.start_time
    return Switch(
        version=after.version,
        at=after.start_time.isoformat() + "Z",
        seconds=(ended - after.start_time).total_seconds(),
        origin=_value(before, ACTIVE),
        target=target,
        image=_value(after, f"{target}:imageTag") or _value(after, f"{target}:manifest"),
        who=ours["who"] if ours else author or "unknown",
        how=ours["verb"] if ours else f"pulumi up: {after.message}".rstrip(": "),
    )


def _value(update: PastUpdate, key: str) -> str:
    return update.config.get(key, "")


def is_back_already(updates: Sequence[PastUpdate], active: str) -> bool:
    """Whether the newest switch was a roll-back to the color that is active: once more would be forward again."""
    newest = next(iter(switches(updates)), None)
    return bool(newest and newest.is_rollback and newest.target == active and newest.origin == other(active))


def record(settings: "Settings", live: "Live") -> tuple[Served, ...]:
    """Which colors have served users, by the record that the route carries; none for a route of an older version."""
    from bluegreen.routing import find

    route = live.objects.get(find(settings.routing).route(settings.service)[0])
    return read(annotation(route or {}, metadata.SERVED))


def served_before(settings: "Settings", live: "Live", updates: Sequence[PastUpdate], color: str) -> str:
    """What `color` ran when users were on it last: its tag, or the image if it has a manifest; empty if they never were.

    The config names the file of a manifest, and not what it held. So the route's record says whether what runs has served.
    """
    present = settings.service.colors.get(color)
    if present is None or present.snapshot is None:
        return served(updates, color)
    return present.image if live.entry(color) in record(settings, live) else ""


def served(updates: Sequence[PastUpdate], color: str) -> str:
    """The tag that `color` had when users were on it last, or empty when they never were."""
    good = (update for update in updates if update.kind == "update" and update.result == "succeeded")
    return next((_value(update, f"{color}:imageTag") for update in good if _value(update, ACTIVE) == color), "")


def show(found: Sequence[Switch], progress: Progress) -> None:
    """As a table, or as lines of JSON."""
    if progress.is_json:
        for switch in found:
            fields = asdict(switch)
            progress.json_line({"event": "switch", "from": fields.pop("origin"), "to": fields.pop("target"), **fields})
        return
    if not found:
        progress.line("Users have never been moved. bluegreen status shows where they are.")
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("WHEN (UTC)", "FROM", "TO", "IMAGE", "TOOK", "WHO", "HOW"):
        table.add_column(column, overflow="fold")
    for switch in found:
        when = switch.at.replace("T", " ").removesuffix("Z")
        colors = (Text(color, style=color) for color in (switch.origin, switch.target))
        table.add_row(when, *colors, switch.image[:19], f"{switch.seconds:.0f} s", switch.who, switch.how)
    console().print(table)
