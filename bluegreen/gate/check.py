"""Where the rules of a release meet the engine: an update is refused here, colors are waited for, a switch is checked again.

What is refused is decided in `release/`. Nothing in the cluster is changed here.
"""

import asyncio
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pulumi

from bluegreen import backend
from bluegreen.environment import LiveEnvironment, claims
from bluegreen.gate.hooks import Hooks, Judge
from bluegreen.gate.migration import Migration
from bluegreen.gate.pods import PodsOfColor
from bluegreen.gate.variables import still_used
from bluegreen.gate.verification import Verification
from bluegreen.gate.workers import StartingWorker, StoppingWorker, starts_workers, wanted_pods
from bluegreen.kube.cluster import LiveError
from bluegreen.kube.rights import ROLES, deleted_without_end
from bluegreen.release import adoption as adopting
from bluegreen.release import metadata, ownership
from bluegreen.release.about import About
from bluegreen.release.live import Live
from bluegreen.release.manifest import Manifest
from bluegreen.release.notes import Notes
from bluegreen.release.objects import Object, Ref
from bluegreen.release.ownership import NOT_ASKED, Evidence
from bluegreen.release.refusals import Refusal
from bluegreen.release.settings import ColorSettings, Settings
from bluegreen.release.traffic import Move
from bluegreen.release.transition import Transition, Wanted, WantedColor, transition
from bluegreen.release.writes import write
from bluegreen.routing import find
from bluegreen.routing.base import Claims
from bluegreen.workload import source_of
from bluegreen.workload.base import NoteKind, Workload
from components.kubernetes_object import KubernetesObject


def wanted(settings: Settings, owner: str, live: Live, about: About | None = None, evidence: Evidence = NOT_ASKED) -> Wanted:
    """What the config asks for, in the terms of the rules. `about` is the subcommand that runs the update, if any.

    A color that is live as the config asks for it keeps its pod template hash, also if an earlier version gave it.
    """

    def template(color: ColorSettings) -> str:
        known, present = source_of(settings, color).pod_template_hashes(color), live.colors.get(color.name)
        return present.template if present and present.template in known else known[0]

    return Wanted(
        owner=owner,
        traffic=settings.traffic,
        expect=settings.expect,
        about=about,
        evidence=evidence,
        colors={
            name: WantedColor(
                image=color.image,
                template=template(color),
                release=color.release,
                is_autoscaled=color.max_replicas > 0,
            )
            for name, color in settings.service.colors.items()
        },
    )


class Gate:
    """One run of the program against one environment. `about` is the subcommand that runs the update, if any."""

    def __init__(self, settings: Settings, cluster: LiveEnvironment, owner: str, about: About | None = None) -> None:
        self._settings = settings
        self._layer = find(settings.routing)
        self._cluster = cluster
        self._owner = owner
        self._about = about
        self._judge = Judge(settings.allow)
        self._verification = Verification(settings)
        self._live = Live()
        self._transition = Transition(moves=None, changes=(), refusals=())
        # None as long as the cluster is not read: an update that goes on is not checked.
        self._hooks: Hooks | None = None
        self._notes: Notes | None = None

    async def check(self) -> None:
        """Reads what is live and refuses what the rules refuse. No object is registered before that.

        Raises `pulumi.RunError` with every refusal. A cluster that cannot be read is a warning in a preview and an error
        in an update.
        """
        try:
            self._live = await asyncio.to_thread(self._read)
        except LiveError as error:
            self._unread(error)
            return
        if self._live.colors and self._live.route_owner is None:
            await self._refuse_another_route()
        if not pulumi.runtime.is_dry_run():
            await self._refuse_endless_deletions()
        if self._about:
            self._live = await asyncio.to_thread(self._cluster.with_autoscalers, self._live)
        found = ownership.foreign(self._live, self._owner)
        evidence = await asyncio.to_thread(backend.evidence, self._owner, ownership.names(found)) if found else NOT_ASKED
        asked = wanted(self._settings, self._owner, self._live, self._about, evidence)
        self._transition = transition(self._live, asked)
        route = self._layer.route(self._settings.service)
        self._notes = Notes(
            live=self._live,
            wanted=asked,
            transition=self._transition,
            route=route,
            about=self._about,
            overwrites="overwrite-route" in self._settings.allow,
        )
        beyond = functools.partial(write, self._about, self._live, route, self._further())
        self._hooks = Hooks(self._cluster, self._judge, self._owner, self._transition, beyond)
        claimed = await asyncio.to_thread(self._claims)
        refusals = [*self._transition.refusals, *claimed.refusals, *self._of_adoption()]
        if refused := self._judge.refused(refusals):
            raise pulumi.RunError("\n\n".join(map(str, refused)) + "\n\n" + self._where_users_are())
        if found and ownership.is_renamed(found, self._owner, evidence):
            self._warn_of_rename(ownership.names(found))
        self._say_what_is_live(claimed)
        self._say_what_manifests_hold()

    def _warn_of_rename(self, before: Sequence[str]) -> None:
        pulumi.warn(
            f"{' and '.join(before)} is now {self._owner}: the state of this stack records the objects of the environment, and "
            "there is no stack of the old name. An update writes the new name to them and restarts no pods."
        )

    def _say_what_is_live(self, claimed: Claims) -> None:
        """Whether users move, and what somebody else has done to the host, to the route, or to the live color."""
        if moves := self._transition.moves:
            pulumi.info(f"Users move from {moves.origin} to {moves.target}.")
        for text in claimed.warnings:
            pulumi.warn(text)
        if self._live.foreign:
            pulumi.warn(
                f"The route holds what this program did not write: {self._live.foreign}. An update that writes the route is "
                "refused meanwhile."
            )
        if name := self._transition.drifted:
            color = self._live.colors[name]
            pulumi.warn(
                f"{name} runs {color.image}, which this stack did not deploy. It serves the users, so its pods stay as they "
                "are; when the users have moved away, pulumi up fixes it."
            )

    def _further(self) -> frozenset[Ref]:
        """The objects of the route, and beside it, that are there for other Services than that of the users."""
        service = self._settings.service
        every, alone = (
            {*self._layer.route(found), *self._layer.parts(found)}
            for found in (service, replace(service, shared=(service.users,)))
        )
        return frozenset(every - alone)

    def _say_what_manifests_hold(self) -> None:
        """What the manifests of the colors that this update deploys share and leave out, and what deserves a warning."""
        for name in self._transition.changes:
            color = self._settings.service.colors[name]
            notes = self._source(color).notes(color)
            for note in notes:
                if note.kind is NoteKind.WARNING:
                    pulumi.warn(f"{name}: {note}")
            for kind in (NoteKind.SHARED, NoteKind.LEFT_OUT):
                if texts := [note.text for note in notes if note.kind is kind]:
                    pulumi.info(f"{name}, {kind}: {' '.join(texts)}")

    def _read(self) -> Live:
        live = self._cluster.live()
        live = replace(live, objects={**live.objects, **self._cluster.parts()})
        adoption, service, color = self._settings.adopt, self._settings.service, self._settings.active_color
        if adoption is None:
            return live
        return adopting.seen(live, adoption, color, (service.pod_labels(color), service.pod_labels()), self._owner)

    async def _refuse_another_route(self) -> None:
        """Raises `pulumi.RunError` if the object that serves users has another name in the settings: it would be deleted."""
        if name := await asyncio.to_thread(self._cluster.route_of_another_name, self._owner):
            users = self._layer.route(self._settings.service)[0]
            raise pulumi.RunError(
                f"Users are served by {users.kind} {name}, and the config names {users.name} in its place. An update would "
                f"delete {name}, with its address.\n  next: name it {name} in the manifests of both colors, or: pulumi config "
                f"set service {name}\n\nNothing was changed."
            )

    async def _refuse_endless_deletions(self) -> None:
        """Raises `pulumi.RunError` if the account may delete objects that the provider then waits for without end."""
        try:
            kinds = deleted_without_end(await asyncio.to_thread(self._cluster.rights), self._layer.APIS)
        except LiveError:
            return  # rights that are not known refuse nothing; what is forbidden is refused when it is tried
        if kinds:
            raise pulumi.RunError(
                f"The account has the right to delete and no right to list {', '.join(kinds)} in namespace "
                f"{self._settings.namespace}. Pulumi lists them to see that a deleted one is gone, and would wait for ever.\n"
                f"  next: give it the right to list; {ROLES}.\n\n{self._where_users_are()}"
            )

    def _claims(self) -> Claims:
        """Who else claims the host. An update that moves users does not look: the host stays as it is."""
        return Claims() if self._transition.moves else claims(self._cluster, self._settings)

    def _of_adoption(self) -> Iterable[Refusal]:
        """Why the adoption that the config describes is none any more."""
        if not (adoption := self._settings.adopt):
            return ()
        return adopting.ended(adoption, {ref.name: self._live.objects.get(ref) for ref in adoption.refs}, self._owner)

    def _unread(self, error: LiveError) -> None:
        if pulumi.runtime.is_dry_run():
            pulumi.warn(f"{error}. The rules of a release are not checked in this preview; an update would be refused.")
        elif "unread" in self._settings.allow:
            pulumi.warn(
                f"{error}. The rules of a release are not checked, and no color is waited for: bluegreen:allow has unread."
            )
        else:
            raise pulumi.RunError(
                f"{error}\nWhat is live decides whether an update is safe, so nothing was changed. Fix that, or the access to "
                "the cluster (bluegreen:context, KUBECONFIG). To update without the rules, add unread to bluegreen:allow."
            ) from None

    def _where_users_are(self) -> str:
        return f"Nothing was changed; {self._live.users}." if self._live.route_owner is not None else "Nothing was changed."

    def ready(self, color: ColorSettings, deployment: KubernetesObject) -> pulumi.Output[bool]:
        """Resolves when every pod of the Deployment is ready, to whether this update has written its spec.

        Fails with the pod, the container, the reason, the last log lines and events and what to do, as soon as a problem is
        final (`kube/readiness.py`), and at the latest after `ready_timeout_seconds`.
        """

        async def wait(metadata: Any) -> bool:
            present = self._live.colors.get(color.name)
            # Kubernetes counts the changes of a spec. The state has the number of the latest write.
            is_written = present is None or int(metadata.get("generation", 0)) > present.generation
            if self._is_awaited(color.name, is_written=is_written):
                await PodsOfColor(self._cluster, color, self._source(color), self._live, self._where()).until_ready(deployment)
            return is_written

        return deployment.urn.apply(lambda _: False) if pulumi.runtime.is_dry_run() else deployment.metadata.apply(wait)

    def still_used(self, color: ColorSettings, ready: pulumi.Output[bool]) -> pulumi.Output[list[Object]]:
        """The ConfigMaps and Secrets of other values that pods of the color use when it is `ready`.

        A color that this update waits for has none. The live color is not waited for: when its last change failed, its old pods
        serve the users with the old values.
        """

        async def look(is_written: bool) -> list[Object]:
            if not self._may_use_others(color, is_written=is_written):
                return []
            try:
                return await asyncio.to_thread(still_used, self._cluster, self._source(color), color, self._owner)
            except LiveError as error:
                if self._hooks and not pulumi.runtime.is_dry_run():
                    raise pulumi.RunError(f"{error}\nNo ConfigMap and no Secret was deleted. Run pulumi up again.") from None
                seen = (
                    "This preview may show deletions of ConfigMaps and Secrets that the update does not make"
                    if pulumi.runtime.is_dry_run()
                    else f"ConfigMaps and Secrets that only pods of {color.name} use are deleted"
                )
                pulumi.warn(f"{error}. {seen}.")
                return []

        return ready.apply(look)

    def _may_use_others(self, color: ColorSettings, *, is_written: bool) -> bool:
        """Whether pods of the color may use other values than those in the config, as far as what was live before shows."""
        present = self._live.colors.get(color.name)
        if not self._hooks:
            return not pulumi.runtime.is_dry_run()
        if present is None:
            return False
        if pulumi.runtime.is_dry_run():
            return not present.is_settled and color.name not in self._transition.changes
        return is_written or color.name in self._transition.changes or not present.is_settled

    def _is_awaited(self, color: str, *, is_written: bool) -> bool:
        """Whether this update changes a color, or may send somebody to it who is not there yet.

        The color that serves users is not waited for as long as its pods stay as they are: what it lacks is a reason to
        leave it, and must not hold up the way out. The color they move to is judged by the rules. A subcommand waits for the
        color that it is about, and for no other one that stays as it is.
        """
        if not self._hooks:
            return False
        if is_written:
            return True
        if self._about and color != self._about.color:
            # A color that users have just left by `rollback --now` is often one that never becomes ready again.
            return False
        serves = {*self._live.serving, *(self._transition.moves or ())}
        return color not in serves and not self._live.colors[color].is_ready

    def migrated(self, color: ColorSettings, job: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when the migration has succeeded, or the color was deployed after it.

        Fails with its log if it has failed, and with the reason if it does not start: as soon as the problem is final, and at
        the latest after `ready_timeout_seconds`.
        """

        async def wait(_: Any) -> None:
            await Migration(self._cluster, color, self._source(color), self._live, self._where()).until_done(job)

        return job.urn if pulumi.runtime.is_dry_run() else job.urn.apply(wait)

    def worker_started(self, color: ColorSettings, manifest: Manifest, deployment: KubernetesObject) -> pulumi.Output[Any]:
        """Resolves when every pod of a worker of the active color is ready; fails as `ready` does.

        Waits when this update starts the worker, or moves users: the route is not written before. A worker that runs already
        is not waited for, as the live color is not.
        """

        async def wait(metadata: Any) -> None:
            present = self._live.workers.get(manifest.name)
            is_written = present is None or int(metadata.get("generation", 0)) > present.generation
            if self._hooks and (is_written or self._transition.moves or not self._live.serving):
                started = StartingWorker(self._cluster, color, self._settings, self._live, self._where(), manifest)
                await started.until_ready(deployment)

        is_awaited = wanted_pods(manifest) and not pulumi.runtime.is_dry_run()
        return deployment.metadata.apply(wait) if is_awaited else deployment.urn

    def worker_stopped(self, color: ColorSettings, manifest: Manifest, deployment: KubernetesObject) -> pulumi.Output[Any]:
        """Resolves when no pod of a worker runs any more, if workers of the active color start after it in this update.

        Fails with the names of the pods when they stay.
        """

        async def wait(_: Any) -> None:
            if self._hooks and self._starts_workers():
                stopping = StoppingWorker(self._cluster, color, self._source(color), self._live, self._where())
                await stopping.until_gone(manifest, deployment)

        is_awaited = self._settings.stops_workers_first and not pulumi.runtime.is_dry_run()
        return deployment.metadata.apply(wait) if is_awaited else deployment.urn

    def _starts_workers(self) -> bool:
        """Whether this update starts workers of the active color that do not run."""
        active = self._settings.service.colors[self._settings.active_color]
        workers = self._source(active).workers(active, running=True)
        wanted = {worker.name: wanted_pods(worker) for worker in workers if worker.kind == "Deployment"}
        return starts_workers(self._settings, self._live, wanted)

    def _source(self, color: ColorSettings) -> Workload:
        return source_of(self._settings, color)

    def _where(self) -> str:
        context = f" --context {self._settings.context}" if self._settings.context else ""
        return f"--namespace {self._settings.namespace}{context}"

    def route_hooks(self) -> pulumi.ResourceHookBinding | None:
        """What looks at the route, and at the target when users move, before the route is written, and what notes the write."""
        written = self._verification.hooks()
        if not self._hooks:
            return pulumi.ResourceHookBinding(after_create=written, after_update=written) if written else None
        target = self._settings.active_color
        # Users who are split are gathered on the target, although most of them may be there already.
        moves = self._transition.moves or next((Move(name, target) for name in sorted(self._live.also - {target})), None)
        looks = self._hooks.route_update(moves)
        return pulumi.ResourceHookBinding(before_update=[looks], after_create=written, after_update=written)

    def verified(self, route: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when users are served by the active color, if the config asks for that; fails with who answers instead."""

        async def wait(_: Any) -> None:
            await self._verification.until_served(route)

        is_asked = self._settings.verify and not pulumi.runtime.is_dry_run()
        return route.urn.apply(wait) if is_asked else route.urn

    def guard(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        """Transformation of whatever is registered, for what holds for all objects of the cluster.

        1. An object is created only when it is not there yet.
        2. The Deployment of a color is not updated while users move. Those of workers are, in their number of pods.
        3. A subcommand writes what it is about.
        4. The pod template of a color stays as it was deployed until the color changes, whatever this version would write. That
           of the live color stays even if somebody has changed it beside this stack; that of another one is then written anew.
        5. What somebody has changed beside this stack is written again; see `release.notes`.
        """
        if not args.type_.startswith("kubernetes:"):
            return None
        if not self._hooks or not self._notes:
            return _unnoted(args)
        props: Any = args.props
        ref = Ref(props["apiVersion"], props["kind"], props["metadata"]["name"])
        is_deployment = ref.kind == "Deployment"
        subject = [self._hooks.subject] if self._about else []
        presence = [self._hooks.presence] if self._notes.is_gone(ref) else []
        nobody_moves = [self._hooks.deployment_update] if is_deployment else []
        hooks = pulumi.ResourceHookBinding(
            before_create=[*subject, self._hooks.creation], before_update=[*subject, *presence, *nobody_moves]
        )
        added = pulumi.ResourceOptions(hooks=hooks)
        color = props["metadata"]["labels"].get("color")
        if is_deployment and color not in self._transition.changes:
            props = _noted(props, {metadata.TEMPLATE: self._live.colors[color].template})
            if color in self._live.serving or not self._notes.is_changed(ref, _pod_template(props)):
                # The engine keeps its own inputs, those of when the color was deployed.
                added.ignore_changes = ["spec.template"]
        options = pulumi.ResourceOptions.merge(args.opts, added)
        ignored = [tuple(path.split(".")) for path in options.ignore_changes or ()]
        if self._notes.is_changed(ref, props, ignored):
            pulumi.info(f"{ref} was changed beside this stack, so it is written again.")
        return pulumi.ResourceTransformationResult(_noted(props, self._notes.annotations(ref, props, ignored)), options)


def _pod_template(props: Any) -> dict[str, Any]:
    """A Deployment that holds its pod template and nothing else that could be written."""
    return {"metadata": {"labels": props["metadata"]["labels"]}, "spec": {"template": props["spec"]["template"]}}


def _noted(props: Any, annotations: Mapping[str, str]) -> dict[str, Any]:
    """An object with these annotations added."""
    metadata = props["metadata"]
    return {**props, "metadata": {**metadata, "annotations": {**metadata["annotations"], **annotations}}}


def _unnoted(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
    """Without a look at the cluster the annotations stay what they are in the state."""
    kept = [f'metadata.annotations["{name}"]' for name in metadata.names(metadata.SERVED, metadata.REPLACES)]
    options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(ignore_changes=kept))
    return pulumi.ResourceTransformationResult(args.props, options)
