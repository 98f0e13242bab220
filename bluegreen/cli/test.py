"""`test`: sends testers to a color and runs the smoke tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from bluegreen.cli import config_changes, smoke, tested
from bluegreen.cli.options import CHECKS, COLOR, COMMAND, changing
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.session import Session
from bluegreen.cli.verification import done, verify
from bluegreen.release.about import About
from bluegreen.release.endpoint import Endpoint


@click.command("test")
@COLOR
@CHECKS
@COMMAND
@changing
def command(session: Session, **arguments: Any) -> None:
    """Send testers to a color and run the smoke tests.

    Returns when 20 responses in a row come from the color and all smoke tests have passed; if not, the exit status is 10.
    COMMAND has BLUEGREEN_URL, BLUEGREEN_COOKIE, BLUEGREEN_HOST and BLUEGREEN_COLOR in its environment.
    """
    test(session, **arguments)


def test(session: Session, color: str, checks: Path | None, command: Sequence[str]) -> None:
    """Sends testers to a color, waits until they arrive there, and runs the smoke tests. Raises with status 10."""
    listed = smoke.read(checks) if checks else []
    testers = session.selection.testers()
    about = About(verb="test", color=color)
    record = session.apply(str(about), config_changes.test(color), about=about)
    seen = verify(session, testers, color, "testers")
    done(session, str(about), record.changed, [seen])
    smoke_test(session, testers, color, listed, command)


def smoke_test(session: Session, endpoint: Endpoint, color: str, checks: Sequence[smoke.Check], command: Sequence[str]) -> None:
    """Runs the checks, all of them, and then the command. Raises `ReleaseError` with status 10 when one fails."""
    failed = []
    for check in checks:
        outcome = smoke.run(check, endpoint)
        sign = f"FAILED: {outcome.failure}" if outcome.failure else f"{outcome.milliseconds} ms"
        session.progress.event(
            "check",
            f"  {outcome.name}: {sign}",
            name=outcome.name,
            passed=not outcome.failure,
            milliseconds=outcome.milliseconds,
            failure=outcome.failure,
        )
        failed += [outcome.name] if outcome.failure else []
    if command:
        # Machines read our stdout, so what the command prints goes to stderr then.
        status = smoke.run_command(command, endpoint, color, 2 if session.progress.is_json else None)
        passed = status == 0
        text = f"  {' '.join(command)}: {'passed' if passed else f'FAILED with exit status {status}'}"
        session.progress.event("check", text, name=" ".join(command), passed=passed, status=status)
        failed += [] if passed else [" ".join(command)]
    if checks or command:
        tested.remember(session, color, passed=not failed)
    if failed:
        raise ReleaseError(
            Exit.SMOKE_TEST_FAILED,
            f"{color} is not tested: {len(failed)} of the smoke tests failed: {', '.join(failed)}.\n"
            f"{session.where_users_are()}\n"
            f"  next: fix it and deploy another image: bluegreen deploy {color} --image <tag>",
        )
