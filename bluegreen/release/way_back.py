"""Where a roll-back leads: to what users were on before, and never forward again."""

from collections.abc import Sequence
from dataclasses import dataclass

from bluegreen.release import served
from bluegreen.release.colors import other
from bluegreen.release.live import Live
from bluegreen.release.served import Served


@dataclass(frozen=True, kw_only=True)
class WayBack:
    """The color that users go back to. Without one, `reason` says why.

    `is_already` is true if users are on that color because they have come back to it.
    """

    color: str = ""
    reason: str = ""
    is_already: bool = False


def way_back(live: Live, record: Sequence[Served]) -> WayBack:
    """Where users go back to by the route's record of who has served; without a record, to the other color."""
    serving = live.entry(live.active)
    if serving is None:
        return WayBack(reason="the route does not say which color users are on")
    if len(live.serving) > 1:
        return WayBack(color=_oldest(live, record))
    if not record:
        return WayBack(color=other(live.active))
    before = [entry for entry in served.before(record, serving) if entry.color != live.active]
    if back := next((entry.color for entry in before if _runs(live, entry)), ""):
        return WayBack(color=back)
    if before:
        return WayBack(reason=_lost(live, before[0].color))
    if serving in record and record[0] != serving:
        return WayBack(color=live.active, is_already=True)
    return WayBack(reason=f"users were on nothing but {live.active}, as far as the route records")


def _oldest(live: Live, record: Sequence[Served]) -> str:
    """Of the colors that users may get, the one that was the first to serve; without a record the one that most are on."""
    return next((entry.color for entry in reversed(record) if entry.color in live.serving and _runs(live, entry)), live.active)


def _runs(live: Live, entry: Served) -> bool:
    return entry.color in live.colors and live.entry(entry.color) == entry


def _lost(live: Live, color: str) -> str:
    if color not in live.colors:
        return f"{color}, which served before, is not deployed"
    return f"{color} runs {live.colors[color].image} now, and users were never on that"
