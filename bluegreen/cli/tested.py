"""Which pods have passed the smoke tests: a tag of the stack, so that whoever approves later can ask for it.

The tag holds the fingerprint of the color's pod template, so a color that got another image or other variables since is not
taken for tested.
"""

from bluegreen.cli.outcomes import ReleaseError, refused
from bluegreen.cli.session import Session
from bluegreen.release.refusals import Refusal, Rule


def _tag(color: str) -> str:
    return f"bluegreen:tested-{color}"


def _pods(session: Session, color: str) -> str:
    present = session.live().colors.get(color)
    return present.template if present else ""


def remember(session: Session, color: str, *, passed: bool) -> None:
    """Notes how the smoke tests of a color ended. A backend that keeps no tags is a warning: the tests ended as they did."""
    try:
        session.stack().tag(_tag(color), _pods(session, color) if passed else "failed")
    except ReleaseError as error:
        text = f"The outcome of the smoke tests could not be noted, so --expect-tested will refuse {color}: {error}"
        session.progress.event("warning", f"warning: {text}", message=text)


def refuse_untested(session: Session, color: str) -> None:
    """Raises `ReleaseError` when the pods that a color has now did not pass the smoke tests."""
    pods = _pods(session, color)
    noted = session.stack().tags().get(_tag(color), "")
    if pods and noted == pods:
        return
    known = {"": "were never tested", "failed": "failed their smoke tests"}.get(noted, "are newer than the last smoke test")
    refusal = Refusal(
        rule=Rule.APPROVED,
        asked=f"users to {color}, expecting it to be tested",
        live=f"the pods of {color} {known if pods else 'are not there'}",
        remedy=f"bluegreen test {color}, then this command again.",
    )
    raise refused(refusal, f"Nothing was changed; users stay on {session.live().active or 'nobody'}.")
