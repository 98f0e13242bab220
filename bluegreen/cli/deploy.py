"""`deploy`: gives a color an image, or the team's own manifest."""

from typing import Any

import click

from bluegreen.cli import config_changes
from bluegreen.cli.options import COLOR, changing
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.session import Session
from bluegreen.cli.sources import source_options, taken
from bluegreen.cli.up import up
from bluegreen.release.about import About
from bluegreen.release.colors import other


@click.command("deploy")
@COLOR
@click.option(
    "--image",
    metavar="TAG",
    help="The tag or digest (sha256:...) of the image. With a manifest also an image, for the main container.",
)
@source_options
@click.option("--release", metavar="ID", help="A name for the release, for --expect-release and for status.")
@changing
def command(session: Session, **arguments: Any) -> None:
    """Deploy an image or a manifest to a color, and wait until its pods are ready.

    A manifest is rendered, and written in one form into manifests/<stack>/<color>.yaml beside the stack's config file, to be
    committed with it. The values of its Secrets go into the config, encrypted.

    Refused if the color serves users. If its pods do not become ready, the exit status is 4.
    """
    source = taken(arguments)
    if source:
        from bluegreen.cli.new_snapshot import deploy_manifest

        deploy_manifest(session, source=source, **arguments)
    elif arguments["image"]:
        deploy(session, **arguments)
    else:
        raise click.UsageError("Give --image, or a manifest by --manifest, --kustomize or --helm.")


def deploy(session: Session, color: str, image: str, release: str | None) -> None:
    """Gives a color an image, and returns when its pods are ready."""
    colors = session.selection.place().service.colors
    present = colors.get(other(color))
    if present and present.snapshot and not (color in colors and colors[color].snapshot):
        raise ReleaseError(
            Exit.CONFIG,
            f"{other(color)} is from a manifest and {color} has none, so its pods would be others. Nothing was changed.\n"
            f"  next: bluegreen deploy {color} --manifest {present.snapshot.path} --image {image}, or another manifest.",
        )
    up(session, About(verb="deploy", color=color), config_changes.deploy(color, image, release))
