"""What the engine asks before it writes an object: the rules that can only be judged at that moment.

A hook must never be silent when it refuses: the engine takes an error without words for none.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import cached_property

import pulumi

from bluegreen.backend import exists
from bluegreen.environment import LiveEnvironment
from bluegreen.kube.cluster import LiveError
from bluegreen.release import metadata
from bluegreen.release.objects import Object, annotation, is_terminating
from bluegreen.release.refusals import Refusal
from bluegreen.release.traffic import Move
from bluegreen.release.transition import Transition
from bluegreen.release.writes import creation, deployment_update, is_worker, route_overwrite, route_update

POLL_SECONDS = 0.3

# As long as the pods of a color that was just retired may take to leave.
LEAVING_SECONDS = 900

_IN_PREVIEW_TOO = pulumi.ResourceHookOptions(on_dry_run=True)


class Judge:
    """Tells what is refused from what the words of `bluegreen:allow` let pass with a warning."""

    def __init__(self, allow: Iterable[str]) -> None:
        self._allow = frozenset(allow)

    def refused(self, refusals: Iterable[Refusal]) -> list[Refusal]:
        """Those of `refusals` that stand."""
        standing = []
        for refusal in refusals:
            if refusal.exception in self._allow:
                pulumi.warn(f"bluegreen:allow has {refusal.exception}, so this goes on:\n{refusal}")
            else:
                standing.append(refusal)
        return standing

    def stop_at(self, refusals: Iterable[Refusal]) -> None:
        """Raises `RuntimeError` with those of `refusals` that stand, if any."""
        if refused := self.refused(refusals):
            raise RuntimeError("\n\n".join(map(str, refused)))


class Hooks:
    """The hooks of one run, each registered once and shared by all objects that it looks at.

    `beyond` yields the refusals of writing an object that is not what the subcommand is about.
    """

    def __init__(
        self,
        cluster: LiveEnvironment,
        judge: Judge,
        owner: str,
        transition: Transition,
        beyond: Callable[[Object | None, Object], Iterable[Refusal]] = lambda *_: (),
    ) -> None:
        self._cluster = cluster
        self._judge = judge
        self._owner = owner
        self._transition = transition
        self._beyond = beyond

    @cached_property
    def creation(self) -> pulumi.ResourceHook:
        """Before an object is created: that it is not there already. One that is leaving is given the time to."""

        async def is_not_there(args: pulumi.ResourceHookArgs) -> None:
            asked = args.new_inputs or {}
            kind, name = asked["kind"], asked["metadata"]["name"]
            try:
                found = await self._present(asked["apiVersion"], kind, name)
            except LiveError as error:
                if not pulumi.runtime.is_dry_run():
                    raise
                # Reading alone is enough for a preview, and reading Secrets is no part of that.
                pulumi.warn(f"{error}. So this preview does not say whether {kind} {name} is there already; an update looks.")
                return
            is_there = found is not None and not (is_terminating(found) and pulumi.runtime.is_dry_run())
            whose = annotation(found, metadata.OWNER) if found is not None and is_there else ""
            owner_exists = await asyncio.to_thread(exists, whose) if whose not in ("", self._owner) else None
            self._judge.stop_at(creation(f"{kind} {name}", found if is_there else None, self._owner, owner_exists))

        return pulumi.ResourceHook("is-not-there", is_not_there, _IN_PREVIEW_TOO)

    async def _present(self, api_version: str, kind: str, name: str) -> Object | None:
        """An object that is there; an update waits until one that is being deleted is gone."""
        until = time.monotonic() + LEAVING_SECONDS
        while found := await asyncio.to_thread(self._cluster.get, api_version, kind, name):
            if not is_terminating(found) or pulumi.runtime.is_dry_run() or time.monotonic() > until:
                break
            await asyncio.sleep(POLL_SECONDS)
        return found

    @cached_property
    def subject(self) -> pulumi.ResourceHook:
        """Before an object is created or updated: checks that the subcommand is about it."""

        def is_subject(args: pulumi.ResourceHookArgs) -> None:
            self._judge.stop_at(self._beyond(args.old_inputs or None, args.new_inputs or {}))

        return pulumi.ResourceHook("is-subject", is_subject, _IN_PREVIEW_TOO)

    @cached_property
    def deployment_update(self) -> pulumi.ResourceHook:
        """Before a Deployment is updated: that users do not move in the same update. Workers may be scaled then."""

        def moves_nobody(args: pulumi.ResourceHookArgs) -> None:
            old, new = args.old_inputs or {}, args.new_inputs or {}
            color, specs = new["metadata"]["labels"]["color"], (old["spec"], new["spec"])
            self._judge.stop_at(deployment_update(self._transition, color, *specs, is_of_worker=is_worker(new)))

        return pulumi.ResourceHook("moves-nobody", moves_nobody, _IN_PREVIEW_TOO)

    def route_update(self, moves: Move | None) -> pulumi.ResourceHook:
        """Before the route is updated: checks that it holds nothing that somebody else wrote.

        An update that `moves` users also checks that the target is still ready and has room for them.
        """

        async def may_be_written(args: pulumi.ResourceHookArgs) -> None:
            written = args.new_inputs or {}
            live = await asyncio.to_thread(self._cluster.live)
            refusals = [*route_overwrite(f"{written['kind']} {written['metadata']['name']}", live.foreign)]
            if moves and not pulumi.runtime.is_dry_run():
                refusals += route_update(moves, live)
            self._judge.stop_at(refusals)

        return pulumi.ResourceHook("route-may-be-written", may_be_written, _IN_PREVIEW_TOO)

    @cached_property
    def presence(self) -> pulumi.ResourceHook:
        """Before an object is updated that was not in the cluster: the provider could only say that it is not found."""

        async def is_there(args: pulumi.ResourceHookArgs) -> None:
            written = args.new_inputs or {}
            kind, name = written["kind"], written["metadata"]["name"]
            if not await asyncio.to_thread(self._cluster.get, written["apiVersion"], kind, name):
                raise RuntimeError(
                    f"{kind} {name} is in the state of this stack, and somebody has deleted it in the cluster.\n"
                    "  next: pulumi up --refresh creates it again."
                )

        return pulumi.ResourceHook("is-there", is_there, _IN_PREVIEW_TOO)
