"""`--match-room`: gives a color as many pods as serve users now, in an update of its own, before users move to it."""

import time

from bluegreen.cli import config_changes
from bluegreen.cli.config_changes import Changes
from bluegreen.cli.outcomes import Exit, ReleaseError, refused
from bluegreen.cli.session import Session
from bluegreen.release.about import About
from bluegreen.release.colors import other
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.settings import ColorSettings

POLL_SECONDS = 1

# An autoscaler compares its limits with the number of pods every 15 s.
AUTOSCALER_SECONDS = 60


def match(session: Session, color: str | None) -> None:
    """Scales `color` to the ready pods of the live color, and returns when that many are ready.

    `color` is None for the color that users are not on. Does nothing when `color` has enough ready pods, or users are on it
    already. Users and testers stay where they are. Raises `ReleaseError`, with the status `REFUSED` when nothing was changed.
    """
    live = session.live()
    target = color or (other(live.active) if live.active else "")
    leaves, present = live.colors.get(live.active), live.colors.get(target)
    if target == live.active or leaves is None or present is None or present.ready >= leaves.ready:
        return
    pods = leaves.ready
    configured = session.selection.settings().service.colors.get(target)
    if configured is None:
        return  # the switch is refused, with the reason
    if 0 < configured.max_replicas < pods:
        raise _above_maximum(live, target, configured, pods)
    about = About(verb="scale", color=target)
    session.apply(f"{about} to {pods}", _scaled(live, target, pods), about=about)
    _wait(session, target, configured, pods)
    session.progress.event("scaled", f"  {target}: {pods} pods are ready, as many as of {live.active}", color=target, pods=pods)


def _scaled(live: Live, color: str, pods: int) -> Changes:
    """The number of pods, and users and testers as they are: the config file may ask for the move already."""
    return {f"{color}:replicas": str(pods), config_changes.ACTIVE: live.active, config_changes.TEST: live.test or None}


def _above_maximum(live: Live, color: str, configured: ColorSettings, pods: int) -> ReleaseError:
    refusal = Refusal(
        rule=Rule.ROOM,
        asked=f"{pods} pods of {color}",
        live=f"{live.active} serves with {pods} ready pods, and {color}:maxReplicas is {configured.max_replicas}",
        remedy=f"Raise it first: pulumi config set {color}:maxReplicas {pods}, then this command again.",
    )
    return refused(refusal, f"Nothing was changed; users stay on {live.active}.")


def _wait(session: Session, color: str, configured: ColorSettings, pods: int) -> None:
    patience_seconds = configured.ready_timeout_seconds + (AUTOSCALER_SECONDS if configured.max_replicas else 0)
    until = time.monotonic() + patience_seconds
    while True:
        live = session.live()
        present = live.colors.get(color)
        if present and present.ready >= pods:
            return
        if time.monotonic() > until or _is_scaled_by_others(present, configured, pods):
            raise ReleaseError(Exit.RESOURCE, _too_few(session, live, color, configured, pods))
        session.progress.passing(f"{color} has {present.ready if present else 0} of {pods} pods")
        time.sleep(POLL_SECONDS)


def _is_scaled_by_others(present: LiveColor | None, configured: ColorSettings, pods: int) -> bool:
    """Whether the update changed nothing: the state has the number already, and somebody has scaled the Deployment since."""
    return present is not None and not configured.max_replicas and present.replicas < pods


def _too_few(session: Session, live: Live, color: str, configured: ColorSettings, pods: int) -> str:
    present = live.colors.get(color)
    app, namespace = configured.app, session.selection.settings().namespace
    why, following = "they did not become ready in time", "bluegreen status, then this command again"
    if present is None:
        why = f"{color} is gone"
    elif _is_scaled_by_others(present, configured, pods):
        why = f"its Deployment has {present.replicas} replicas although the config has {pods}, so somebody else has scaled it"
        following = f"kubectl scale deployment/{app}-{color} --replicas={pods} --namespace {namespace}, then this command again"
    return (
        f"{color} has {present.ready if present else 0} ready pods and not {pods}: {why}.\n"
        f"Users were not moved; they are on {live.active}.\n  next: {following}"
    )
