"""`rollback --now`: users first, everything else afterwards.

Its first half is on the clock: from Enter to the last answer of the bad color. So it begins before the command line is read in
full, needs neither Pulumi nor click, and does four things: reads the config file, asks the cluster who serves and whether the
other color is ready, and writes the route. The second half is an ordinary update, which must find nothing else to do.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from automation import route
from automation.environment import Environment, find
from automation.outcomes import Exit, ReleaseError
from release.live import Live, LiveError
from release.settings import COLORS, other

_FLAGS = ("--now", "--json")
_VALUES = ("--stack", "-s", "--config-file", "--url", "--test-url", "--color-header", "--wait", "--timeout")


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What the first half did: users went from `origin` to `target`, or were there already; testers are on `test`."""

    origin: str
    target: str
    test: str
    seconds: float


# What the first half came to, for the second: it happens at most once in a process.
_begun: list[Moved | ReleaseError] = []


def begin(arguments: list[str]) -> None:
    """The first half, when `arguments` (behind `rollback`) are understood for sure; otherwise nothing happens yet."""
    read = _read(arguments)
    if read is None:
        return
    stack, file, color = read
    try:
        _begun.append(move(find(stack, Path(file) if file else None), color))
    except ReleaseError as error:
        _begun.append(error)


def _read(arguments: list[str]) -> tuple[str | None, str | None, str | None] | None:
    values: dict[str, str] = {}
    colors = []
    rest = iter(arguments)
    for each in rest:
        name, joined, value = each.partition("=")
        if name in _VALUES:
            values[name] = value if joined else next(rest, "")
            if not values[name]:
                return None
        elif each in COLORS:
            colors.append(each)
        elif each not in _FLAGS:
            return None
    if len(colors) > 1:
        return None
    return values.get("--stack") or values.get("-s"), values.get("--config-file"), colors[0] if colors else None


def moved(environment: Environment, color: str | None) -> Moved:
    """What the first half came to; it happens now when it has not happened yet. Raises `ReleaseError`."""
    outcome = _begun.pop() if _begun else move(environment, color)
    if isinstance(outcome, ReleaseError):
        raise outcome
    return outcome


def move(environment: Environment, color: str | None) -> Moved:
    """Writes the route, so that users are on `color`, or on the color that they are not on now.

    Raises `ReleaseError` when that color is not ready, or the cluster cannot be read or written.
    """
    began = time.monotonic()
    settings, cluster = environment.settings(), environment.cluster()
    try:
        live = cluster.live()
        target = color or (other(live.active) if live.active else "")
        if live.active == target:
            return Moved(origin=target, target=target, test=live.test, seconds=0.0)
        _refuse_unready(live, target)
        route.swap(cluster, settings.service.name, settings.routing)
    except LiveError as error:
        raise ReleaseError(Exit.ERROR, f"{error}\nThe route was not written.") from None
    test = live.active if live.test else ""
    return Moved(origin=live.active, target=target, test=test, seconds=time.monotonic() - began)


def _refuse_unready(live: Live, target: str) -> None:
    present = live.colors.get(target)
    if live.active and present and present.is_ready:
        return
    state = f"{present.ready} of {present.replicas} pods of {target} are ready" if present else f"{target} is not deployed"
    raise ReleaseError(
        Exit.REFUSED,
        "Refused by the rule: users move only to a color that is ready\n"
        f"  asked:  users back from {live.active or 'nobody'} to {target or 'another color'}\n"
        f"  live:   {state if target else 'no route serves users'}\n"
        f"  remedy: Mend {live.active or 'the environment'}, or bring {target or 'a color'} up first.\n\n"
        f"Nothing was changed; users stay on {live.active or 'nobody'}.",
    )
