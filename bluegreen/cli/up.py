"""`up`: brings the environment to what its config says."""

from collections.abc import Mapping
from pathlib import Path

import click

from bluegreen.cli.config_changes import Changes
from bluegreen.cli.options import RELEASE_FROM_STATE, changing
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.session import Session
from bluegreen.cli.updates import Record
from bluegreen.cli.verification import done, verify
from bluegreen.release.about import FROM_STATE, About
from bluegreen.routing import find


@click.command("up")
@RELEASE_FROM_STATE
@changing
def command(session: Session) -> None:
    """Bring the environment to the state in its config.

    If users move, returns when 20 responses in a row come from their color; if not, the exit status is 10.
    """
    up(session)


def up(
    session: Session, about: About | None = None, changes: Changes | None = None, files: Mapping[Path, str] | None = None
) -> None:
    """Brings the environment to what its config says, with `changes` and `files`; if users moved, verifies who serves them.

    With `about` the program refuses an update that does more than `about` covers; `up` from the state moves nobody.
    Raises `ReleaseError` with status 10 if users moved by the route and are not served by that color in time.
    """
    verb, before = str(about or "up"), _active(session)
    record = session.apply(verb, changes or {}, about=about or (FROM_STATE if session.is_from_state else None), files=files)
    after = session.live().active
    users = session.selection.known_users()
    is_moved = bool(after) and (after != before or _is_route_written(session, record))
    seen = [verify(session, users, after, "users")] if is_moved and users else []
    done(session, verb, record.changed, seen, is_unverified=is_moved and not users)


def _active(session: Session) -> str | None:
    """The color of the users by the route; None if the cluster cannot be read, which is for the program to refuse."""
    try:
        return session.live().active
    except ReleaseError as error:
        if error.status is Exit.CONFIG:
            raise
        return None


def _is_route_written(session: Session, record: Record) -> bool:
    """Whether an update wrote the object that decides about users: they may have been elsewhere for a moment before it."""
    settings = session.selection.settings()
    route = find(settings.routing).route(settings.service)[0]
    return any((step.kind, step.name) == (route.kind, route.name) for step in record.ended)
