"""`release`: deploys and tests what a tag such as v2.0-green names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bluegreen.cli import config_changes
from bluegreen.cli.activate import Approval, activate
from bluegreen.cli.deploy import deploy
from bluegreen.cli.options import CHECKS, COMMAND, changing
from bluegreen.cli.outcomes import refused
from bluegreen.cli.session import Session
from bluegreen.cli.test import test
from bluegreen.release.colors import other
from bluegreen.release.refusals import Refusal, Rule


@click.command("release")
@click.argument("tag", help="A tag of a release: the version, a hyphen and the color, such as v2.0-green.")
@click.option("--image", metavar="TAG", help="The tag or digest of the image; by default the version in TAG.")
@CHECKS
@click.option("--activate", "goes_on", is_flag=True, help="Move users to the color when the smoke tests have passed.")
@COMMAND
@changing
def command(session: Session, **arguments: Any) -> None:
    """Deploy and test the release that a tag such as v2.0-green names.

    Runs deploy and test for the color at the end of TAG, and activate with --activate. Refused if that color serves users.
    """
    release(session, **arguments)


def release(session: Session, tag: str, image: str | None, checks: Path | None, command: Sequence[str], goes_on: bool) -> None:
    """Deploys and tests what a tag such as v2.0-green names; with `goes_on` activates it when the smoke tests pass."""
    color, version = config_changes.lane(tag)
    if session.live().active == color:
        refusal = Refusal(
            rule=Rule.LIVE_STAYS,
            asked=f"{tag}, which goes to {color}",
            live=f"{color} serves the users",
            remedy=f"Tag the release for the other lane: {tag.removesuffix(color)}{other(color)}",
        )
        raise refused(refusal, f"Nothing was changed; users stay on {color}.")
    deploy(session, color, image or version, tag)
    test(session, color, checks, command)
    if goes_on:
        activate(session, color, Approval(release=tag))
