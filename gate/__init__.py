"""Where the rules of a release meet the engine: an update is refused here, colors are waited for, a switch is checked again.

What is refused is decided in `release/`. Nothing in the cluster is changed here.
"""

import asyncio
import time
from typing import Any

import pulumi

from components.pods import fingerprint, job_name, name_of
from gate.hooks import POLL_SECONDS, Hooks, Judge
from release.live import Cluster, Live, LiveError, Object
from release.readiness import Trouble, failure, lost, trouble
from release.settings import ColorSettings, Settings
from release.transition import Transition, Wanted, WantedColor, transition


def wanted(settings: Settings, owner: str) -> Wanted:
    """What the config asks for, in the terms of the rules."""
    return Wanted(
        owner=owner,
        active=settings.active_color,
        test=settings.test_color,
        expect=settings.expect,
        colors={
            name: WantedColor(image=color.image, template=fingerprint(color), release=color.release)
            for name, color in settings.service.colors.items()
        },
    )


class Gate:
    """One run of the program against one environment."""

    def __init__(self, settings: Settings, cluster: Cluster, owner: str) -> None:
        self._settings = settings
        self._cluster = cluster
        self._owner = owner
        self._judge = Judge(settings.allow)
        self._live = Live()
        self._transition = Transition(moves=None, changes=(), refusals=())
        # None as long as the cluster is not read: whoever goes on then goes on blindly.
        self._hooks: Hooks | None = None

    async def check(self) -> None:
        """Reads what is live and refuses what the rules refuse. No object is registered before that.

        Raises `pulumi.RunError` with every refusal. A cluster that cannot be read is a warning in a preview and an error
        in an update.
        """
        try:
            self._live = await asyncio.to_thread(self._cluster.live)
        except LiveError as error:
            self._unread(error)
            return
        self._transition = transition(self._live, wanted(self._settings, self._owner))
        self._hooks = Hooks(self._cluster, self._judge, self._owner, self._transition)
        if refused := self._judge.refused(self._transition.refusals):
            raise pulumi.RunError("\n\n".join(map(str, refused)) + "\n\n" + self._where_users_are())
        if name := self._transition.drifted:
            color = self._live.colors[name]
            pulumi.warn(
                f"{name} runs {color.image}, which this stack did not deploy. It serves the users, so its pods stay as they "
                "are; when the users have moved away, pulumi up --refresh mends it."
            )

    def _unread(self, error: LiveError) -> None:
        if pulumi.runtime.is_dry_run():
            pulumi.warn(f"{error}. The rules of a release are not checked in this preview; an update would be refused.")
        elif "unread" in self._settings.allow:
            pulumi.warn(
                f"{error}. The rules of a release are not checked, and no color is waited for: bluegreen:allow has unread."
            )
        else:
            raise pulumi.RunError(
                f"{error}\nWhat is live decides whether an update is safe, so nothing was changed. Mend the access "
                "to the cluster (bluegreen:context, KUBECONFIG), or add unread to bluegreen:allow."
            ) from None

    def _where_users_are(self) -> str:
        return f"Nothing was changed; users stay on {self._live.active}." if self._live.active else "Nothing was changed."

    def ready(self, color: ColorSettings, deployment: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when every pod of the Deployment is ready.

        Fails with the pod, the reason, the last events and log lines and what to do, as soon as it is certain that
        waiting cannot help, and at the latest after `ready_timeout_seconds`.
        """

        async def wait(_: Any) -> None:
            if not self._is_awaited(color.name):
                return
            began = time.monotonic()
            said = ""
            while found := await asyncio.to_thread(self._trouble, color, time.monotonic() - began):
                waited = time.monotonic() - began
                if found.is_certain or waited >= color.ready_timeout_seconds:
                    raise pulumi.RunError(await asyncio.to_thread(self._failure, color, found, waited))
                if found.message != said:
                    said = found.message
                    pulumi.info(f"{found.pod or color.name}: {found.message}", deployment, ephemeral=True)
                await asyncio.sleep(POLL_SECONDS)

        return deployment.urn if pulumi.runtime.is_dry_run() else deployment.urn.apply(wait)

    def _is_awaited(self, color: str) -> bool:
        """Whether this update changes a color, or may send somebody to it who is not there yet.

        The color that serves users is not waited for as long as its pods stay as they are: what it lacks is a reason to
        leave it, and must not hold up the way out. The color they move to is judged by the rules.
        """
        if not self._hooks:
            return False
        if color in self._hooks.rewritten or color not in self._live.colors:
            return True
        serves = {self._live.active, *(self._transition.moves or ())}
        return color not in serves and not self._live.colors[color].is_ready

    def _trouble(self, color: ColorSettings, waited_seconds: float) -> Trouble | None:
        try:
            deployment = self._cluster.get("apps/v1", "Deployment", name_of(color))
            pods = self._cluster.pods(deployment) if deployment else []
        except LiveError as error:  # an API server that restarts comes back
            return Trouble(reason="ClusterNotRead", message=str(error), advice="Mend the access to the cluster.")
        if deployment is None:
            advice = "Bring it back: pulumi up --refresh. If this is another cluster than before, put bluegreen:context back."
            return Trouble(reason="Missing", message="the Deployment is gone", advice=advice, is_certain=True)
        return trouble(deployment, pods, waited_seconds)

    def _failure(self, color: ColorSettings, found: Trouble, waited_seconds: float) -> str:
        until = "waiting longer cannot help" if found.is_certain else "readyTimeoutSeconds is over"
        lines = [f"{name_of(color)} did not become ready in {waited_seconds:.0f} s; {until}."]
        lines += [f"  reason: {found.reason}" + (f" of pod {found.pod}" if found.pod else "")]
        lines += [f"          {found.message}"]
        lines += [f"  log:    {line}" for line in (self._cluster.log(found.pod) if found.pod else [])]
        lines += [f"  event:  {line}" for line in self._cluster.events(found.pod or name_of(color))]
        lines += [
            f"  next:   {found.advice}" if found.advice else "  next:   pulumi up waits again.",
            self._who_serves(),
        ]
        return "\n".join(lines)

    def _who_serves(self) -> str:
        if not self._live.active:
            return "No route was written; nobody is served yet."
        return f"The route was not touched: users stay on {self._live.active}."

    def migrated(self, color: ColorSettings, job: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when the migration's Job has succeeded.

        Fails with its log when it has failed, and with the reason as soon as it is certain that it cannot even start.
        """

        async def wait(_: Any) -> None:
            began = time.monotonic()
            while not await asyncio.to_thread(self._is_migrated, color, time.monotonic() - began):
                # The cluster ends the Job in time; the minute is for a cluster that does not say so.
                if time.monotonic() - began > color.migrate_timeout_seconds + 60:
                    raise pulumi.RunError(f"The migration {job_name(color)} has not ended in time. {self._who_serves()}")
                await asyncio.sleep(POLL_SECONDS)

        return job.urn if pulumi.runtime.is_dry_run() else job.urn.apply(wait)

    def _is_migrated(self, color: ColorSettings, waited_seconds: float) -> bool:
        name = job_name(color)
        try:
            job = self._cluster.get("batch/v1", "Job", name)
            pods = self._cluster.find("v1", "Pod", **{"job-name": name})
        except LiveError:  # an API server that restarts comes back
            return False
        if job is None:
            return self._is_migrated_long_since(color)
        ended = {each["type"]: each for each in job.get("status", {}).get("conditions") or [] if each["status"] == "True"}
        if "Failed" in ended:
            again = (
                f"kubectl delete job {name} --namespace {self._settings.namespace}{self._in_context()} && pulumi up --refresh"
            )
            advice = f"Mend it and deploy another image; or, to run this one once more:\n          {again}"
            why = [failure(pod) for pod in pods] or [f"{ended['Failed'].get('reason')}: {ended['Failed'].get('message')}"]
            raise pulumi.RunError(self._migration_failure(f"The migration {name} failed: {why[-1]}", pods, advice))
        for found in lost(pods, waited_seconds):
            what = f"The migration {name} does not start: {found.reason}: {found.message}"
            raise pulumi.RunError(self._migration_failure(what, pods, f"{found.advice} Then: pulumi up"))
        return "Complete" in ended

    def _is_migrated_long_since(self, color: ColorSettings) -> bool:
        """Whether the Job is no longer needed: somebody has cleared it away, but this image could not run without it.

        A switch, or a roll-back, must not fail because of that.
        """
        present = self._live.colors.get(color.name)
        if present is None or present.image != color.image:
            gone = f"The migration {job_name(color)} is gone. Bring it back: pulumi up --refresh"
            raise pulumi.RunError(f"{gone}\n{self._who_serves()}")
        return True

    def _migration_failure(self, what: str, pods: list[Object], advice: str) -> str:
        names = [each["metadata"]["name"] for each in pods]
        log = [f"  log:    {line}" for pod in names for line in self._cluster.log(pod)]
        # One that has run has said what was wrong; of one that has not, the cluster tells.
        told = log or [f"  event:  {line}" for pod in names for line in self._cluster.events(pod)]
        return "\n".join([what, *told, f"  next:   {advice}", f"The pods of the color were not touched. {self._who_serves()}"])

    def _in_context(self) -> str:
        return f" --context {self._settings.context}" if self._settings.context else ""

    def route_hooks(self) -> pulumi.ResourceHookBinding | None:
        """What looks once more at the target when users move."""
        if not self._hooks or not (moves := self._transition.moves):
            return None
        return pulumi.ResourceHookBinding(before_update=[self._hooks.route_update(moves)])

    def guard(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        """Transformation of whatever is registered, for what holds for all objects of the cluster.

        1. An object is created only when it is not there yet.
        2. A Deployment is not updated while users move.
        3. The pods of the live color stay as they are, also where somebody has changed them beside this stack.
        """
        if not self._hooks or not args.type_.startswith("kubernetes:"):
            return None
        hooks = pulumi.ResourceHookBinding(before_create=[self._hooks.creation])
        added = pulumi.ResourceOptions(hooks=hooks)
        if args.type_.endswith(":Deployment"):
            hooks.before_update = [self._hooks.deployment_update]
            metadata: Any = args.props["metadata"]
            color = metadata["labels"]["color"]
            if color == self._live.active and color not in self._transition.changes:
                added.ignore_changes = ["spec.template"]
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, added))
