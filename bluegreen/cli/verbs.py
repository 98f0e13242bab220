"""What each word of the command does: gather and check first, then one update, then look with real requests."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from bluegreen.cli import bake, config_changes, emergency, history, plan, room, smoke, tested
from bluegreen.cli.config_changes import Changes
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.session import Session
from bluegreen.cli.stack import UpdateError
from bluegreen.cli.updates import Record
from bluegreen.probe import wait_for
from bluegreen.release import metadata, served
from bluegreen.release.about import FROM_STATE, About
from bluegreen.release.colors import other
from bluegreen.release.endpoint import Endpoint
from bluegreen.release.live import Live
from bluegreen.release.objects import annotation
from bluegreen.release.settings import PROJECT, Settings
from bluegreen.release.way_back import WayBack, way_back
from bluegreen.routing import LAYERS

# A pod that drains and stops in its usual time is gone by then; the cluster goes on by itself when it is not.
LEAVING_SECONDS = 120


def up(session: Session, about: About | None = None, changes: Changes | None = None) -> None:
    """Brings the environment to what its config says, with `changes`; if users moved, verifies with real requests who serves.

    With `about` the program refuses an update that does more than `about` covers; `up` from the state moves nobody.
    Raises `ReleaseError` with status 10 if users moved by the route and are not served by that color in time.
    """
    verb, before = str(about or "up"), _active(session)
    record = session.apply(verb, changes or {}, about=about or (FROM_STATE if session.is_from_state else None))
    after = session.live().active
    users = session.environment.known_users()
    is_moved = bool(after) and (after != before or _is_route_written(session, record))
    seen = [_verify(session, users, after, "users")] if is_moved and users else []
    _done(session, verb, [str(step) for step in record.ended if step.is_object], seen, is_unverified=is_moved and not users)


def _active(session: Session) -> str | None:
    """The color of the users by the route; None if the cluster cannot be read, which is for the program to refuse."""
    try:
        return session.live().active
    except ReleaseError as error:
        if error.status is Exit.CONFIG:
            raise
        return None


def _is_route_written(session: Session, record: Record) -> bool:
    """Whether an update wrote the object that decides about users: they may have been elsewhere for a moment before it."""
    settings = session.environment.settings()
    route = LAYERS[settings.routing].objects(settings.service.name)[0]
    return any((step.kind, step.name) == (route.kind, route.name) for step in record.ended)


def show_plan(session: Session, as_markdown: bool) -> None:
    """Shows what an update would do, also when it would be refused; the refusal then ends the command."""
    failure: UpdateError | None = None
    try:
        record = session.stack().preview()
    except UpdateError as error:
        record, failure = error.record, error
        record.errors = record.errors or [str(error)]
    settings = session.environment.settings()
    try:
        live = session.live()
    except ReleaseError:
        live = None  # the program has warned of that
    made = plan.make(record, settings, live, project=PROJECT, stack=session.environment.stack)
    plan.show(made, session.progress, as_markdown=as_markdown)
    if failure:
        raise failure


def deploy(session: Session, color: str, image: str, release: str | None) -> None:
    """Gives a color an image, and returns when its pods are ready."""
    up(session, About(verb="deploy", color=color), config_changes.deploy(color, image, release))


def decommission(session: Session, color: str, expect_served: bool = False) -> None:
    """Removes a color that users are not on, and returns when the last of its pods has left.

    The engine does not wait for that, and a color that is leaving cannot be deployed yet. With `expect_served` it is refused
    when users have never been on what the color runs: that is the next release, and not the last one.
    """
    settings = session.environment.settings()
    if expect_served:
        config_changes.expect_served(settings, color, history.served(session.stack().history(), color), f"decommission {color}")
    about = About(verb="decommission", color=color)
    record = session.apply(str(about), config_changes.decommission(settings, color), about=about)
    until = time.monotonic() + LEAVING_SECONDS
    while color in session.live().colors and time.monotonic() < until:
        session.progress.passing(f"{color} is leaving")
        time.sleep(1)
    _done(session, f"decommission {color}", [str(step) for step in record.ended if step.is_object])


def test(session: Session, color: str, checks: Path | None, command: Sequence[str]) -> None:
    """Sends testers to a color, waits until they arrive there, and runs the smoke tests. Raises with status 10."""
    listed = smoke.read(checks) if checks else []
    testers = session.environment.testers()
    about = About(verb="test", color=color)
    record = session.apply(str(about), config_changes.test(color), about=about)
    seen = _verify(session, testers, color, "testers")
    _done(session, str(about), [str(step) for step in record.ended if step.is_object], [seen])
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
            f"  next: mend it and deploy another image: bluegreen deploy {color} --image <tag>",
        )


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
    settings, users = session.environment.settings(), session.environment.users()
    if approval.release or approval.image:
        config_changes.approve(settings, session.live(), color, approval.release, approval.image)
    if approval.is_tested:
        tested.refuse_untested(session, color)
    if match_room:
        room.match(session, color)
    origin = session.live().active if bake_seconds else ""
    expect = approval.release or approval.image
    if origin in ("", color):
        _move(session, users, About(verb="activate", color=color), expect=expect)
        return
    session.progress.passing(f"looking at {origin} before the switch")
    compared = bake.before(users, origin, listed, bake.before_seconds(bake_seconds))
    watched = bake.Watch(endpoint=users, color=color, before=compared, seconds=bake_seconds)
    _move(session, users, About(verb="activate", color=color), expect=expect, watched=watched)


def _move(
    session: Session, users: Endpoint, about: About, expect: str | None = None, watched: bake.Watch | None = None
) -> None:
    """Moves users by one update, and verifies or bakes the color that they are on then."""
    changes = config_changes.activate(session.environment.settings(), about.color)
    verb = f"rollback to {about.color}" if about.verb == "rollback" else str(about)
    try:
        record = session.apply(verb, changes, about=about, expect=expect, watch=users)
        changed = [str(step) for step in record.ended if step.is_object]
    except ReleaseError as error:
        # The program has verified it, and users are not served (bluegreen:verify): the watch finds out whether to roll back.
        if not watched or error.status is not Exit.SMOKE_TEST_FAILED:
            raise
        session.progress.event("warning", f"warning: {error}", message=str(error))
        changed = []
    is_back = about.verb == "rollback"
    seen = _bake(session, watched) if watched else _verify(session, users, about.color, "users", is_back)
    _done(session, verb, changed, [seen])


def _bake(session: Session, watched: bake.Watch) -> str:
    """Watches the color that users are on now. If it is worse, moves users back first and raises the error afterwards.

    Returns what `_verify` returns, and raises as it does if users are not served by the color.
    """
    color, users = watched.color, watched.endpoint

    def tell(passed: float, counts: bake.Counts) -> None:
        session.progress.passing(f"baking {color}: {passed:.0f} of {watched.seconds:.0f} s, {counts}")

    def served() -> None:
        _served(session, users, color, "users", watched.counts.requests)

    session.progress.passing(f"baking {color}")
    seen = bake.requests(users, watched.before.patience_seconds, checks=watched.before.passing)
    verdict = bake.watch(watched, seen, served, tell)
    if verdict.worse:
        _roll_back(session, watched, verdict)
    if verdict.unserved:
        advice = "; users back: bluegreen rollback"
        raise _not_served(session, users, color, "users", f"{verdict.seconds:.0f} s", verdict.unserved, advice)
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
            error.status, f"{color} is worse than {origin}: {verdict.worse}\nThe rollback failed: {error}"
        ) from None
    raise ReleaseError(
        Exit.ROLLED_BACK,
        f"{color} was worse than {origin} {verdict.seconds:.1f} s after it was activated, so users went back to {origin}.\n"
        f"  why:  {verdict.worse}\n"
        f"  next: look at {color} on the test route; fix it and deploy another image: bluegreen deploy {color} --image <tag>",
    )


def rollback(session: Session, to: str | None, match_room: bool = False) -> None:
    """Moves users back to the color that served before, if it still runs what it ran then.

    Run twice, it does not move them forward again. With `match_room` that color first gets as many pods as serve users now.
    """
    settings, live, updates = session.environment.settings(), session.live(), session.stack().history()
    back = _way_back(settings, live, updates)
    if to is None and back.is_already and settings.active_color == back.color:
        active = settings.active_color
        text = f"nothing to do: users are back on {active} already. Forward again: bluegreen activate {other(active)}"
        session.progress.event("done", text, verb="rollback", changed=[], active=active, test=settings.test_color, verified=[])
        return
    target = to or back.color
    if not target or target not in settings.service.colors:
        raise ReleaseError(
            Exit.REFUSED,
            f"There is nothing to roll back to: {back.reason or f'{target} is not deployed'}.\n"
            f"Nothing was changed; {live.users}.\n"
            "  next: bluegreen status; to move users all the same, bluegreen activate COLOR",
        )
    config_changes.expect_served(settings, target, history.served(updates, target), f"activate {target}")
    if match_room:
        room.match(session, target)
    _move(session, session.environment.users(), About(verb="rollback", color=target))


def _way_back(settings: Settings, live: Live, updates: Sequence[history.Update]) -> WayBack:
    """By the route's record; a route of an older version has none, so then by the history of the stack."""
    route = live.objects.get(LAYERS[settings.routing].objects(settings.service.name)[0])
    record = served.read(annotation(route or {}, metadata.SERVED))
    if not record and history.is_back_already(updates, live.active):
        return WayBack(color=live.active, is_already=True)
    return way_back(live, record)


def rollback_now(session: Session, to: str | None, match_room: bool = False, moved: emergency.Moved | None = None) -> None:
    """Moves users by writing the route, then brings config and state to the same truth, then verifies who is served.

    See `emergency`. Not verified is a route with rules of somebody else, who may send users anywhere.

    `moved` is what was written already, None if nothing was. With `match_room` an ordinary update comes before that, and gives
    the color as many pods as serve users now.
    """
    if match_room:
        to = emergency.target(session.environment, to)
        room.match(session, to)
    if moved is None:
        moved = emergency.move(session.environment, to)
        emergency.report(session.progress, moved)
    changes: Changes = {config_changes.ACTIVE: moved.target, config_changes.TEST: moved.test or None}
    about = About(verb="rollback", color=moved.target)
    try:
        record = session.apply(f"rollback --now to {moved.target}", changes, about=about, route_alone=True)
    except ReleaseError as error:
        raise _behind(moved, error) from None
    users, live = session.environment.known_users(), session.live()
    is_ours = not live.foreign and not live.also
    seen = [_verify(session, users, moved.target, "users", is_back=True)] if users and is_ours else []
    changed = [str(step) for step in record.ended if step.is_object]
    _done(session, "rollback --now", changed, seen, is_unverified=users is None)


def _behind(moved: emergency.Moved, error: ReleaseError) -> ReleaseError:
    """The error of the update that was to follow the route."""
    users = f"Users are on {moved.target}" if moved.is_already else f"Users have moved to {moved.target}"
    status = Exit.UNEXPECTED_CHANGES if error.status in (Exit.REFUSED, Exit.CONFIG) else error.status
    text = f"{users} by the route, but this stack was not updated to say so:\n{error}"
    return ReleaseError(status, text if "  next: " in text else f"{text}\n  next: bluegreen plan, then bluegreen up")


def release(session: Session, tag: str, image: str | None, checks: Path | None, command: Sequence[str], goes_on: bool) -> None:
    """Deploys and tests what a tag such as v2.0-green names; with `goes_on` activates it when the smoke tests pass."""
    color, version = config_changes.lane(tag)
    if session.live().active == color:
        raise ReleaseError(
            Exit.REFUSED,
            f"Refused by the rule: the pods of the live color do not change in place\n"
            f"  asked:  {tag}, which goes to {color}\n"
            f"  live:   {color} serves the users\n"
            f"  remedy: Tag the release for the other lane: {tag.removesuffix(color)}{other(color)}\n\n"
            f"Nothing was changed; users stay on {color}.",
        )
    deploy(session, color, image or version, tag)
    test(session, color, checks, command)
    if goes_on:
        activate(session, color, Approval(release=tag))


def _verify(session: Session, endpoint: Endpoint, color: str, role: str, is_back: bool = False) -> str:
    """Waits until `color` serves `role`, by real requests. Returns `role`, or nothing if no answer names the color.

    Raises `ReleaseError` with status 10 if that does not happen in time; with `is_back` it does not advise to roll back.
    """
    session.progress.passing(f"asking who serves {role}")
    waited = wait_for(endpoint, color)
    if waited.is_served:
        return _served(session, endpoint, color, role, waited.requests)
    advice = "" if is_back or role != "users" else "; users back: bluegreen rollback"
    raise _not_served(session, endpoint, color, role, f"{waited.seconds:.0f} s", str(waited.last_other), advice)


def _served(session: Session, endpoint: Endpoint, color: str, role: str, requests: int) -> str:
    """Reports that 20 requests in a row were answered. Returns `role`, or nothing if no answer names the color."""
    seen = color if endpoint.color_header else ""
    text = f"{color} served 20 requests in a row"
    if not seen:
        text = "20 requests in a row were answered; no answer names the color (--color-header)"
    session.progress.event("verified", f"  {role}: {text}", role=role, color=seen, requests=requests)
    return role if seen else ""


def _not_served(
    session: Session, endpoint: Endpoint, color: str, role: str, time_passed: str, other: str, advice: str
) -> ReleaseError:
    return ReleaseError(
        Exit.SMOKE_TEST_FAILED,
        f"{role.capitalize()} at {endpoint.url} are not served by {color} {time_passed} after the update.\n"
        f"  seen:  {other}\n"
        f"  route: {session.where_users_are()}\n"
        f"  next:  bluegreen status{advice}",
    )


def _done(session: Session, verb: str, changed: list[str], seen: Sequence[str] = (), *, is_unverified: bool = False) -> None:
    """The last event of a verb: who gets which color by the route, and which of that was `seen` with real requests.

    With `is_unverified` users moved, and nothing says where to look.
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
