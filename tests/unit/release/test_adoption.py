"""The rules of an adoption: what belongs to an application, where the adoption stands, and what is refused."""

import json
from typing import Any

import pytest

from bluegreen.release import adoption, metadata
from bluegreen.release.adoption import Adoption, Stage
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.objects import Object, Ref
from bluegreen.release.traffic import NOBODY, Traffic
from bluegreen.release.values import InvalidValueError

BEFORE = {"app": "web"}
NARROWED = {"app": "web", "pod-template-hash": "abc"}
OURS = {"pulumi-bluegreen.dev/app": "web", "color": "blue"}
ADOPTION = Adoption(deployment="web", services={"web": BEFORE, "web-metrics": BEFORE})
WEB = Ref("v1", "Service", "web")


def deployment(**status: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "web", "tier": "front"}}}
    seen = {"observedGeneration": 3, **status}
    return {"metadata": {"name": "web", "uid": "1", "generation": 3}, "spec": {"template": template}, "status": seen}


def service(selector: object = None, **described: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web", **described}, "spec": {"selector": selector} if selector else {}}


def replica_set(pods: str, replicas: int = 2, owner: str = "1") -> dict[str, Any]:
    described = {"labels": {"pod-template-hash": pods}, "ownerReferences": [{"uid": owner}]}
    return {"metadata": described, "status": {"replicas": replicas}}


def test_the_value_in_the_config_is_read_as_it_was_written() -> None:
    for is_owned in (False, True):
        written = ADOPTION.own(is_owned=is_owned)
        assert adoption.parse(json.dumps(written.config)) == written


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        "{}",
        '{"deployment": "web", "step": "own"}',
        '{"deployment": "web", "services": {}, "step": "own"}',
        '{"deployment": "web", "services": {"web": {}}, "step": "own"}',
        '{"deployment": 1, "services": {"web": {"app": "web"}}, "step": "own"}',
        '{"deployment": "web", "services": {"web": {"app": "web"}}, "step": "else"}',
    ],
)
def test_a_value_that_the_command_has_not_written_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        adoption.parse(text)


def test_services_belong_to_a_deployment_by_their_selector() -> None:
    mine = [service({"app": "web"}), service({"app": "web", "tier": "front"})]
    others = [service(), service({}), service({"app": "shop"}), service({"app": "web", "tier": "back"})]
    assert adoption.selecting([*mine, *others], deployment()) == mine


def test_autoscalers_and_budgets_belong_to_a_deployment() -> None:
    target = {"kind": "Deployment", "name": "web"}
    autoscalers: list[Object] = [{"spec": {"scaleTargetRef": target}}, {"spec": {"scaleTargetRef": {**target, "name": "shop"}}}]
    assert adoption.scaling(autoscalers, deployment()) == autoscalers[:1]
    budgets: list[Object] = [{"spec": {"selector": {"matchLabels": labels}}} for labels in ({"app": "web"}, {"app": "b"}, {})]
    assert adoption.guarding(budgets, deployment()) == budgets[:1]


@pytest.mark.parametrize(
    ("replica_sets", "status", "expected"),
    [
        pytest.param([replica_set("abc"), replica_set("old", 0)], {}, "abc", id="one template"),
        pytest.param([replica_set("abc"), replica_set("other", owner="2")], {}, "abc", id="beside another Deployment"),
        pytest.param([replica_set("abc"), replica_set("new", 1)], {}, "", id="an update goes on"),
        pytest.param([replica_set("abc", 0)], {}, "", id="no pods"),
        pytest.param([replica_set("abc")], {"observedGeneration": 2}, "", id="a change that is not processed"),
    ],
)
def test_the_old_pods_have_a_hash_of_their_own_only_while_no_update_goes_on(
    replica_sets: list[Object], status: dict[str, int], expected: str
) -> None:
    assert adoption.pod_template_hash(deployment(**status), replica_sets) == expected


def test_only_ready_pods_count() -> None:
    def pod(status: str, **described: str) -> Object:
        return {"metadata": described, "status": {"conditions": [{"type": "Ready", "status": status}]}}

    assert adoption.ready([pod("True"), pod("False"), pod("True", deletionTimestamp="now"), {"metadata": {}}]) == 1


COLOR = LiveColor(image="web:1", replicas=2, ready=2)


@pytest.mark.parametrize(
    ("selectors", "color", "is_owned", "expected"),
    [
        pytest.param((BEFORE, BEFORE), None, False, Stage.WRITTEN, id="nothing is done"),
        pytest.param((NARROWED, BEFORE), None, False, Stage.BEGUN, id="stopped between two Services"),
        pytest.param((NARROWED, NARROWED), COLOR, False, Stage.BEGUN, id="beside"),
        pytest.param((BEFORE, BEFORE), COLOR, False, Stage.BEGUN, id="stopped on the way back"),
        pytest.param((OURS, NARROWED), COLOR, False, Stage.MOVED, id="stopped while users moved"),
        pytest.param((OURS, OURS), COLOR, False, Stage.MOVED, id="users moved"),
        pytest.param((OURS, OURS), COLOR, True, Stage.OWNED, id="owned"),
    ],
)
def test_where_an_adoption_stands_follows_from_what_is_live(
    selectors: tuple[dict[str, str], dict[str, str]], color: LiveColor | None, is_owned: bool, expected: Stage
) -> None:
    services = dict(zip(ADOPTION.services, map(service, selectors), strict=True))
    assert adoption.stage(ADOPTION.own(is_owned=is_owned), services, color, [OURS]) is expected


def test_users_on_the_color_are_seen_and_the_services_of_nobody_refuse_nothing() -> None:
    foreign = Live(foreign="Service web selects app=web", also=frozenset({"blue"}), route_owner="")
    before = Live(**{**vars(foreign), "objects": {WEB: service(NARROWED)}})
    seen = adoption.seen(before, ADOPTION, "blue", [OURS], "me/bluegreen/prod")
    assert (seen.traffic, seen.serving, seen.foreign, seen.route_owner) == (NOBODY, frozenset(), "", None)
    moved = Live(**{**vars(foreign), "objects": {WEB: service(OURS)}})
    assert adoption.seen(moved, ADOPTION, "blue", [OURS], "me/bluegreen/prod").traffic == Traffic.to("blue")


def test_a_route_of_another_stack_stays_refused() -> None:
    live = Live(route_owner="me/bluegreen/other")
    assert adoption.seen(live, ADOPTION, "blue", [OURS], "me/bluegreen/prod") is live


MARKS = {
    "Helm by annotation": ("Helm", {"annotations": {"meta.helm.sh/release-name": "shop"}}),
    "Helm by label": ("Helm", {"labels": {"app.kubernetes.io/managed-by": "Helm"}}),
    "Argo CD": ("Argo CD", {"annotations": {"argocd.argoproj.io/tracking-id": "x"}}),
    "Argo CD by label": ("Argo CD", {"labels": {"argocd.argoproj.io/instance": "x"}}),
    "Flux": ("Flux", {"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}),
    "a chart of Flux": (
        "Flux",
        {"labels": {"helm.toolkit.fluxcd.io/name": "x", "app.kubernetes.io/managed-by": "Helm"}},
    ),
    "Pulumi": ("another Pulumi stack", {"annotations": {"pulumi.com/patchFieldManager": "x"}}),
    "this program": ("another Pulumi stack (me/bluegreen/other)", {"annotations": {metadata.OWNER: "me/bluegreen/other"}}),
}


@pytest.mark.parametrize(("tool", "marks"), MARKS.values(), ids=MARKS)
def test_what_another_tool_owns_is_refused_with_what_to_do_there(tool: str, marks: dict[str, dict[str, str]]) -> None:
    [refusal] = adoption.marked(WEB, service(BEFORE, **marks), "me/bluegreen/prod")
    assert f"it belongs to {tool}: " in refusal.live
    assert refusal.exception == ""
    assert any(f"{name}-" in refusal.remedy for group in marks.values() for name in group)


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({}, id="none"),
        pytest.param({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}, id="kubectl"),
        pytest.param({"labels": {"app.kubernetes.io/managed-by": "us"}}, id="a label of people"),
        pytest.param({"annotations": {metadata.OWNER: "me/bluegreen/prod", "pulumi.com/skipAwait": "true"}}, id="our own"),
    ],
)
def test_what_nobody_else_owns_is_taken(marks: dict[str, dict[str, str]]) -> None:
    assert [*adoption.marked(WEB, service(BEFORE, **marks), "me/bluegreen/prod")] == []


def test_an_adoption_that_has_ended_is_refused_and_one_that_goes_on_is_not() -> None:
    def written(**annotations: str) -> dict[str, Object | None]:
        return {"web": service(OURS, annotations={metadata.OWNER: "me/bluegreen/prod", **annotations}), "web-metrics": None}

    ended = written(**{"pulumi.com/patchFieldManager": "bluegreen"})
    assert [*adoption.ended(ADOPTION, ended, "me/bluegreen/prod")]
    assert [*adoption.ended(ADOPTION, written(), "me/bluegreen/prod")] == []
    assert [*adoption.ended(ADOPTION, ended, "me/bluegreen/other")] == []


def test_pods_of_another_deployment_are_found() -> None:
    def pod(name: str, owner: str) -> Object:
        return {"metadata": {"name": name, "ownerReferences": [{"uid": owner}]}}

    replica_sets: list[Object] = [
        {"metadata": {"uid": uid, "ownerReferences": [{"uid": owner}]}} for uid, owner in ("a1", "b2")
    ]
    pods = [pod("mine", "a"), pod("other", "b"), {"metadata": {"name": "bare"}}]
    assert adoption.foreign_pods(pods, deployment(), replica_sets) == ["other", "bare"]


OLD = LiveColor(image="web:1", replicas=3, ready=2)


@pytest.mark.parametrize(
    ("target", "reached", "rule"),
    [
        pytest.param(COLOR, 2, None, id="as many ready pods as serve now"),
        pytest.param(None, 0, "READY", id="not deployed"),
        pytest.param(LiveColor(image="web:1", replicas=3, ready=2), 2, "READY", id="not ready"),
        pytest.param(COLOR, 1, "ROOM", id="fewer pods than serve now"),
        pytest.param(COLOR, 0, "ROOM", id="ready, and not selected"),
    ],
)
def test_users_move_only_to_ready_pods_with_room_for_them(target: LiveColor | None, reached: int, rule: str | None) -> None:
    assert [str(refusal.rule) for refusal in adoption.users_to("blue", target, reached, OLD)] == ([rule] if rule else [])


def test_users_never_move_to_a_selector_without_ready_pods() -> None:
    nobody = LiveColor(image="web:1", replicas=0, ready=0)
    assert [*adoption.users_to("blue", COLOR, 0, nobody)]


def test_users_go_back_as_long_as_one_old_pod_is_ready() -> None:
    assert [*adoption.users_back(LiveColor(image="web:1", replicas=3, ready=1), "web")] == []
    assert [*adoption.users_back(LiveColor(image="web:1", replicas=3, ready=0), "web")]
    assert "does not exist" in next(adoption.users_back(None, "web")).live
