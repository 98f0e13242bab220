"""Which colors have served users: the record that the route carries, and what it says about the way back.

An entry is a color with the hash of its pod template, so a color that has received another image since is another entry. The
record is in the order of the first activations, the newest first. Moving back to an entry leaves the record as it is; so does
moving forward to it again. Therefore the way back from an entry is the next one, however often it is asked for.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bluegreen.release.colors import COLORS


class Served(NamedTuple):
    """A color, and the hash of the pod template that it served users with."""

    color: str
    template: str


def read(text: str) -> tuple[Served, ...]:
    """The record in `text`; what is not as `written` writes it is left out."""
    entries = (Served(color, template) for color, _, template in (item.strip().partition(":") for item in text.split(",")))
    return tuple(dict.fromkeys(entry for entry in entries if entry.color in COLORS))


def written(record: Sequence[Served]) -> str:
    """The record as text, for an annotation."""
    return ",".join(f"{color}:{template}" for color, template in record)


def after_move(
    record: Sequence[Served], origin: Served | None, target: Served, running: Mapping[str, str]
) -> tuple[Served, ...]:
    """The record when users have moved from `origin` (None: nobody was served) to `target`.

    `running` has the pod template hash of each color. A new entry removes those that no color runs any more.
    """
    known = with_serving(record, origin)
    if target in known:
        return known
    return (target, *(entry for entry in known if running.get(entry.color) == entry.template and entry.color != target.color))


def with_serving(record: Sequence[Served], serving: Served | None) -> tuple[Served, ...]:
    """The record with the entry that serves now, which is the newest one if the record does not know it."""
    return (serving, *record) if serving and serving not in record else tuple(record)


def before(record: Sequence[Served], serving: Served) -> tuple[Served, ...]:
    """What served before `serving` did, the newest first."""
    known = with_serving(record, serving)
    return known[known.index(serving) + 1 :]
