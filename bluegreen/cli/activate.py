"""`activate`: moves users to a color; with `--bake` it watches them afterwards, and moves them back if the color is worse."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from bluegreen.cli import bake, config_changes, room, smoke, tested
from bluegreen.cli.moving import move, name, update
from bluegreen.cli.options import CHECKS, COLOR, MATCH_ROOM, Duration, changing
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.rollback import rollback_now
from bluegreen.cli.session import Session
from bluegreen.cli.verification import done, not_served, report_served
from bluegreen.release.about import About


@click.command("activate")
@COLOR
@click.option("--expect-release", metavar="ID", help="Refuse if this is not the release of the color.")
@click.option("--expect-image", metavar="TAG", help="Refuse if this is not the tag, digest or image of the color.")
@click.option("--expect-tested", is_flag=True, help="Refuse if the pods of the color have not passed the smoke tests.")
@click.option(
    "--bake", type=Duration(), default=0, help="How long to watch responses afterwards, such as 2m; 0 for not at all."
)
@CHECKS
@MATCH_ROOM
@changing
def command(session: Session, color: str, bake: float, checks: Path | None, match_room: bool, **expected: Any) -> None:
    """Move users to a color.

    Returns when 20 responses in a row come from the color; if not, the exit status is 10. With --bake it continues to send
    requests as users do, and moves users back if more requests or --checks fail than before; then the exit status is 11.
    """
    approval = Approval(release=expected["expect_release"], image=expected["expect_image"], is_tested=expected["expect_tested"])
    activate(session, color, approval, bake_seconds=bake, checks=checks, match_room=match_room)


@dataclass(frozen=True, kw_only=True)
class Approval:
    """What may be activated, by its release and its image, None for any; and whether it must have been tested."""

    release: str | None = None
    image: str | None = None
    is_tested: bool = False


def activate(
    session: Session,
    color: str,
    approval: Approval = Approval(),
    *,
    bake_seconds: float = 0,
    checks: Path | None = None,
    match_room: bool = False,
) -> None:
    """Moves users to a color, and returns when every answer comes from there, and after `bake_seconds` of watching.

    With `match_room` the color first gets as many pods as serve users now.
    """
    listed = smoke.read(checks) if checks else []
    settings, users = session.selection.settings(), session.selection.users()
    if approval.release or approval.image:
        config_changes.approve(settings, session.live(), color, approval.release, approval.image)
    if approval.is_tested:
        tested.refuse_untested(session, color)
    if match_room:
        room.match(session, color)
    origin = session.live().active if bake_seconds else ""
    about, expect = About(verb="activate", color=color), approval.release or approval.image
    if origin in ("", color):
        move(session, users, about, expect)
        return
    session.progress.passing(f"watching {origin} before the switch")
    compared = bake.before(users, origin, listed, bake.before_seconds(bake_seconds))
    watched = bake.Watch(endpoint=users, color=color, before=compared, seconds=bake_seconds)
    _move_and_bake(session, about, expect, watched)


def _move_and_bake(session: Session, about: About, expect: str | None, watched: bake.Watch) -> None:
    try:
        changed = update(session, watched.endpoint, about, expect)
    except ReleaseError as error:
        # The program has verified it, and users are not served (bluegreen:verify): the watch finds out whether to roll back.
        if error.status is not Exit.SMOKE_TEST_FAILED:
            raise
        session.progress.event("warning", f"warning: {error}", message=str(error))
        changed = []
    done(session, name(about), changed, [_bake(session, watched)])


def _bake(session: Session, watched: bake.Watch) -> str:
    """Watches the color that users are on now. If it is worse, moves users back first and raises the error afterwards.

    Returns "users", or nothing if no answer names the color. Raises `ReleaseError` with status 10 if users are not served.
    """
    color, users = watched.color, watched.endpoint

    def show(passed: float, counts: bake.Counts) -> None:
        session.progress.passing(f"baking {color}: {passed:.0f} of {watched.seconds:.0f} s, {counts}")

    def served() -> None:
        report_served(session, users, color, "users", watched.counts.requests)

    session.progress.passing(f"baking {color}")
    seen = bake.requests(users, watched.before.patience_seconds, checks=watched.before.passing)
    verdict = bake.watch(watched, seen, served, show)
    if verdict.worse:
        _roll_back(session, watched, verdict)
    if verdict.unserved:
        advice = "; users back: bluegreen rollback"
        raise not_served(session, users, color, "users", f"{verdict.seconds:.0f} s", verdict.unserved, advice)
    counted = {"requests": verdict.counts.requests, "failed": verdict.counts.failed}
    session.progress.event("baked", f"  baked {verdict.seconds:.0f} s: {verdict.counts}", color=color, **counted)
    return "users" if users.color_header else ""


def _roll_back(session: Session, watched: bake.Watch, verdict: bake.Verdict) -> NoReturn:
    """Moves users back to the color that served before, verifies that, and raises `ReleaseError` with status 11."""
    origin, color = watched.before.color, watched.color
    session.progress.event("worse", f"  {color} is worse: {verdict.worse}", color=color, reason=verdict.worse)
    try:
        rollback_now(session, origin)
    except ReleaseError as error:
        raise ReleaseError(
            error.status, f"{color} is worse than {origin}: {verdict.worse}\nThe rollback failed: {error}", error.code
        ) from None
    raise ReleaseError(
        Exit.ROLLED_BACK,
        f"{color} was worse than {origin} {verdict.seconds:.1f} s after it was activated, so users went back to {origin}.\n"
        f"  why:  {verdict.worse}\n"
        f"  next: look at {color} on the test route; fix it and deploy another image: bluegreen deploy {color} --image <tag>",
    )
