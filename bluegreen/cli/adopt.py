"""`adopt`: brings an application that is live as an ordinary Deployment and Service into an environment.

`release/adoption.py` has the steps and the rules. The first run reads what is live, and writes the config and the snapshot of
the color. `--next` makes the next step, `--back` undoes the last one. Where the adoption stands follows from what is live, so a
command that was stopped is run again. Users move by one write of the selector of each Service.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import click

from bluegreen.cli import config_changes, config_edit, file_write, project
from bluegreen.cli.json_patch import annotated, unchanged, without_annotation
from bluegreen.cli.new_snapshot import snapshot_file
from bluegreen.cli.options import changing
from bluegreen.cli.outcomes import Exit, ReleaseError, refused
from bluegreen.cli.session import Session
from bluegreen.environment import LiveEnvironment, claims
from bluegreen.kube.api_error import ApiError
from bluegreen.kube.cluster import Cluster, LiveError
from bluegreen.kube.kubeconfig import KubeconfigError
from bluegreen.release import adoption as rules
from bluegreen.release import metadata
from bluegreen.release.adoption import Adoption, Selector, Stage
from bluegreen.release.colors import COLORS
from bluegreen.release.image import Image
from bluegreen.release.live import LiveColor, live_color
from bluegreen.release.objects import Object, Ref, annotation, is_terminating, value_at
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.settings import ColorSettings, ServiceSettings, Settings, SharedService
from bluegreen.release.snapshot import Document, Snapshot
from bluegreen.release.snapshot_file import cleaned, text_of
from bluegreen.routing import find
from bluegreen.routing.base import Claims
from bluegreen.workload.manifest.application import understand

T = TypeVar("T")

ADOPT = "bluegreen:adopt"

# The field manager of the command's own writes.
MANAGER = "bluegreen-adopt"

# A pod that drains and stops in its usual time is gone by then.
TERMINATION_SECONDS = 180

# Within this time Kubernetes has processed a change of a Deployment, or is out of order.
PROCESSED_SECONDS = 30

_DEPLOYMENT, _REPLICA_SET = ("apps/v1", "Deployment"), ("apps/v1", "ReplicaSet")
_AUTOSCALER, _BUDGET = ("autoscaling/v2", "HorizontalPodAutoscaler"), ("policy/v1", "PodDisruptionBudget")


@click.command("adopt")
@click.argument("deployment", required=False, help="The Deployment to adopt; without it, where the adoption stands is shown.")
@click.option("--namespace", default="default", show_default=True, help="The namespace of the Deployment.")
@click.option("--context", default="", help="The context of the kubeconfig; by default the current one.")
@click.option("--app", help="The name of the application in the environment; by default that of the Deployment.")
@click.option("--routing", help="The routing layer; by default that of Pulumi.yaml.")
@click.option("--host", help="The host name of the users, where the routing layer has one.")
@click.option("--service", help="The Service that users reach, if several select the pods.")
@click.option("--next", "goes_on", is_flag=True, help="Make the next step of the adoption.")
@click.option("--back", "goes_back", is_flag=True, help="Undo the last step of the adoption.")
@changing
def command(session: Session, deployment: str | None, goes_on: bool, goes_back: bool, **where: Any) -> None:
    """Bring a live DEPLOYMENT with its Services into an environment, without a failed request.

    With DEPLOYMENT, writes the config of the stack and a manifest, and changes nothing in the cluster. Then each --next makes
    one step: a color beside the old Deployment; users to that color; the Services into the stack; the end. --back undoes the
    last one. Without any of them, shows where the adoption stands. The old Deployment is never removed: the command for that is
    shown at the end.
    """
    if sum((deployment is not None, goes_on, goes_back)) > 1:
        raise click.UsageError("Give a DEPLOYMENT to begin an adoption, --next, or --back; not several of them.")
    if session.is_from_state:
        raise ReleaseError(Exit.CONFIG, "An adoption goes on in the config file, so --from-state is no way to it.")
    if deployment:
        _Beginning(session=session, deployment=deployment, **where).begin()
        return
    adopting = _Adopting.of(session)
    if goes_on:
        adopting.go_on()
    elif goes_back:
        adopting.go_back()
    adopting.report()


@dataclass(frozen=True, kw_only=True)
class _Beginning:
    """What is live, and what the config of its environment would be."""

    session: Session
    deployment: str
    namespace: str
    context: str
    app: str | None
    routing: str | None
    host: str | None
    service: str | None

    def begin(self) -> None:
        """Reads what is live, and writes the manifest and the config. Nothing is written if it cannot be adopted."""
        selection = self.session.selection
        found = self._found()
        self._refuse_unsuitable()
        color = next((color for color in COLORS if rules.labels_of(self._live).get("color") == color), COLORS[0])
        documents = tuple(Document(object=cleaned(item), places={}) for item in found)
        file = snapshot_file(selection.stack, color)
        path = str(file.relative_to(project.ROOT))
        changes = self._changes(color, path, documents)
        # The CLI has made no config file if nothing had to be encrypted yet.
        made = file_write.write(selection.config_file, file_write.text_or_none(selection.config_file) or "config: {}\n")
        try:
            self._refuse_environment(config_edit.read(selection.config_file))
            selection.changed(changes, {path: Snapshot(path=path, documents=documents)})
            self._refuse_taken_names()
            file_write.write(file, text_of(document.object for document in documents))
            config_edit.change(selection.config_file, changes)
        except config_edit.ConfigFileError as error:
            made.take_back()
            raise ReleaseError(Exit.CONFIG, str(error)) from None
        except ReleaseError:
            made.take_back()
            raise
        services = ", ".join(item["metadata"]["name"] for item in self._services)
        text = (
            f"wrote {path} and {selection.config_file.name}: {color} will run {self._image(documents)}, and users reach it "
            f"by Service {services}. Nothing was changed in the cluster.\n"
            "  next: look at both files (bluegreen plan shows what is created), then bluegreen adopt --next"
        )
        self.session.progress.event("written", text, color=color, manifest=path)

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(context=self.context, namespace=self.namespace, apis={})

    @cached_property
    def _live(self) -> Object:
        found = _read(lambda: self._cluster.get(*_DEPLOYMENT, self.deployment))
        if found is None:
            raise ReleaseError(
                Exit.CONFIG,
                f"There is no Deployment {self.deployment} in namespace {self.namespace} ({_read(self._cluster.place)}).\n"
                "  next: name another one, or another --namespace or --context.",
            )
        return found

    @cached_property
    def _services(self) -> list[Object]:
        return rules.selecting(self._list("v1", "Service"), self._live)

    @cached_property
    def _autoscalers(self) -> list[Object]:
        return rules.scaling(self._list(*_AUTOSCALER), self._live)

    def _found(self) -> list[Object]:
        """What the color is made of. ConfigMaps and Secrets stay where they are, and the color refers to them."""
        budgets = rules.guarding(self._list(*_BUDGET), self._live)
        return [self._live, *self._services, *self._autoscalers, *budgets]

    def _list(self, api_version: str, kind: str) -> list[Object]:
        listed = _read(lambda: self._cluster.list_objects(api_version, kind))
        return [{"apiVersion": api_version, "kind": kind, **item} for item in listed if not is_terminating(item)]

    def _changes(self, color: str, path: str, documents: Sequence[Document]) -> config_changes.Changes:
        image_tag = Image.parse(self._image(documents)).tag_or_digest or None
        services = {str(value_at(item, "metadata", "name")): rules.selector_of(item) for item in self._services}
        given = {"context": self.context, "routing": self.routing, "host": self.host, "service": self.service}
        return {
            config_changes.ACTIVE: color,
            "bluegreen:app": self._app,
            "bluegreen:namespace": self.namespace,
            **{f"bluegreen:{name}": value for name, value in given.items() if value},
            **config_changes.deploy_manifest(color, path, image_tag, None, None),
            **self._replicas(color),
            ADOPT: Adoption(deployment=self.deployment, services=services).config,
        }

    def _replicas(self, color: str) -> dict[str, str]:
        """An autoscaler has raised the number of pods, and a new one would begin with its smallest number."""
        present = int(value_at(self._live, "spec", "replicas") or 0)
        smallest = [int(value_at(item, "spec", "minReplicas") or 1) for item in self._autoscalers]
        return {f"{color}:replicas": str(present)} if smallest and present > smallest[0] else {}

    def _image(self, documents: Sequence[Document]) -> str:
        settings = ColorSettings(
            app=self._app,
            name=COLORS[0],
            image="",
            repository="",
            namespace=self.namespace,
            users_service=self.service or "",
            snapshot=Snapshot(path="", documents=tuple(documents)),
        )
        application, _ = understand(settings)
        return str(application.web.main_container["image"]) if application else ""

    @property
    def _app(self) -> str:
        return self.app or self.deployment

    def _refuse_unsuitable(self) -> None:
        """Refuses what cannot come over. Everything is said at once."""
        refusals = [*self._unsuitable()]
        for service in self._services:
            refusals += rules.marked(Ref("v1", "Service", service["metadata"]["name"]), service, "")
        if refusals:
            raise refused(refusals[0], "\n\n".join([*map(str, refusals[1:]), "Nothing was written."]))

    def _unsuitable(self) -> Iterator[Refusal]:
        asked = f"to adopt Deployment {self.deployment}"
        if owner := annotation(self._live, metadata.OWNER):
            remedy = f"Use that stack: pulumi stack select {owner}"
            yield Refusal(rule=Rule.ONE_OWNER, asked=asked, live=f"it is a color of the stack {owner}", remedy=remedy)
        if not self._services:
            remedy = (
                "Give it a Service first. An application without users needs no adoption: deploy it, then remove the old one."
            )
            yield Refusal(rule=Rule.READY, asked=asked, live="no Service selects its pods", remedy=remedy)
        if value_at(self._live, "spec", "paused"):
            remedy = f"End that first: kubectl rollout resume deployment {self.deployment} --namespace {self.namespace}"
            yield Refusal(rule=Rule.READY, asked=asked, live="somebody has paused it", remedy=remedy)
        for name, pods in self._of_others().items():
            live = f"Service {name} also selects {pods[0]}, which is no pod of it" + (", and more" if pods[1:] else "")
            remedy = (
                "Give these pods a Service of their own first: the color would not replace them, and users would miss them."
            )
            yield Refusal(rule=Rule.ROOM, asked=asked, live=live, remedy=remedy)
        for color in COLORS:
            name = f"{self._app}-{color}"
            if _read(lambda name=name: self._cluster.get(*_DEPLOYMENT, name)) is not None:  # type: ignore[misc]
                remedy = "Give the application another name: --app"
                live = f"there is a Deployment {name} already, which is the name of {color}"
                yield Refusal(rule=Rule.ONE_OWNER, asked=asked, live=live, remedy=remedy)

    def _of_others(self) -> dict[str, list[str]]:
        """The pods that the Services select beside those of the Deployment, by Service."""
        replica_sets = self._list(*_REPLICA_SET)
        found: dict[str, list[str]] = {}
        for service in self._services:
            labels = dict(rules.selector_of(service))
            pods = _read(lambda labels=labels: self._cluster.list_objects("v1", "Pod", **labels))  # type: ignore[misc]
            alive = [pod for pod in pods if not is_terminating(pod)]
            if others := rules.foreign_pods(alive, self._live, replica_sets):
                found[service["metadata"]["name"]] = others
        return found

    def _refuse_taken_names(self) -> None:
        """Refuses a name of the application under which the route has objects already. Services come over as they are."""
        layer = find(self.routing or "")
        cluster = Cluster(context=self.context, namespace=self.namespace, apis=layer.APIS)
        shared = tuple(SharedService(name=item["metadata"]["name"], spec={}) for item in self._services)
        service = ServiceSettings(name=self._app, colors={}, shared=shared)
        for ref in (*layer.route(service), *layer.parts(service)):
            if ref.kind != "Service" and _read(lambda ref=ref: cluster.get(*ref)) is not None:  # type: ignore[misc]
                refusal = Refusal(
                    rule=Rule.ONE_OWNER,
                    asked=f"to adopt Deployment {self.deployment} as {self._app}",
                    live=f"{ref} is there already, and the environment would have one of this name",
                    remedy="Give the application another name: --app",
                )
                raise refused(refusal, "Nothing was written.")

    def _refuse_environment(self, config: Mapping[str, Any]) -> None:
        if taken := sorted({config_changes.ACTIVE, ADOPT, "bluegreen:app"} & config.keys()):
            file = self.session.selection.config_file.name
            raise ReleaseError(
                Exit.CONFIG,
                f"{file} describes an environment already: it has {', '.join(taken)}. Nothing was written.\n"
                "  next: an adoption begins with a stack of its own: pulumi stack init <name>; to go on with one: "
                "bluegreen adopt --next",
            )


@dataclass(frozen=True, kw_only=True)
class _Adopting:
    """An adoption that was begun."""

    session: Session
    settings: Settings
    adoption: Adoption
    cluster: LiveEnvironment

    @classmethod
    def of(cls, session: Session) -> "_Adopting":
        """The adoption that the config describes. Raises `ReleaseError` without one."""
        settings = session.selection.settings()
        if settings.adopt is None:
            raise ReleaseError(
                Exit.CONFIG,
                "No adoption goes on: the config has no bluegreen:adopt.\n  next: bluegreen adopt <Deployment> begins one.",
            )
        return cls(session=session, settings=settings, adoption=settings.adopt, cluster=session.selection.cluster())

    @property
    def color(self) -> str:
        return self.settings.active_color

    @cached_property
    def _of_color(self) -> Selector:
        """The selector that the routing layer writes into the Services."""
        route = find(self.settings.routing).manifests(self.settings)
        made = {found.ref: found.body for found in (*route.services, *route.route)}
        users = Ref("v1", "Service", self.settings.service.users.name)
        return rules.selector_of(made[users])

    def services(self) -> dict[str, Object]:
        """The live Services by name. Raises `ReleaseError` if one is gone."""
        found = {ref.name: _read(lambda ref=ref: self.cluster.get(*ref)) for ref in self.adoption.refs}  # type: ignore[misc]
        if gone := [name for name, service in found.items() if service is None]:
            raise ReleaseError(Exit.RESOURCE, f"Service {gone[0]} is gone, by which users reached the application.")
        return {name: service for name, service in found.items() if service is not None}

    def old(self) -> Object | None:
        """The old Deployment, None if it does not exist any more."""
        return _read(lambda: self.cluster.get(*_DEPLOYMENT, self.adoption.deployment))

    def present(self) -> LiveColor | None:
        """The color as it is live."""
        found = _read(lambda: self.cluster.get(*_DEPLOYMENT, f"{self.settings.service.name}-{self.color}"))
        return live_color(found) if found is not None and not is_terminating(found) else None

    def stage(self) -> Stage:
        return rules.stage(self.adoption, self.services(), self.present(), [self._of_color])

    def go_on(self) -> None:
        """Makes the next step."""
        stage, present = self.stage(), self.present()
        if stage is Stage.OWNED:
            self._finish()
        elif stage is Stage.MOVED and all(rules.selector_of(found) == self._of_color for found in self.services().values()):
            self._own()
        elif stage is Stage.MOVED or (present and present.is_ready and self._is_narrowed()):
            self._users()
        else:
            self._beside()

    def go_back(self) -> None:
        """Undoes the last step."""
        stage = self.stage()
        if stage is Stage.OWNED:
            self._disown()
        elif stage is Stage.MOVED:
            self._users_back()
        elif stage is Stage.BEGUN:
            self._remove()
        else:
            # A step that was stopped early has done no more than this.
            self._pause(is_paused=False)
            self._say("nothing", "Nothing is changed in the cluster. Remove the adoption from the project: git checkout")

    # The steps

    def _beside(self) -> None:
        self._required_old()
        self._refuse_marked()
        self._refuse(refusal for refusal in self._claims().refusals if refusal.exception not in self.settings.allow)
        if not self._is_narrowed():
            if not self._hash():
                raise self._rolling()
            self._pause(is_paused=True)
            # It may have been updated in between.
            if not (pods := self._hash()):
                self._pause(is_paused=False)
                raise self._rolling()
            self._select({name: rules.narrowed(labels, pods) for name, labels in self.adoption.services.items()})
            self._say("narrowed", f"Services select the pods of Deployment {self.adoption.deployment} alone, which is paused")
        self.session.apply(f"adopt: {self.color} beside {self.adoption.deployment}", {})
        self._say("beside", f"{self.color} is ready beside Deployment {self.adoption.deployment}; users are where they were")

    def _users(self) -> None:
        old = self._required_old()
        selected = _read(lambda: self.cluster.list_objects("v1", "Pod", **self._of_color))
        self._refuse(rules.users_to(self.color, self.present(), rules.ready(selected), live_color(old)))
        began = time.monotonic()
        self._select(dict.fromkeys(self.adoption.services, self._of_color))
        took = f"{(time.monotonic() - began) * 1000:.0f} ms"
        self._say("moved", f"users: Deployment {self.adoption.deployment} -> {self.color}, written in {took}")

    def _own(self) -> None:
        self._refuse_marked()
        deployed = _read(lambda: self.cluster.get(*_DEPLOYMENT, f"{self.settings.service.name}-{self.color}"))
        owner = annotation(deployed or {}, metadata.OWNER)
        for name, service in self.services().items():
            self._patch(Ref("v1", "Service", name), service, annotated(service, metadata.OWNER, owner))
        self.session.apply("adopt: own the Services", {ADOPT: self.adoption.own(is_owned=True).config})
        self._say("owned", f"the stack owns {self._named()}, as they are")

    def _finish(self) -> None:
        self.session.apply("adopt: finish", {ADOPT: None})
        self._say("finished", f"the adoption is over: {self.color} is the live color of an ordinary environment")

    # The way back

    def _disown(self) -> None:
        self._refuse_without_route()
        self.session.apply("adopt: disown the Services", {ADOPT: self.adoption.own(is_owned=False).config})
        for name, service in self.services().items():
            if annotation(service, metadata.OWNER):
                self._patch(Ref("v1", "Service", name), service, [without_annotation(metadata.OWNER)])
        self._say("disowned", f"the stack does not own {self._named()} any more; users stay on {self.color}")

    def _users_back(self) -> None:
        old = self.old()
        known = live_color(old) if old is not None else None
        self._refuse(rules.users_back(known, self.adoption.deployment))
        if not (pods := self._hash()):
            raise self._rolling()
        self._select({name: rules.narrowed(labels, pods) for name, labels in self.adoption.services.items()})
        self._say("back", f"users: {self.color} -> Deployment {self.adoption.deployment}")

    def _remove(self) -> None:
        """Removes the color, and then only lets the Services select all pods of the old labels again."""
        self.session.stack().destroy(f"bluegreen adopt: without {self.color}")
        self._wait_until_gone()
        self._select(dict(self.adoption.services))
        self._pause(is_paused=False)
        self._say("removed", f"{self.color} is removed; Services and Deployment {self.adoption.deployment} are as they were")

    def _wait_until_gone(self) -> None:
        until = time.monotonic() + TERMINATION_SECONDS
        while self._pods():
            if time.monotonic() > until:
                raise ReleaseError(
                    Exit.RESOURCE,
                    f"Pods of {self.color} are still there after {TERMINATION_SECONDS} s, so the Services were left alone.\n"
                    "  next: bluegreen adopt --back again.",
                )
            self.session.progress.passing(f"waiting until the pods of {self.color} have terminated")
            time.sleep(0.5)

    def _pods(self) -> list[Object]:
        labels = self.settings.service.pod_labels(self.color)
        pods = _read(lambda: self.cluster.list_objects("v1", "Pod", **labels))
        return [pod for pod in pods if not is_terminating(pod)]

    # What they share

    def _is_narrowed(self) -> bool:
        return all(rules.HASH in rules.selector_of(service) for service in self.services().values())

    def _required_old(self) -> Object:
        old = self.old()
        if old is None:
            raise ReleaseError(Exit.RESOURCE, f"Deployment {self.adoption.deployment} is gone. Nothing was changed.")
        return old

    def _hash(self) -> str:
        """The pod-template-hash of the old pods, when the cluster has processed the Deployment; empty if they have several."""
        until = time.monotonic() + PROCESSED_SECONDS
        while (old := self._required_old()) and not rules.is_processed(old) and time.monotonic() < until:
            time.sleep(0.1)
        found = _read(lambda: self.cluster.list_objects(*_REPLICA_SET, **rules.own_labels(old)))
        return rules.pod_template_hash(old, found)

    def _rolling(self) -> ReleaseError:
        name = self.adoption.deployment
        refusal = Refusal(
            rule=Rule.READY,
            asked=f"{self.color} beside Deployment {name}",
            live="it has no pods, or pods of several templates: it is being updated",
            remedy=f"Wait for that: kubectl rollout status deployment {name} --namespace {self.settings.namespace}",
        )
        return refused(refusal, "Users stay where they are.")

    def _pause(self, *, is_paused: bool) -> None:
        old = self.old()
        if old is not None and bool(value_at(old, "spec", "paused")) != is_paused:
            ref = Ref(*_DEPLOYMENT, self.adoption.deployment)
            self._patch(ref, old, [{"op": "add", "path": "/spec/paused", "value": is_paused}])

    def _select(self, selectors: Mapping[str, Selector]) -> None:
        for name, service in self.services().items():
            if rules.selector_of(service) != selectors[name]:
                operation = {"op": "add", "path": rules.SELECTOR_PATH, "value": dict(selectors[name])}
                self._patch(Ref("v1", "Service", name), service, [operation])

    def _patch(self, ref: Ref, item: Object, operations: Sequence[Mapping[str, Any]]) -> None:
        """Writes an object if nobody else has written it since it was read."""
        try:
            self.cluster.client.patch(*ref, [unchanged(item), *operations], MANAGER)
        except (ApiError, KubeconfigError) as error:
            raise ReleaseError(
                Exit.RESOURCE,
                f"{ref} could not be written: {error}\n  next: bluegreen adopt shows where the adoption stands; then run this "
                "command again.",
            ) from None

    def _refuse_marked(self) -> None:
        deployed = _read(lambda: self.cluster.get(*_DEPLOYMENT, f"{self.settings.service.name}-{self.color}"))
        owner = annotation(deployed or {}, metadata.OWNER)
        for name, service in self.services().items():
            self._refuse(rules.marked(Ref("v1", "Service", name), service, owner))

    def _refuse_without_route(self) -> None:
        """Refuses to remove the route if nobody else leads the host: users may come in by it."""
        layer = find(self.settings.routing)
        if {*layer.route(self.settings.service)} & {*self.adoption.refs} or "remove-live" in self.settings.allow:
            return
        if not self._claims().others:
            refusal = Refusal(
                rule=Rule.WAY_BACK,
                asked="no route of this stack",
                live=f"nobody else leads the host {self.settings.host} to the application",
                remedy="Create again what led it there before (kubectl apply), then run this command again.",
                exception="remove-live",
            )
            raise refused(refusal, "Nothing was changed.")

    def _claims(self) -> Claims:
        """Who else claims the host, and what leads it to the application beside the route of the environment."""
        return claims(self.cluster, self.settings)

    def _refuse(self, refusals: Iterator[Refusal]) -> None:
        for refusal in refusals:
            raise refused(refusal, "Nothing was changed; users stay where they are.")

    def _named(self) -> str:
        return ", ".join(map(str, self.adoption.refs))

    def _say(self, event: str, text: str) -> None:
        self.session.progress.event(event, text)

    def report(self) -> None:
        """Where the adoption stands, and what comes next."""
        if self.session.selection.settings().adopt is None:
            self._say("next", self._removal())
            return
        now = _Adopting.of(self.session)
        stage, present = now.stage(), now.present()
        users = f"users are on {self.color}" if stage >= Stage.MOVED else f"users are on Deployment {self.adoption.deployment}"
        nexts = {
            Stage.WRITTEN: f"{self.color} beside the old Deployment",
            Stage.BEGUN: f"users to {self.color}"
            if present and present.is_ready
            else f"{self.color} beside the old Deployment",
            Stage.MOVED: f"the stack owns {self._named()}",
            Stage.OWNED: "the end of the adoption",
        }
        where = f"--namespace {self.settings.namespace}"
        removals = [_removal_of(ref, where) for ref in now._claims().others] if stage is Stage.OWNED else []
        first = f"{' && '.join(removals)}, then " if removals else ""
        text = f"{users}.\n  next: {first}bluegreen adopt --next ({nexts[stage]})"
        text += "; undo the last step: bluegreen adopt --back" if stage > Stage.WRITTEN else ""
        self.session.progress.event("stage", text, stage=stage.name.lower())

    def _removal(self) -> str:
        """How to remove what served before."""
        old = self.old()
        if old is None:
            return "Nothing of the old application is left."
        kinds = (_AUTOSCALER, rules.scaling), (_BUDGET, rules.guarding)
        refs = [Ref(*_DEPLOYMENT, self.adoption.deployment)]
        for kind, belonging in kinds:
            listed = _read(lambda kind=kind: self.cluster.list_objects(*kind))  # type: ignore[misc]
            refs += [Ref(*kind, item["metadata"]["name"]) for item in belonging(listed, old)]
        where = f"--namespace {self.settings.namespace}"
        commands = " && ".join(_removal_of(ref, where) for ref in refs)
        return f"The old Deployment serves nobody but connections that are still open. When these have ended:\n  {commands}"


def _removal_of(ref: Ref, where: str) -> str:
    return f"kubectl delete {ref.kind.lower()}.{ref.api_version.partition('/')[0]} {ref.name} {where}"


def _read(look: Callable[[], T]) -> T:
    """What `look` sees in the cluster. Raises `ReleaseError` if it cannot be read."""
    try:
        return look()
    except LiveError as error:
        raise ReleaseError(Exit.ERROR, str(error)) from None
