"""`decommission`: removes a color that users are not on."""

import time
from typing import Any

import click

from bluegreen.cli import config_changes, history
from bluegreen.cli.options import COLOR, changing
from bluegreen.cli.session import Session
from bluegreen.cli.verification import done
from bluegreen.release.about import About

# A pod that drains and stops in its usual time is gone by then; the cluster goes on by itself when it is not.
TERMINATION_SECONDS = 120


@click.command("decommission")
@COLOR
@click.option(
    "--expect-served", is_flag=True, help="Refuse if users were never on the image of the color: it is the next release."
)
@changing
def command(session: Session, **arguments: Any) -> None:
    """Remove a color that serves no users, and wait until its last pod has terminated."""
    decommission(session, **arguments)


def decommission(session: Session, color: str, expect_served: bool = False) -> None:
    """Removes a color that users are not on, and returns when the last of its pods has terminated.

    The engine does not wait for that, and a color with terminating pods cannot be deployed yet. With `expect_served` it is
    refused if users have never been on what the color runs: that is the next release, and not the last one.
    """
    settings = session.selection.settings()
    if expect_served:
        served = history.served_before(settings, session.live(), session.stack().history(), color)
        config_changes.expect_served(settings, color, served, f"decommission {color}")
    about = About(verb="decommission", color=color)
    record = session.apply(str(about), config_changes.decommission(settings, color), about=about)
    until = time.monotonic() + TERMINATION_SECONDS
    while color in session.live().colors and time.monotonic() < until:
        session.progress.passing(f"waiting until the pods of {color} have terminated")
        time.sleep(1)
    done(session, f"decommission {color}", record.changed)
