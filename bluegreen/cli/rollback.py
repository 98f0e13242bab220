"""`rollback`: moves users back to the color that served before.

With `--now` users are on the clock: `emergency` writes the route, and only then this module imports what an update needs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from bluegreen.cli.options import MATCH_ROOM, moving_first
from bluegreen.cli.outcomes import Exit, ReleaseError, refused
from bluegreen.release.colors import COLORS, other

if TYPE_CHECKING:
    from bluegreen.cli.emergency import Moved
    from bluegreen.cli.session import Session
    from bluegreen.cli.stack import PastUpdate
    from bluegreen.release.live import Live
    from bluegreen.release.settings import Settings
    from bluegreen.release.way_back import WayBack


@click.command("rollback")
@click.argument(
    "color",
    type=click.Choice(COLORS),
    required=False,
    help="The color to move users to; by default the color that they were on before.",
)
@click.option(
    "--now", is_flag=True, help="Write the route first and update the stack afterwards: the fastest way back, for emergencies."
)
@MATCH_ROOM
@moving_first
def command(session: "Session", color: str | None, now: bool, match_room: bool, moved: "Moved | None") -> None:
    """Move users back to the color that they were on before.

    A second rollback does not move users forward again. Refused if the color has received another image since it served users;
    with --now and COLOR that is allowed. With --now one ready pod is enough.
    """
    if now:
        rollback_now(session, color, match_room, moved)
    else:
        rollback(session, color, match_room)


def rollback(session: "Session", to: str | None, match_room: bool = False) -> None:
    """Moves users back to the color that served before, if it still runs what it ran then.

    Run twice, it does not move them forward again. With `match_room` that color first gets as many pods as serve users now.
    """
    from bluegreen.cli import config_changes, history, moving, room
    from bluegreen.release.about import About
    from bluegreen.release.refusals import Refusal, Rule

    settings, live, updates = session.selection.settings(), session.live(), session.stack().history()
    back = _way_back(settings, live, updates)
    if to is None and back.is_already and settings.active_color == back.color:
        active = settings.active_color
        text = f"nothing to do: users are back on {active} already. Forward again: bluegreen activate {other(active)}"
        session.progress.event("done", text, verb="rollback", changed=[], active=active, test=settings.test_color, verified=[])
        return
    target = to or back.color
    if not target or target not in settings.service.colors:
        refusal = Refusal(
            rule=Rule.LAST_RELEASE,
            asked="users back to what served before",
            live=f"there is nothing to roll back to: {back.reason or f'{target} is not deployed'}",
            remedy="bluegreen status; to move users all the same, bluegreen activate COLOR",
        )
        raise refused(refusal, f"Nothing was changed; {live.users}.")
    served = history.served_before(settings, live, updates, target)
    config_changes.expect_served(settings, target, served, f"activate {target}")
    if match_room:
        room.match(session, target)
    moving.move(session, session.selection.users(), About(verb="rollback", color=target))


def _way_back(settings: "Settings", live: "Live", updates: "Sequence[PastUpdate]") -> "WayBack":
    """By the route's record; a route of an older version has none, so then by the history of the stack."""
    from bluegreen.cli import history
    from bluegreen.release.way_back import WayBack, way_back

    record = history.record(settings, live)
    if not record and history.is_back_already(updates, live.active):
        return WayBack(color=live.active, is_already=True)
    return way_back(live, record)


def rollback_now(session: "Session", to: str | None, match_room: bool = False, moved: "Moved | None" = None) -> None:
    """Moves users by writing the route, then brings config and state to the same truth, then verifies who is served.

    See `emergency`. Not verified is a route with rules of somebody else, who may send users anywhere.

    `moved` is what was written already, None if nothing was. With `match_room` an ordinary update comes before that, and gives
    the color as many pods as serve users now.
    """
    from bluegreen.cli import config_changes, emergency, room
    from bluegreen.cli.verification import done, verify
    from bluegreen.release.about import About

    if match_room:
        to = emergency.target(session.selection, to)
        room.match(session, to)
    if moved is None:
        moved = emergency.move(session.selection, to)
        emergency.report(session.progress, moved)
    changes: config_changes.Changes = {config_changes.ACTIVE: moved.target, config_changes.TEST: moved.test or None}
    about = About(verb="rollback", color=moved.target)
    try:
        record = session.apply(f"rollback --now to {moved.target}", changes, about=about, route_alone=True)
    except ReleaseError as error:
        raise _behind(moved, error) from None
    users, live = session.selection.known_users(), session.live()
    is_ours = not live.foreign and not live.also
    seen = [verify(session, users, moved.target, "users", is_back=True)] if users and is_ours else []
    done(session, "rollback --now", record.changed, seen, is_unverified=users is None)


def _behind(moved: "Moved", error: ReleaseError) -> ReleaseError:
    """The error of the update that was to follow the route."""
    from bluegreen.cli.updates import UpdateError

    users = f"Users are on {moved.target}" if moved.is_already else f"Users have moved to {moved.target}"
    status = Exit.UNEXPECTED_CHANGES if error.status in (Exit.REFUSED, Exit.CONFIG) else error.status
    text = f"{users} by the route, but this stack was not updated to say so:\n{error}"
    advice = "\n  next: bluegreen plan, then bluegreen up" if isinstance(error, UpdateError) else ""
    workers = (
        f"\nWorkers may not have moved with them: the next update starts those of {moved.target}." if moved.has_workers else ""
    )
    return ReleaseError(status, text + workers + advice, error.code)
