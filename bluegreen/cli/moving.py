"""Moves users to another color by one update: `activate` and `rollback`."""

from bluegreen.cli import config_changes
from bluegreen.cli.session import Session
from bluegreen.cli.verification import done, verify
from bluegreen.release.about import About
from bluegreen.release.endpoint import Endpoint


def move(session: Session, users: Endpoint, about: About, expect: str | None = None) -> None:
    """Moves users to the color of `about`, and verifies that they are served by it. `expect` is what a switch approves."""
    changed = update(session, users, about, expect)
    is_back = about.verb == "rollback"
    done(session, name(about), changed, [verify(session, users, about.color, "users", is_back)])


def update(session: Session, users: Endpoint, about: About, expect: str | None = None) -> list[str]:
    """Moves users to the color of `about`, and returns the steps of the engine that changed objects."""
    changes = config_changes.activate(session.selection.settings(), about.color)
    return session.apply(name(about), changes, about=about, expect=expect, watch=users).changed


def name(about: About) -> str:
    """The move in the history of the stack and in the last line of the command."""
    return f"rollback to {about.color}" if about.verb == "rollback" else str(about)
