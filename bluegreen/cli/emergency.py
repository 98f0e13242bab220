"""`rollback --now`: users first, everything else afterwards.

The first half is on the clock: from Enter to the last answer of the bad color. It runs before Pulumi is imported: it reads the
config file, the route and the Deployments, checks whose they are, writes the route and reads it back. The second half is an
ordinary update (`rollback.rollback_now`), which must find nothing else to do.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bluegreen import backend
from bluegreen.cli.json_patch import annotated, unchanged
from bluegreen.cli.outcomes import Exit, ReleaseError, refused
from bluegreen.cli.progress import Progress
from bluegreen.cli.project import project_name
from bluegreen.cli.selection import Selection
from bluegreen.environment import LiveEnvironment
from bluegreen.kube.api_error import ApiError
from bluegreen.kube.cluster import LiveError
from bluegreen.kube.kubeconfig import KubeconfigError
from bluegreen.release import metadata, ownership, served
from bluegreen.release.colors import other
from bluegreen.release.live import Live
from bluegreen.release.objects import Ref, annotation, value_at
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.settings import Settings
from bluegreen.release.traffic import Traffic
from bluegreen.release.way_back import way_back
from bluegreen.routing import find
from bluegreen.routing.base import Operations

# How often the route is read and written again if somebody else writes it at the same time.
ATTEMPTS = 5

# The API server's answers to a patch that expects another version of the object.
_CONFLICTS = (409, 422)


@dataclass(frozen=True, kw_only=True)
class Moved:
    """What the first half has done: users went from `origin` to `target`; testers go to `test`, or there are none.

    `is_already`: users were on `target` before. `has_workers`: a color has workers, which stay as they are until the stack is
    updated. `place` names the context and the server. `warnings` are sentences.
    """

    origin: str
    target: str
    test: str
    place: str
    seconds: float = 0
    is_already: bool = False
    has_workers: bool = False
    warnings: tuple[str, ...] = ()


def move(selection: Selection, color: str | None) -> Moved:
    """Writes the route so that users are on `color`; without one, on what they were on before.

    Raises `ReleaseError`, with the status `REFUSED` if nothing was written. Its message says where users are as far as it was
    read.
    """
    began = time.monotonic()
    emergency, first = _begun(selection)
    live, target, is_written = first, emergency.target(first, color), False
    for _ in range(ATTEMPTS):
        if not (users := emergency.operations(live, target)[0]):
            break
        failure = emergency.write(live, emergency.route[0], users)
        is_written = is_written or failure is None or failure.is_uncertain
        before, live = live, emergency.read_back(failure)
        if failure is None or live.active == target:
            break
        if not _is_passing(failure, before, live, emergency.route[0]):
            raise emergency.not_written(failure, live)
        if not is_written:  # somebody else has written the route, so it may lead elsewhere now
            target = emergency.target(live, color)
    if live.active != target:
        raise emergency.not_moved(live, target)
    warnings = [*_unread(emergency.settings), *_warnings(first, live, target), *emergency.moved_others(live, target)]
    return Moved(
        origin=first.active,
        target=target,
        test=emergency.testers(live, target),
        place=emergency.place,
        seconds=time.monotonic() - began,
        is_already=not is_written,
        has_workers=bool(live.workers),
        warnings=tuple(warnings),
    )


def target(selection: Selection, color: str | None) -> str:
    """The color that `move` would move users to now. Raises `ReleaseError`."""
    emergency, live = _begun(selection)
    return emergency.target(live, color)


def report(progress: Progress, moved: Moved) -> None:
    """Says what the first half has done, and where."""
    for warning in moved.warnings:
        progress.event("warning", f"warning: {warning}", message=warning)
    if moved.is_already:
        forward = "" if moved.origin != moved.target else f" Forward again: bluegreen activate {other(moved.target)}"
        text = f"users are on {moved.target} already ({moved.place}).{forward}"
        progress.event("already", text, target=moved.target, place=moved.place)
        return
    took = f"written and read back in {moved.seconds * 1000:.0f} ms"
    text = f"users: {moved.origin or 'unknown'} -> {moved.target}, {took} ({moved.place})"
    text += "; workers follow with the update" if moved.has_workers else ""
    progress.event("moved", text, origin=moved.origin, target=moved.target, place=moved.place)


def is_mine(owner: str, stack: str) -> bool:
    """Whether `owner` (organization/project/stack) is the stack of this project that `stack` names.

    `stack` is a name, organization/name, project/name, or all three.
    """
    organization, _, rest = owner.partition("/")
    project, _, name = rest.partition("/")
    *before, last = stack.split("/")
    given = before if len(before) != 1 or before[0] not in (organization, project) else []
    return bool(name) and name == last and project == project_name() and given in ([], [organization, project])


def _begun(selection: Selection) -> "tuple[_Emergency, Live]":
    settings, cluster = selection.place(), selection.cluster()
    try:
        place, live = cluster.place(), cluster.live()
    except LiveError as error:
        raise ReleaseError(Exit.ERROR, f"{error}\nNothing was written.") from None
    route = find(settings.routing).route(settings.service)
    return _Emergency(stack=selection.stack, settings=settings, cluster=cluster, place=place, route=route), live


@dataclass(frozen=True, kw_only=True)
class _Emergency:
    """One environment in an emergency. `route` are the objects of its route, the users' first."""

    stack: str
    settings: Settings
    cluster: LiveEnvironment
    place: str
    route: tuple[Ref, ...]

    def target(self, live: Live, color: str | None) -> str:
        """Where users go. Raises `ReleaseError` if that color, or the environment, must not be touched."""
        back = way_back(live, served.read(self._record(live)))
        wanted = color or back.color
        self._refuse_others(live, wanted)
        if not wanted:
            raise self._refused(live, Rule.LAST_RELEASE, "users back to what served before", back.reason, _named(live))
        present = live.colors.get(wanted)
        if live.serving == {wanted} or (present and present.ready > 0):
            return wanted
        state = f"0 of {present.replicas} pods of {wanted} are ready" if present else f"{wanted} is not deployed"
        asked = f"users from {live.active or 'where they are'} to {wanted}"
        remedy = f"Bring {wanted} up first, or fix {live.active or 'the environment'}."
        raise self._refused(live, Rule.READY, asked, state, remedy)

    def operations(self, live: Live, target: str) -> list[Operations]:
        """What to write into each object of the route, that of the users first. Empty for what stands there already."""
        found = [live.objects.get(ref) for ref in self.route]
        traffic = Traffic.to(target, self.testers(live, target))
        # By the labels that the pods have now: those of the config may be of pods that are not deployed yet.
        labels = {name: color.labels for name, color in live.colors.items() if color.labels}
        service = replace(self.settings.service, labels=labels)
        users, *others = find(self.settings.routing).move(service, found, traffic)
        is_moved = live.serving == {target} or not users
        return [[] if is_moved else [*self._recorded(live, target), *users], *others]

    def moved_others(self, live: Live, target: str) -> Iterator[str]:
        """Moves the other objects of the route, when that of the users is written. Yields what could not be moved, in words."""
        for ref, operations in zip(self.route[1:], self.operations(live, target)[1:], strict=True):
            if operations and (failure := self.write(live, ref, operations)):
                what = "testers were" if ref == self.route[-1] else f"{ref} was"
                yield f"{what} not moved yet: {failure}"

    def testers(self, live: Live, target: str) -> str:
        """The color of the testers when users are on `target`: the other one, if there are testers and it is deployed."""
        idle = other(target)
        return idle if live.test and idle in live.colors and idle in self.settings.service.colors else ""

    def write(self, live: Live, ref: Ref, operations: Operations) -> ApiError | None:
        """Writes an object if nobody else has written it since it was read. Returns why it failed, None if it did not."""
        try:
            self.cluster.client.patch(*ref, [unchanged(live.objects.get(ref)), *operations], metadata.EMERGENCY_MANAGER)
        except ApiError as error:
            return error
        except KubeconfigError as error:  # a login that has expired meanwhile
            return ApiError(str(error))
        return None

    def read_back(self, failure: ApiError | None) -> Live:
        """What is live after a write that succeeded, or ended with `failure`."""
        try:
            return self.cluster.live()
        except LiveError as error:
            wrote = f"{self.route[0]} could not be written: {failure}" if failure else f"{self.route[0]} was written"
            raise ReleaseError(
                Exit.RESOURCE,
                f"{wrote}.\nIt could not be read back, so where users are is not known: {error}\n"
                "  next: bluegreen status; if users have not moved, this command again.",
            ) from None

    def not_written(self, failure: ApiError, live: Live) -> ReleaseError:
        return ReleaseError(
            Exit.RESOURCE,
            f"{self.route[0]} could not be written: {failure}\n"
            f"Read again afterwards, it is as before: {live.users} ({self.place}).\n"
            "  next: this command again, or bluegreen rollback.",
        )

    def not_moved(self, live: Live, target: str) -> ReleaseError:
        why = live.foreign or f"somebody else writes it at the same time; it leads to {live.active or 'no color'} now"
        return ReleaseError(
            Exit.RESOURCE,
            f"Users are not on {target} by the route as it was read last ({self.place}): {why}.\n"
            f"  next: look at it (kubectl get {self.route[0].kind.lower()} {self.route[0].name} "
            f"--namespace {self.settings.namespace} -o yaml), then this command again.",
        )

    def _record(self, live: Live) -> str:
        return annotation(live.objects.get(self.route[0]) or {}, metadata.SERVED)

    def _recorded(self, live: Live, target: str) -> Operations:
        """Keeps the record of who has served. A route without one was written by an older version: users go back on it."""
        origin, arrives = live.entry(live.active), live.entry(target)
        known = served.read(self._record(live)) or tuple(entry for entry in (origin, arrives) if entry)
        running = {name: color.template for name, color in live.colors.items()}
        text = served.written(served.after_move(known, origin, arrives, running)) if arrives else ""
        if not text or text == self._record(live):
            return []
        return annotated(live.objects.get(self.route[0]), metadata.SERVED, text)

    def _refuse_others(self, live: Live, color: str) -> None:
        """Refuses to touch what belongs to another stack, or to nobody, or a route that does not exist."""
        if live.route_owner is None:
            remedy = "pulumi up --refresh creates it again, if this stack has had it."
            raise self._refused(live, Rule.RUNS_ALREADY, "users back", f"{self.route[0]} does not exist", remedy)
        owners = {str(self.route[0]): live.route_owner}
        if color in live.colors:
            owners[f"the Deployment of {color}"] = live.colors[color].owner
        known = {what: owner for what, owner in owners.items() if owner}
        others = {what: owner for what, owner in known.items() if not is_mine(owner, self.stack)}
        if known and not others:
            return
        whose = sorted(set(others.values()))
        mine = f"{whose[0].partition('/')[0]}/{project_name()}/{self.stack.rpartition('/')[2]}" if whose else ""
        found = ownership.foreign(live, mine) if whose else []
        # Half a second, only here: a stack that was renamed is still the owner.
        evidence = backend.evidence(mine, ownership.names(found)) if whose else ownership.NOT_ASKED
        if whose and ownership.is_renamed(found, mine, evidence):
            return
        remedy = "Check bluegreen:context, bluegreen:namespace and bluegreen:app of this stack."
        if whose and evidence.stacks.get(whose[0]) is not False:
            remedy = f"If that is the environment you mean: bluegreen rollback --now --stack {whose[0]}."
        named = sorted(others or owners)
        belong = "belongs" if len(named) == 1 else "belong"
        raise self._refused(
            live,
            Rule.ONE_OWNER,
            f"users back, by the stack {self.stack}",
            f"{' and '.join(named)} {belong} to {f'the stack {whose[0]}' if whose else 'no stack'}",
            remedy,
        )

    def _refused(self, seen: Live, rule: Rule, asked: str, live: str, remedy: str) -> ReleaseError:
        refusal = Refusal(rule=rule, asked=asked, live=live, remedy=remedy)
        return refused(refusal, f"Nothing was written; {seen.users} ({self.place}).")


def _named(live: Live) -> str:
    deployed = [name for name in live.colors if name != live.active]
    return f"If you mean it, name the color: bluegreen rollback --now {next(iter(sorted(deployed)), 'COLOR')}"


def _version(live: Live, ref: Ref) -> Any:
    return value_at(live.objects.get(ref), "metadata", "resourceVersion")


def _is_passing(failure: ApiError, before: Live, after: Live, ref: Ref) -> bool:
    """Whether to try again: somebody else has written the object meanwhile, or nobody knows what became of the write."""
    if failure.status in _CONFLICTS:
        return bool(_version(before, ref) != _version(after, ref))
    return failure.is_uncertain


def _unread(settings: Settings) -> Iterator[str]:
    for name, color in settings.service.colors.items():
        if color.snapshot and not color.snapshot.documents:
            users = settings.service.users.name
            yield f"{name}:manifest ({color.snapshot.path}) cannot be read; the Service of the users is taken to be {users}"


def _warnings(before: Live, after: Live, target: str) -> Iterator[str]:
    present, left = after.colors.get(target), before.colors.get(before.active)
    if present:
        few = f"{target} has {present.ready} of {present.replicas} pods ready"
        if left and before.active != target and present.ready < left.ready:
            yield f"{few}; {before.active} served with {left.ready}"
        elif not present.is_ready:
            yield few if present.ready < present.replicas else f"{few}, and pods are being replaced"
    if after.foreign:
        yield f"the route holds what this program did not write, and it stays: {after.foreign}"
