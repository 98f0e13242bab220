"""`deploy`: gives a color an image."""

from typing import Any

import click

from bluegreen.cli import config_changes
from bluegreen.cli.options import COLOR, changing
from bluegreen.cli.session import Session
from bluegreen.cli.up import up
from bluegreen.release.about import About


@click.command("deploy")
@COLOR
@click.option("--image", required=True, metavar="TAG", help="The tag or digest (sha256:...) of the image.")
@click.option("--release", metavar="ID", help="A name for the release, for --expect-release and for status.")
@changing
def command(session: Session, **arguments: Any) -> None:
    """Deploy an image to a color, and wait until its pods are ready.

    Refused if the color serves users. If its pods do not become ready, the exit status is 4.
    """
    deploy(session, **arguments)


def deploy(session: Session, color: str, image: str, release: str | None) -> None:
    """Gives a color an image, and returns when its pods are ready."""
    up(session, About(verb="deploy", color=color), config_changes.deploy(color, image, release))
