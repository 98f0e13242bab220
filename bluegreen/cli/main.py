"""The command line of `bluegreen`: words and options, nothing else.

Built on click alone: its decorators let all verbs share their options, and it is imported in 30 ms. What a verb needs beyond
that is imported when it runs.
"""

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bluegreen.cli import outcomes
from bluegreen.cli.options import COLOR, Duration, changing, moving_first, reading
from bluegreen.release.colors import COLORS

if TYPE_CHECKING:
    from bluegreen.cli.emergency import Moved
    from bluegreen.cli.progress import Progress
    from bluegreen.cli.selection import Environment
    from bluegreen.cli.session import Session

VERSION = "0.1.0"

_CHECKS = click.option(
    "--checks",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A YAML list of smoke tests; docs/command.md has its keys.",
)
_COMMAND = click.argument("command", nargs=-1, type=click.UNPROCESSED)
_RELEASE_FROM_STATE = click.option(
    "--release-from-state",
    is_flag=True,
    help="Take who is active and which images run from the last good update, the rest from the config file; write none.",
)


_MATCH_ROOM = click.option(
    "--match-room", is_flag=True, help="First scale the color to as many pods as serve users now, in an update of its own."
)


class _Group(click.Group):
    def list_commands(self, _: click.Context) -> list[str]:
        """In the order of a release, as they are written below."""
        return list(self.commands)

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """As it is written: click would fold the tables."""
        formatter.write(
            "\nA release, step by step (then the same with the colors swapped):\n"
            "  bluegreen deploy green --image 2.0     new pods; users notice nothing\n"
            "  bluegreen test green -- pytest smoke   testers on green, smoke tests\n"
            "  bluegreen activate green               users on green; blue stays ready\n"
            "  bluegreen rollback                     users back on blue\n"
            "  bluegreen decommission blue            blue's pods are removed\n\n"
            f"Exit statuses:\n{outcomes.table()}\n"
        )


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="bluegreen")
def cli() -> None:
    """Blue-green releases: two colors, users on one of them.

    Each word changes a few lines of the stack's config and runs the same program as `pulumi up`, which refuses what would
    harm users.
    """


@cli.command()
@_RELEASE_FROM_STATE
@changing
def up(session: "Session") -> None:
    """Bring the environment to what its config says."""
    from bluegreen.cli import verbs

    verbs.up(session)


@cli.command()
@click.option("--markdown", is_flag=True, help="A summary for a pull request.")
@_RELEASE_FROM_STATE
@changing
def plan(session: "Session", markdown: bool) -> None:
    """Show what `up` would do; nothing is changed.

    It tells who would be moved, what testers would see, and which pods would change.
    """
    from bluegreen.cli import verbs

    verbs.show_plan(session, markdown)


@cli.command()
@COLOR
@click.option("--image", required=True, metavar="TAG", help="The tag or digest of the color's image.")
@click.option("--release", metavar="ID", help="The name of the release, for --expect-release and for people.")
@changing
def deploy(session: "Session", **arguments: Any) -> None:
    """Give a color an image, and wait until its pods are ready."""
    from bluegreen.cli import verbs

    verbs.deploy(session, **arguments)


@cli.command()
@COLOR
@_CHECKS
@_COMMAND
@changing
def test(session: "Session", **arguments: Any) -> None:
    """Send testers to a color and run the smoke tests.

    COMMAND, behind --, is one more smoke test: it finds BLUEGREEN_URL, BLUEGREEN_COOKIE, BLUEGREEN_HOST and BLUEGREEN_COLOR in
    its environment.
    """
    from bluegreen.cli import verbs

    verbs.test(session, **arguments)


@cli.command()
@COLOR
@click.option("--expect-release", metavar="ID", help="Go on only if this is the release of the color.")
@click.option("--expect-image", metavar="TAG", help="Go on only if this is the tag, digest or image of the color.")
@click.option("--expect-tested", is_flag=True, help="Go on only if its pods have passed the smoke tests.")
@click.option("--bake", type=Duration(), default=0, help="How long to watch afterwards, such as 2m.")
@_CHECKS
@_MATCH_ROOM
@changing
def activate(session: "Session", color: str, bake: float, checks: Path | None, match_room: bool, **expected: Any) -> None:
    """Move users to a color.

    Returns when every answer comes from it. With --bake it goes on asking as users do, and rolls back by itself when more
    requests or --checks fail than before.
    """
    from bluegreen.cli import verbs

    approval = verbs.Approval(
        release=expected["expect_release"], image=expected["expect_image"], is_tested=expected["expect_tested"]
    )
    verbs.activate(session, color, approval, bake_seconds=bake, checks=checks, match_room=match_room)


@cli.command()
@click.argument("color", type=click.Choice(COLORS), required=False)
@click.option("--now", is_flag=True, help="Write the route first and update the stack afterwards: users are back in a blink.")
@_MATCH_ROOM
@moving_first
def rollback(session: "Session", color: str | None, now: bool, match_room: bool, moved: "Moved | None") -> None:
    """Move users back to what they were on before.

    Run twice, it does not move them forward again. Without --now it is refused if that color has received another image
    since. With --now one ready pod is enough, and COLOR goes where it says.
    """
    from bluegreen.cli import verbs

    if now:
        verbs.rollback_now(session, color, match_room, moved)
    else:
        verbs.rollback(session, color, match_room)


@cli.command()
@COLOR
@click.option("--expect-served", is_flag=True, help="Go on only if users were on what the color runs: no next release.")
@changing
def decommission(session: "Session", **arguments: Any) -> None:
    """Remove a color that users are not on."""
    from bluegreen.cli import verbs

    verbs.decommission(session, **arguments)


@cli.command()
@click.argument("tag")
@click.option("--image", metavar="TAG", help="The tag of the image, when it is not the version in TAG.")
@_CHECKS
@click.option("--activate", "goes_on", is_flag=True, help="Move users there when the smoke tests pass.")
@_COMMAND
@changing
def release(session: "Session", **arguments: Any) -> None:
    """Deploy and test what a tag such as v2.0-green names.

    The end of TAG is the lane, the rest is the version. Refused when users are on that lane.
    """
    from bluegreen.cli import verbs

    verbs.release(session, **arguments)


@cli.command()
@click.option("--watch", is_flag=True, help="Show it again whenever it changes, until Ctrl-C.")
@reading
def status(environment: "Environment", progress: "Progress", watch: bool) -> None:
    """Show what is live, and what to do next.

    Also what differs from the config.
    """
    from bluegreen.cli import status

    if watch:
        status.watch(environment, progress)
        return
    status.show(status.look(environment), progress)


@cli.command()
@reading
def history(environment: "Environment", progress: "Progress") -> None:
    """Show who moved users, when, and from where to where."""
    from bluegreen.cli import history
    from bluegreen.cli.stack import Stack

    stack = Stack(environment.stack, environment.config_file, wait_seconds=0, timeout_seconds=60, show=lambda _: None)
    history.show(history.switches(stack.history()), progress)


def main() -> None:
    """The entry point. A pipeline that is canceled sends SIGTERM: it means the same as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would the engine
    cli(prog_name="bluegreen")
