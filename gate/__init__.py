"""Where the rules of a release meet the engine: an update is refused here, colors are waited for, a switch is checked again.

What is refused is decided in `release/`. Nothing in the cluster is changed here.
"""

import asyncio
import time
from typing import Any

import pulumi

from components.pods import fingerprint, job_name, name_of
from release.live import Cluster, Live, LiveError, Object
from release.readiness import Trouble, failure, lost, trouble
from release.settings import ColorSettings, Settings
from release.transition import Refusal, Transition, Wanted, WantedColor, transition

POLL_SECONDS = 0.3


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
        self._live = Live()
        self._transition = Transition(moves=None, changes=(), refusals=())

    def check(self) -> None:
        """Reads what is live and refuses what the rules refuse, before anything is registered.

        Raises `pulumi.RunError` with every refusal. A cluster that cannot be read is a warning in a preview and an error
        in an update.
        """
        try:
            self._live = self._cluster.live()
        except LiveError as error:
            self._unread(error)
            return
        self._transition = transition(self._live, wanted(self._settings, self._owner))
        refused = [refusal for refusal in self._transition.refusals if not self._is_allowed(refusal)]
        if refused:
            raise pulumi.RunError("\n\n".join(map(str, refused)) + "\n\n" + self._where_users_are())

    def _unread(self, error: LiveError) -> None:
        if pulumi.runtime.is_dry_run():
            pulumi.warn(f"{error}. The rules of a release are not checked in this preview; an update would be refused.")
        elif "unread" in self._settings.allow:
            pulumi.warn(f"{error}. The rules of a release are not checked: bluegreen:allow has unread.")
        else:
            raise pulumi.RunError(
                f"{error}\nWhat is live decides whether an update is safe, so nothing was changed. Mend the access "
                "to the cluster (bluegreen:context, KUBECONFIG), or add unread to bluegreen:allow."
            ) from None

    def _is_allowed(self, refusal: Refusal) -> bool:
        if refusal.exception not in self._settings.allow:
            return False
        pulumi.warn(f"bluegreen:allow has {refusal.exception}, so this goes on:\n{refusal}")
        return True

    def _where_users_are(self) -> str:
        return f"Nothing was changed; users stay on {self._live.active}." if self._live.active else "Nothing was changed."

    def ready(self, color: ColorSettings, deployment: pulumi.Resource) -> pulumi.Output[Any]:
        """Resolves when every pod of the Deployment is ready.

        Fails with the pod, the reason, the last events and log lines and what to do, as soon as it is certain that
        waiting cannot help, and at the latest after `ready_timeout_seconds`.
        """

        async def wait(_: Any) -> None:
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

        if pulumi.runtime.is_dry_run() or self._is_known_ready(color):
            return deployment.urn
        return deployment.urn.apply(wait)

    def _is_known_ready(self, color: ColorSettings) -> bool:
        """Whether the first look has shown this very color ready, so that there is nothing to wait for."""
        present = self._live.colors.get(color.name)
        is_same = present is not None and color.name not in self._transition.changes
        return is_same and present is not None and present.is_ready and present.replicas == color.replicas

    def _trouble(self, color: ColorSettings, waited_seconds: float) -> Trouble | None:
        try:
            deployment = self._cluster.get("apps/v1", "Deployment", name_of(color))
            pods = self._cluster.pods(deployment) if deployment else []
        except LiveError as error:  # an API server that restarts comes back
            return Trouble(reason="ClusterNotRead", message=str(error), advice="Mend the access to the cluster.")
        if deployment is None:
            return Trouble(reason="Missing", message="the Deployment is gone", advice="Try again.", is_certain=True)
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
        lines = [what]
        lines += [f"  log:    {line}" for pod in names for line in self._cluster.log(pod)]
        lines += [f"  event:  {line}" for pod in names for line in self._cluster.events(pod)]
        return "\n".join([*lines, f"  next:   {advice}", f"The pods of the color were not touched. {self._who_serves()}"])

    def _in_context(self) -> str:
        return f" --context {self._settings.context}" if self._settings.context else ""

    def deployment_hooks(self, color: ColorSettings) -> pulumi.ResourceHookBinding | None:
        """Refuses to take over a Deployment that exists already, and to scale while users move."""
        hooks: dict[str, Any] = {}
        if color.name in self._live.colors:
            hooks["before_create"] = [self._never_take_over(name_of(color))]
        if moves := self._transition.moves:

            def only_move(args: pulumi.ResourceHookArgs) -> None:
                old, new = ((inputs or {})["spec"]["replicas"] for inputs in (args.old_inputs, args.new_inputs))
                if old != new and "switch-and-change" not in self._settings.allow:
                    raise RuntimeError(
                        "Refused by the rule: one update moves users or changes pods, never both\n"
                        f"  asked:  users from {moves[0]} to {moves[1]}, and {name_of(color)} from {old} to {new} replicas\n"
                        f"  remedy: Scale in an update of its own, before or after the switch."
                    )

            options = pulumi.ResourceHookOptions(on_dry_run=True)
            hooks["before_update"] = [pulumi.ResourceHook(f"{name_of(color)}-only-move", only_move, options)]
        return pulumi.ResourceHookBinding(**hooks) if hooks else None

    def route_hooks(self) -> pulumi.ResourceHookBinding | None:
        """Refuses to take over a route that exists already, and looks once more at the target when users move."""
        hooks: dict[str, Any] = {}
        if self._live.route_owner is not None:
            hooks["before_create"] = [self._never_take_over("route")]
        if moves := self._transition.moves:

            async def is_still_ready(_: pulumi.ResourceHookArgs) -> None:
                color = (await asyncio.to_thread(self._cluster.live)).colors.get(moves[1])
                if "unready" not in self._settings.allow and (color is None or not color.is_ready):
                    ready = f"{color.ready} of {color.replicas} pods are ready" if color else "it is gone"
                    raise RuntimeError(
                        "Refused by the rule: users move only to a color that is ready\n"
                        f"  asked:  users from {moves[0]} to {moves[1]}\n"
                        f"  live:   {moves[1]} was ready when this update began, and now {ready}\n"
                        f"  remedy: Wait until it is ready, or mend it; users stay on {moves[0]}."
                    )

            hooks["before_update"] = [pulumi.ResourceHook("route-target-is-ready", is_still_ready)]
        return pulumi.ResourceHookBinding(**hooks) if hooks else None

    def _never_take_over(self, what: str) -> pulumi.ResourceHook:
        """Providers before 4.29 take an existing object over without a word; the newer ones refuse by themselves."""

        def refuse(_: pulumi.ResourceHookArgs) -> None:
            if "adopt" not in self._settings.allow:
                raise RuntimeError(
                    f"Refused by the rule: an environment has one owner\n"
                    f"  asked:  to create {what}\n"
                    f"  live:   it exists, and the state of the stack {self._owner} does not know it\n"
                    "  remedy: This is another state of the same stack, or a lost one: use the backend that has it, or "
                    "bring what exists into this one (pulumi import).\n"
                    "  If you mean it: add adopt to bluegreen:allow."
                )

        return pulumi.ResourceHook(f"{what}-is-not-taken-over", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
