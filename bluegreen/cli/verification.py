"""Verifies with real requests which color serves users or testers, and reports it at the end of a command."""

from collections.abc import Sequence

from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.session import Session
from bluegreen.probe import wait_for
from bluegreen.release.endpoint import Endpoint


def verify(session: Session, endpoint: Endpoint, color: str, role: str, is_back: bool = False) -> str:
    """Waits until `color` serves `role`, by real requests. Returns `role`, or nothing if no answer names the color.

    Raises `ReleaseError` with status 10 if that does not happen in time; with `is_back` it does not advise to roll back.
    """
    session.progress.passing(f"waiting until {color} serves {role}")
    waited = wait_for(endpoint, color)
    if waited.is_served:
        return report_served(session, endpoint, color, role, waited.requests)
    advice = "" if is_back or role != "users" else "; users back: bluegreen rollback"
    raise not_served(session, endpoint, color, role, f"{waited.seconds:.0f} s", str(waited.last_other), advice)


def report_served(session: Session, endpoint: Endpoint, color: str, role: str, requests: int) -> str:
    """Reports that 20 requests in a row were answered. Returns `role`, or nothing if no answer names the color."""
    seen = color if endpoint.color_header else ""
    text = f"{color} served 20 requests in a row"
    if not seen:
        text = "20 requests in a row were answered; no answer names the color (--color-header)"
    session.progress.event("verified", f"  {role}: {text}", role=role, color=seen, requests=requests)
    return role if seen else ""


def not_served(
    session: Session, endpoint: Endpoint, color: str, role: str, time_passed: str, other: str, advice: str
) -> ReleaseError:
    """The error for users or testers (`role`) that are not served by `color`; `other` is what answered instead."""
    return ReleaseError(
        Exit.SMOKE_TEST_FAILED,
        f"{role.capitalize()} at {endpoint.url} are not served by {color} {time_passed} after the update.\n"
        f"  seen:  {other}\n"
        f"  route: {session.where_users_are()}\n"
        f"  next:  bluegreen status{advice}",
    )


def done(session: Session, verb: str, changed: list[str], seen: Sequence[str] = (), *, is_unverified: bool = False) -> None:
    """The last event of a command: who gets which color by the route, and which of that was `seen` with real requests.

    With `is_unverified` users moved, and no address of theirs is known.
    """
    live = session.live()
    what = f"{len(changed)} object{'s' if len(changed) != 1 else ''} changed" if changed else "nothing to do"
    unverified = "; not verified: give --url, or bluegreen:url" if is_unverified else ""
    how = {role: "verified" if role in seen else "by the route" for role in ("users", "testers")}
    users = f"users: {live.active or 'none'} ({how['users']}{unverified}{f'; {live.foreign}' if live.foreign else ''})"
    testers = f"testers: {live.test} ({how['testers']})" if live.test else "testers: none"
    session.progress.event(
        "done",
        f"{verb}: {what}; {users}, {testers}",
        verb=verb,
        changed=changed,
        active=live.active,
        test=live.test,
        verified=[role for role in how if role in seen],
    )
