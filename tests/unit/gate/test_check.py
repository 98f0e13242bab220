"""The gate: what it refuses, what `bluegreen:allow` lets pass with a warning, and what its hooks look at."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pulumi
import pytest

from bluegreen.gate.check import Gate, wanted
from bluegreen.gate.hooks import Hooks, Judge
from bluegreen.kube.cluster import LiveError
from bluegreen.release import metadata
from bluegreen.release.about import About
from bluegreen.release.config_reader import read_settings
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.objects import Object, Ref
from bluegreen.release.refusals import EXCEPTIONS, Rule
from bluegreen.release.traffic import Move, Traffic
from bluegreen.release.transition import Transition
from bluegreen.routing import istio
from bluegreen.workload import source
from tests.unit.program import BOTH_COLORS, SHOP, run

# The mocks have no organization.
OWNER = "None/bluegreen/test"

SWITCH = {"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"}


class Cluster:
    """A cluster that gives these answers, one for each look at all of it, the last one again and again."""

    def __init__(
        self,
        *answers: Live | LiveError,
        found: Mapping[str, Any] | None = None,
        everywhere: Mapping[str, list[Mapping[str, Any]]] | None = None,
        before: str = "",
    ) -> None:
        self._before = before
        self._answers = [*answers]
        self._everywhere = everywhere or {}
        self._found = found

    def live(self) -> Live:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, LiveError):
            raise answer
        return answer

    def with_autoscalers(self, live: Live) -> Live:
        return live

    def parts(self) -> dict[Any, Any]:
        return {}

    def rights(self) -> Mapping[str, Any]:
        return {}

    def get(self, *_: str) -> Mapping[str, Any] | None:
        return self._found

    def route_of_another_name(self, _: str) -> str:
        return self._before

    def list_everywhere(self, _: str, kind: str) -> list[Mapping[str, Any]]:
        return self._everywhere.get(kind, [])


def served(owner: str = OWNER, **change: object) -> Live:
    """What is live after an update with both colors; `change` is of green."""
    asked = wanted(read_settings(BOTH_COLORS), owner, Live())
    colors = {name: LiveColor(image=color.image, template=color.template, owner=owner) for name, color in asked.colors.items()}
    colors["green"] = replace(colors["green"], **change)  # type: ignore[arg-type]
    return Live(traffic=Traffic.to("blue", "green"), route_owner=owner, colors=colors)


def crowded() -> Live:
    """Blue serves with six pods, and green has one."""
    live = served()
    return replace(live, colors={**live.colors, "blue": replace(live.colors["blue"], replicas=6, ready=6)})


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "warn", said.append)
    return said


@pytest.fixture(autouse=True)
def _in_an_update(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: False)


# Another environment for any host, which was there first.
OLDER: dict[str, list[Mapping[str, Any]]] = {
    "Gateway": [
        {
            "metadata": {"namespace": "other", "name": "g", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"selector": {"istio": "ingressgateway"}, "servers": [{"port": {"number": 80}, "hosts": ["*"]}]},
        }
    ],
    "VirtualService": [{"metadata": {"namespace": "other", "name": "v"}, "spec": {"hosts": ["*"], "gateways": ["g"]}}],
}


def check(live: Live | LiveError, change: dict[str, str], *allow: str) -> None:
    allowed = {"bluegreen:allow": "[" + ", ".join(f'"{each}"' for each in allow) + "]"}
    # Other Gateways are read if users stay, and only one test has one.
    cluster: Any = Cluster(live, everywhere=OLDER if live == served() and not change else None)
    asyncio.run(Gate(read_settings(BOTH_COLORS | change | allowed), cluster, OWNER).check())


# The exception -> what is live, what is asked, and the rule or the words of the refusal.
MEANT = {
    "adopt": (served("organization/bluegreen/other"), {}, Rule.ONE_OWNER),
    "change-live": (served(), {"blue:imageTag": "3.0"}, Rule.LIVE_STAYS),
    "remove-live": (
        served(),
        {"bluegreen:activeColor": "green", "bluegreen:testColor": "", "blue:imageTag": ""},
        Rule.WAY_BACK,
    ),
    "switch-and-change": (served(), SWITCH | {"green:imageTag": "3.0"}, Rule.NEVER_BOTH),
    "unready": (served(ready=0), SWITCH, Rule.READY),
    "less-room": (crowded(), SWITCH, Rule.ROOM),
    "unread": (LiveError("no answer"), SWITCH, "no answer"),
    "share-host": (served(), {}, Rule.OWN_HOST),
}


def test_every_exception_is_tried() -> None:
    # These belong to a hook, and to the config.
    assert {*MEANT, "overwrite-route", "shared-volume"} == set(EXCEPTIONS)


@pytest.mark.parametrize(("exception", "case"), MEANT.items(), ids=MEANT)
def test_an_update_is_refused_unless_its_exception_is_given(
    exception: str, case: tuple[Live | LiveError, dict[str, str], str], warnings: list[str]
) -> None:
    live, change, words = case
    others = [each for each in EXCEPTIONS if each != exception]
    with pytest.raises(pulumi.RunError, match=words) as refusal:
        check(live, change, *others)
    assert exception in str(refusal.value)
    assert warnings == []
    check(live, change, exception)
    (warning,) = warnings
    assert f"bluegreen:allow has {exception}" in warning
    assert words in warning


def test_a_promotion_of_something_else_has_no_exception() -> None:
    with pytest.raises(pulumi.RunError, match=Rule.APPROVED):
        check(served(), SWITCH | {"bluegreen:expect": "9.9"}, *EXCEPTIONS)


def test_a_preview_that_cannot_read_the_cluster_warns(warnings: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: True)
    check(LiveError("no answer"), SWITCH)
    assert warnings == ["no answer. The rules of a release are not checked in this preview; an update would be refused."]


def test_an_image_that_somebody_else_gave_to_the_live_color_is_told(warnings: list[str]) -> None:
    live = served()
    colors = {**live.colors, "blue": replace(live.colors["blue"], image="shop:9")}
    check(replace(live, colors=colors), {})
    (warning,) = warnings
    assert "blue runs shop:9, which this stack did not deploy" in warning


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hooks]:
    """Makes hooks without an engine that they would be registered with."""
    monkeypatch.setattr("pulumi.resource_hooks.register_resource_hook", lambda _: None)

    def make(cluster: Any, *allow: str) -> Hooks:
        return Hooks(cluster, Judge(allow), OWNER, Transition(moves=Move("blue", "green"), changes=(), refusals=()))

    return make


def call(hook: pulumi.ResourceHook, **inputs: object) -> None:
    result = hook.callback(pulumi.ResourceHookArgs("urn", "id", "name", "type", **inputs))  # type: ignore[arg-type]
    if inspect.isawaitable(result):

        async def finish() -> None:
            await result

        asyncio.run(finish())


def test_a_target_that_is_no_longer_ready_when_the_route_is_written_is_refused(
    hooks: Callable[..., Hooks], warnings: list[str]
) -> None:
    cluster: Any = Cluster(served(), served(ready=0))
    gate = Gate(read_settings(BOTH_COLORS | SWITCH), cluster, OWNER)
    asyncio.run(gate.check())
    with pytest.raises(RuntimeError, match=Rule.READY):
        call(hooks(cluster).route_update(Move("blue", "green")), new_inputs=ROUTE)
    call(hooks(cluster, "unready").route_update(Move("blue", "green")), new_inputs=ROUTE)
    assert ["bluegreen:allow has unready" in each for each in warnings] == [True]


def test_a_live_color_that_was_scaled_up_when_the_route_is_written_is_not_left(
    hooks: Callable[..., Hooks], warnings: list[str]
) -> None:
    with pytest.raises(RuntimeError, match=Rule.ROOM):
        call(hooks(Cluster(crowded())).route_update(Move("blue", "green")), new_inputs=ROUTE)
    call(hooks(Cluster(crowded()), "less-room").route_update(Move("blue", "green")), new_inputs=ROUTE)
    assert ["bluegreen:allow has less-room" in each for each in warnings] == [True]


def test_an_object_that_is_there_already_is_refused(hooks: Callable[..., Hooks], warnings: list[str]) -> None:
    asked = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}
    call(hooks(Cluster(Live())).creation, new_inputs=asked)
    there = Cluster(Live(), found={"metadata": {}})
    with pytest.raises(RuntimeError, match="to create Service shop"):
        call(hooks(there).creation, new_inputs=asked)
    call(hooks(there, "adopt").creation, new_inputs=asked)
    assert len(warnings) == 1


def test_an_object_that_is_leaving_is_waited_for_and_not_refused(hooks: Callable[..., Hooks]) -> None:
    leaving = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "annotations": {"bluegreen/owner": OWNER}}}

    class Leaving(Cluster):
        looks = 0

        def get(self, *_: str) -> Mapping[str, Any] | None:
            self.looks += 1
            return leaving if self.looks < 3 else None

    cluster = Leaving(Live())
    call(hooks(cluster).creation, new_inputs={"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "shop-blue"}})
    assert cluster.looks == 3


def test_a_deployment_that_is_scaled_while_users_move_is_refused(hooks: Callable[..., Hooks], warnings: list[str]) -> None:
    old, new = ({"metadata": {"labels": {"color": "green"}}, "spec": {"replicas": n, "template": {}}} for n in (1, 2))
    with pytest.raises(RuntimeError, match=Rule.NEVER_BOTH):
        call(hooks(Cluster(Live())).deployment_update, old_inputs=old, new_inputs=new)
    allowed = hooks(Cluster(Live()), "switch-and-change")
    call(allowed.deployment_update, old_inputs=old, new_inputs=new)
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ("generation", "awaited"), [(7, []), (8.0, ["blue", "green"])], ids=["annotations alone", "a new spec"]
)
def test_a_color_is_awaited_if_the_update_has_written_its_spec(
    monkeypatch: pytest.MonkeyPatch, generation: float, awaited: list[str]
) -> None:
    """A live color that fails must not hold up the way out because a new version of the program annotates it."""
    live = served()
    live = replace(live, colors={name: replace(color, generation=7) for name, color in live.colors.items()})
    gate = Gate(read_settings(BOTH_COLORS), cast(Any, Cluster(live)), OWNER)
    assert waited_for(monkeypatch, gate, generation) == awaited


def test_users_whom_a_service_of_another_name_serves_do_not_lose_it() -> None:
    """Only the selector layer has a route that a manifest names."""
    settings = read_settings(BOTH_COLORS | {"bluegreen:routing": "selector"})
    gone = replace(served(), traffic=Traffic(), route_owner=None)
    with pytest.raises(pulumi.RunError, match="served by Service web, and the config names shop") as refusal:
        asyncio.run(Gate(settings, cast(Any, Cluster(gone, before="web")), OWNER).check())
    assert "pulumi config set service web" in str(refusal.value)


def ignored(live: Live, change: dict[str, str]) -> dict[str, list[str]]:
    """What is ignored of each Deployment."""
    objects = run(BOTH_COLORS | change, live=live).objects()
    return {name: [*each.request.ignoreChanges] for name, each in objects.items() if each.kind == "Deployment"}


def test_every_object_of_the_cluster_is_guarded() -> None:
    objects = run(BOTH_COLORS, live=served()).objects()
    assert [name for name, each in objects.items() if len(each.request.hooks.before_create) != 1] == []


def test_a_color_keeps_the_pod_template_that_it_was_deployed_with_until_it_changes() -> None:
    kept = ["spec.template"]
    assert ignored(served(), {}) == {"Deployment/shop-blue": kept, "Deployment/shop-green": kept}
    assert ignored(served(), {"green:imageTag": "3.0"}) == {"Deployment/shop-blue": kept, "Deployment/shop-green": []}


def test_the_pod_template_of_an_idle_color_that_somebody_has_changed_is_written_anew() -> None:
    field: Object = {"f:spec": {"f:template": {"f:spec": {"f:terminationGracePeriodSeconds": {}}}}}
    fields = [{"manager": "kubectl-edit", "fieldsV1": field}]
    noted = {"managedFields": fields, "labels": {"color": "green"}}
    changed = {"metadata": noted, "spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}
    live = replace(served(), objects={Ref("apps/v1", "Deployment", "shop-green"): changed})
    assert ignored(live, {}) == {"Deployment/shop-blue": ["spec.template"], "Deployment/shop-green": []}


@pytest.mark.parametrize("version", ["0.1.0", "today's"])
def test_a_color_keeps_the_hash_that_its_version_gave_to_it(version: str) -> None:
    hashes = source("settings").pod_template_hashes(read_settings(BOTH_COLORS).service.colors["blue"])
    template = hashes[0 if version == "today's" else 1]
    live = served()
    live = replace(live, colors={**live.colors, "blue": replace(live.colors["blue"], template=template)})
    made = run(BOTH_COLORS, live=live).objects()["Deployment/shop-blue"]
    assert made.inputs["metadata"]["annotations"][metadata.TEMPLATE] == template
    assert [*made.request.ignoreChanges] == ["spec.template"]


def test_only_a_move_of_users_looks_at_the_target_again() -> None:
    route = "VirtualService/shop-blue-green"
    staying, moving = (run(BOTH_COLORS | change, live=served()).objects()[route] for change in ({}, SWITCH))
    assert [len(each.request.hooks.before_update) for each in (staying, moving)] == [1, 1]


FOREIGN = "rule 1 (maintenance) redirects all requests before users reach a color"
ROUTE = {"kind": "VirtualService", "metadata": {"name": "shop-blue-green"}}


def test_what_somebody_else_wrote_into_the_route_is_not_overwritten_unless_it_is_meant(
    hooks: Callable[..., Hooks], warnings: list[str]
) -> None:
    cluster = Cluster(replace(served(), foreign=FOREIGN))
    with pytest.raises(RuntimeError, match=Rule.ROUTE_KEPT) as refusal:
        call(hooks(cluster).route_update(None), new_inputs=ROUTE)
    assert FOREIGN in str(refusal.value)
    call(hooks(cluster, "overwrite-route").route_update(None), new_inputs=ROUTE)
    call(hooks(Cluster(served())).route_update(None), new_inputs=ROUTE)
    assert ["bluegreen:allow has overwrite-route" in each for each in warnings] == [True]


def test_what_somebody_else_wrote_into_the_route_is_a_warning_while_the_route_is_not_written(warnings: list[str]) -> None:
    check(replace(served(), foreign=FOREIGN), {})
    (warning,) = warnings
    assert FOREIGN in warning


def test_users_who_are_split_are_gathered_only_on_a_color_that_is_ready() -> None:
    split = replace(served(), also=frozenset({"green"}), foreign="users are split")
    route = run(BOTH_COLORS, live=split).objects()["VirtualService/shop-blue-green"]
    assert len(route.request.hooks.before_update) == 1


@pytest.mark.parametrize(
    ("about", "awaited"),
    [(None, ["green"]), (About(verb="rollback", color="blue"), []), (About(verb="test", color="green"), ["green"])],
)
def test_a_subcommand_does_not_wait_for_a_color_that_users_have_left(
    monkeypatch: pytest.MonkeyPatch, about: About | None, awaited: list[str]
) -> None:
    """Users are on blue, and green is not ready: that is why they are there, after `rollback --now`."""
    cluster = cast(Any, Cluster(served(ready=0)))
    assert waited_for(monkeypatch, Gate(read_settings(BOTH_COLORS), cluster, OWNER, about), generation=0) == awaited


def waited_for(monkeypatch: pytest.MonkeyPatch, gate: Gate, generation: float) -> list[str]:
    """The colors that an update waits for whose Deployments have come to `generation`."""
    waited: list[str] = []

    class Pods:
        def __init__(self, _: object, color: Any, *__: object) -> None:
            self._name = color.name

        async def until_ready(self, _: object) -> None:
            waited.append(self._name)

    monkeypatch.setattr("bluegreen.gate.check.PodsOfColor", Pods)

    async def update() -> None:
        await gate.check()
        for color in read_settings(BOTH_COLORS).service.colors.values():
            deployment: Any = SimpleNamespace(metadata=pulumi.Output.from_input({"generation": generation}))
            await gate.ready(color, deployment).future()

    asyncio.run(update())
    return waited


def test_an_image_that_an_admission_controller_has_pinned_stays_as_it_is() -> None:
    """The provider compares with what the cluster returned. Our name of the image would be an update in every run."""
    pinned = f"registry.example/shop:2.0@sha256:{'a' * 64}"
    live = served(image=pinned, asked="registry.example/shop:2.0")
    deployment = run(BOTH_COLORS, live=live).objects()["Deployment/shop-green"]
    assert [*deployment.request.ignoreChanges] == ["spec.template"]
    assert deployment.inputs["metadata"]["annotations"][metadata.IMAGE] == "registry.example/shop:2.0"


def test_an_object_that_is_gone_is_named_before_the_provider_fails_at_it(hooks: Callable[..., Hooks]) -> None:
    ref = istio.route(SHOP)[0]
    route = run(BOTH_COLORS, live=replace(served(), objects={ref: None})).objects()["VirtualService/shop-blue-green"]
    assert route.inputs["metadata"]["annotations"][metadata.REPLACES].startswith("none-")
    assert "is-there" in route.request.hooks.before_update
    with pytest.raises(RuntimeError, match=r"VirtualService shop-blue-green .* deleted it(.|\n)*pulumi up --refresh"):
        call(hooks(Cluster(served())).presence, new_inputs={"apiVersion": ref.api_version, **ROUTE})
    call(hooks(Cluster(served(), found={"metadata": {}})).presence, new_inputs={"apiVersion": ref.api_version, **ROUTE})


def test_without_a_look_at_the_cluster_the_annotations_of_the_state_stay() -> None:
    gate = Gate(read_settings(BOTH_COLORS), Cluster(LiveError("no answer")), OWNER)  # type: ignore[arg-type]
    props = {"kind": "Service", "metadata": {"name": "shop", "annotations": {}}}
    args = pulumi.ResourceTransformationArgs(None, "kubernetes:core/v1:Service", "shop", props, pulumi.ResourceOptions())  # type: ignore[arg-type]
    made = gate.guard(args)
    assert made is not None
    assert made.props == props
    kept = metadata.names(metadata.SERVED, metadata.REPLACES)
    assert made.opts.ignore_changes == [f'metadata.annotations["{name}"]' for name in kept]


def test_a_change_beside_the_stack_is_said_and_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "info", lambda text, *_, **__: said.append(text))
    ref = istio.route(SHOP)[0]
    edited = {"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:http": {}}}}
    found = {"metadata": {"resourceVersion": "7", "managedFields": [edited]}, "spec": {"http": []}}
    route = run(BOTH_COLORS, live=replace(served(), objects={ref: found})).objects()["VirtualService/shop-blue-green"]
    assert route.inputs["metadata"]["annotations"][metadata.REPLACES] == "7"
    assert said == ["VirtualService shop-blue-green was changed beside this stack, so it is written again."]
