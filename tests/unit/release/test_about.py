"""A subcommand changes what it is about and nothing else, whatever the config file asks for besides."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.release import metadata
from bluegreen.release.about import VARIABLE, About
from bluegreen.release.colors import COLORS, other
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.objects import Ref
from bluegreen.release.refusals import Rule
from bluegreen.release.traffic import Traffic
from bluegreen.release.transition import Wanted, WantedColor, transition
from bluegreen.release.writes import write
from bluegreen.routing import istio
from tests.unit.program import SHOP

OWNER = "acme/bluegreen/prod"
LIVE = Live(
    traffic=Traffic.to("green", "blue"),
    route_owner=OWNER,
    colors={
        "blue": LiveColor(image="shop:1", template="1", owner=OWNER),
        "green": LiveColor(image="shop:2", template="2", owner=OWNER),
    },
)
ROUTE = istio.route(SHOP)


def about(text: str) -> About:
    found = About.given({VARIABLE: text})
    assert found
    return found


def want(subject: str, active: str = "green", test: str = "blue", **tags: str) -> Wanted:
    """What is live, but for the arguments. `none` as a tag is a color that is not deployed."""
    running = {"blue": "1", "green": "2"} | tags
    colors = {name: WantedColor(image=f"shop:{tag}", template=tag) for name, tag in running.items() if tag != "none"}
    return Wanted(owner=OWNER, traffic=Traffic.to(active, test), about=about(subject), colors=colors)


COVERED = {
    "deploy: its own pods": want("deploy blue", blue="3"),
    "deploy: nothing": want("deploy blue"),
    "test: testers to its color": want("test blue"),
    "activate: users to its color, testers to the other one": want("activate blue", "blue", "green"),
    "rollback: the same": want("rollback blue", "blue", "green"),
    "decommission: its color, and testers who were there": want("decommission blue", test="", blue="none"),
    "scale: nothing that shows in the pod template": want("scale blue"),
}


@pytest.mark.parametrize("wanted", COVERED.values(), ids=COVERED)
def test_a_subcommand_may_change_what_it_is_about(wanted: Wanted) -> None:
    assert transition(LIVE, wanted).refusals == ()


# What the subcommand and the config ask for, and what is said of it.
BEYOND = {
    "deploy: users": (want("deploy blue", "blue", "green", blue="3"), "users from green to blue"),
    "deploy: testers": (want("deploy blue", test="", blue="3"), "testers from blue to nobody"),
    "deploy: new pods of the other color": (want("deploy blue", green="3"), "new pods of green"),
    "deploy: the other color removed": (want("deploy green", test="", blue="none", green="3"), "the removal of blue"),
    "test: users": (want("test green", "blue", "green"), "users from green to blue"),
    "test: testers to the other color": (want("test green", test=""), "testers from blue to nobody"),
    "test: new pods": (want("test blue", blue="3"), "new pods of blue"),
    "activate: users to the other color": (want("activate green", "blue", "green"), "users from green to blue"),
    "activate: new pods of its color": (want("activate blue", "blue", "green", blue="3"), "new pods of blue"),
    "activate: new pods while nobody moves": (want("activate green", blue="3"), "new pods of blue"),
    "activate: a removal": (want("activate green", test="", blue="none"), "the removal of blue"),
    "rollback: new pods of the color that is left": (want("rollback blue", "blue", "green", green="3"), "new pods of green"),
    "decommission: the other color": (want("decommission green", test="", blue="none"), "the removal of blue"),
    "decommission: new pods": (want("decommission blue", test="", blue="none", green="3"), "new pods of green"),
    "decommission: users": (want("decommission green", "blue", "", green="none"), "users from green to blue"),
    "scale: another image": (want("scale blue", blue="3"), "new pods of blue"),
    "scale: users": (want("scale blue", "blue", "green"), "users from green to blue"),
}


@pytest.mark.parametrize(("wanted", "words"), BEYOND.values(), ids=BEYOND)
def test_a_subcommand_is_refused_when_the_config_asks_for_more_and_nothing_else_is_said(wanted: Wanted, words: str) -> None:
    (refusal,) = transition(LIVE, wanted).refusals
    assert (refusal.rule, refusal.exception) == (Rule.ABOUT, "")
    assert refusal.asked.startswith(f"bluegreen {wanted.about}, but the config also asks for ")
    assert words in refusal.asked
    assert all(way in refusal.remedy for way in ("git pull", "--from-state", "bluegreen up"))


def test_a_color_that_is_not_live_is_installed_by_its_own_deploy_alone() -> None:
    alone = replace(LIVE, traffic=Traffic.to("green"), colors={"green": LIVE.colors["green"]})
    assert transition(alone, want("deploy blue", test="", blue="3")).refusals == ()
    (refusal,) = transition(alone, want("deploy green", test="")).refusals
    assert "a deployment of blue" in refusal.asked


def test_an_autoscaler_of_another_color_does_not_end() -> None:
    scaled = replace(LIVE, colors={**LIVE.colors, "green": replace(LIVE.colors["green"], is_autoscaled=True)})
    (refusal,) = transition(scaled, want("deploy blue", blue="3")).refusals
    assert "no autoscaler for green" in refusal.asked
    own = replace(LIVE, colors={**LIVE.colors, "blue": replace(LIVE.colors["blue"], is_autoscaled=True)})
    assert transition(own, want("deploy blue", blue="3")).refusals == ()


@pytest.mark.parametrize("subject", [f"{verb} {color}" for verb in ("deploy", "test", "activate") for color in COLORS])
def test_the_first_installation_may_do_anything(subject: str) -> None:
    assert transition(Live(), want(subject)).refusals == ()


def test_up_from_the_state_may_change_everything_but_the_release() -> None:
    other_variables = replace(LIVE, colors={**LIVE.colors, "blue": replace(LIVE.colors["blue"], template="other")})
    scaled = replace(LIVE, colors={name: replace(color, is_autoscaled=True) for name, color in LIVE.colors.items()})
    failed = replace(LIVE, colors={**LIVE.colors, "blue": replace(LIVE.colors["blue"], image="shop:3", template="3", ready=0)})
    mirrored = replace(
        LIVE, colors={**LIVE.colors, "blue": replace(LIVE.colors["blue"], image="mirror/shop:1", template="other")}
    )
    for live in (LIVE, other_variables, scaled, mirrored, failed):
        assert transition(live, want("up --from-state")).refusals == ()
    assert [*write(about("up --from-state"), LIVE, ROUTE, (), None, GATEWAY)] == []


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (want("up --from-state", "blue", "green"), "users from green to blue"),
        (want("up --from-state", test=""), "testers from blue to nobody"),
        (want("up --from-state", blue="3"), "new pods of blue"),
        (want("up --from-state", test="", blue="none"), "the removal of blue"),
    ],
)
def test_up_from_a_state_that_is_behind_moves_and_deploys_nothing(wanted: Wanted, words: str) -> None:
    (refusal,) = transition(LIVE, wanted).refusals
    assert refusal.rule == Rule.ABOUT
    assert refusal.asked.startswith("bluegreen up --from-state, but the config also asks for ")
    assert words in refusal.asked
    assert "run it again" in refusal.remedy


def test_up_may_do_anything_that_the_other_rules_allow() -> None:
    assert transition(LIVE, replace(want("deploy blue", "blue", "green"), about=None)).refusals == ()


@given(st.sampled_from(["deploy", "scale", "test", "decommission"]), *[st.sampled_from(["", *COLORS]) for _ in range(2)])
def test_only_activate_and_rollback_move_users(verb: str, color: str, active: str) -> None:
    decided = transition(LIVE, want(f"{verb} {color or 'blue'}", active or "blue", ""))
    assert decided.moves is None or decided.refusals != ()


@pytest.mark.parametrize("text", ["deploy", "deploy red", "up blue", " blue", "deploy blue green"])
def test_a_variable_that_states_something_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=VARIABLE):
        About.given({VARIABLE: text})


def test_without_the_variable_a_run_is_about_nothing() -> None:
    assert About.given({}) is None
    assert About.given({VARIABLE: ""}) is None


def item(kind: str, name: str, color: str = "") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "labels": {"app": "shop", **({"color": color} if color else {})}}}


DEPLOYMENT = {color: item("Deployment", f"shop-{color}", color) for color in COLORS}
AUTOSCALER = {color: item("HorizontalPodAutoscaler", f"shop-{color}", color) for color in COLORS}
VIRTUAL_SERVICE, GATEWAY = item("VirtualService", "shop-blue-green"), item("Gateway", "shop-gateway")

# What each subcommand about green may write.
WRITES = {
    "deploy": [DEPLOYMENT["green"], AUTOSCALER["green"]],
    "scale": [DEPLOYMENT["green"], AUTOSCALER["green"]],
    "test": [VIRTUAL_SERVICE],
    "activate": [VIRTUAL_SERVICE],
    "rollback": [VIRTUAL_SERVICE],
    "decommission": [DEPLOYMENT["green"], AUTOSCALER["green"], VIRTUAL_SERVICE],
}


@pytest.mark.parametrize("verb", WRITES)
def test_a_subcommand_writes_the_objects_that_it_is_about(verb: str) -> None:
    every = [*DEPLOYMENT.values(), *AUTOSCALER.values(), VIRTUAL_SERVICE, GATEWAY]
    written = [each for each in every if not [*write(about(f"{verb} green"), LIVE, ROUTE, (), None, each)]]
    assert written == WRITES[verb]
    assert [each for each in every if [*write(None, LIVE, ROUTE, (), None, each)]] == []
    assert [each for each in every if [*write(about(f"{verb} green"), Live(), ROUTE, (), None, each)]] == []


def test_a_write_beyond_the_subcommand_names_the_object() -> None:
    (refusal,) = write(about("deploy green"), LIVE, ROUTE, (), None, DEPLOYMENT[other("green")])
    assert refusal.asked == "bluegreen deploy green, but the config also asks for a change of Deployment shop-blue"


def test_a_renamed_stack_writes_its_name_to_every_object_whatever_the_subcommand() -> None:
    old, new = (
        item("Gateway", "shop-gateway") | {"spec": {"hosts": [host]}, "metadata": {"name": "shop-gateway", "annotations": note}}
        for host, note in (("a", {"bluegreen/owner": "acme/bluegreen/old"}), ("a", {"bluegreen/owner": OWNER}))
    )
    assert [*write(about("activate blue"), LIVE, ROUTE, (), old, new)] == []
    assert [*write(about("activate blue"), LIVE, ROUTE, (), old, new | {"spec": {"hosts": ["b"]}})] != []


def test_a_new_version_writes_its_annotations_and_labels_to_every_object_whatever_the_subcommand() -> None:
    before = {"name": "shop-gateway", "annotations": {"bluegreen/owner": OWNER, "bluegreen/replaces": "7"}}
    after = {"name": "shop-gateway", "annotations": {metadata.OWNER: OWNER, metadata.REPLACES: "7"}}
    after |= {"labels": metadata.labels("shop")}
    old, new = (item("Gateway", "shop-gateway") | {"metadata": described} for described in (before, after))
    assert [*write(about("activate blue"), LIVE, ROUTE, (), old, new)] == []
    changed = new | {"metadata": after | {"annotations": {metadata.OWNER: OWNER, metadata.REPLACES: "8"}}}
    assert [*write(about("activate blue"), LIVE, ROUTE, (), old, changed)] != []


FURTHER = (Ref("v1", "Service", "shop-metrics"), Ref("networking.istio.io/v1", "DestinationRule", "shop-metrics-blue-green"))
SUBSETS = item("DestinationRule", "shop-metrics-blue-green")


def service(name: str, **spec: Any) -> dict[str, Any]:
    return item("Service", name) | {"spec": {"type": "ClusterIP", "ports": [{"port": 80}], **spec}}


def may_write(text: str, old: dict[str, Any] | None, new: dict[str, Any]) -> bool:
    return not [*write(about(text), LIVE, ROUTE, FURTHER, old, new)]


PORTS = {"ports": [{"port": 80}, {"port": 81}]}
SERVICES: dict[str, tuple[dict[str, Any] | None, dict[str, Any], set[str]]] = {
    "another port": (service("shop"), service("shop", **PORTS), {"deploy", "decommission", "activate", "rollback"}),
    "another port and another type": (service("shop"), service("shop", type="NodePort", **PORTS), {"activate", "rollback"}),
    "a further Service": (None, service("shop-metrics"), {"deploy", "decommission", "activate", "rollback"}),
    "what belongs to a further Service": (None, SUBSETS, {"deploy", "decommission", "activate", "rollback"}),
    "another Service": (None, service("other"), set()),
}


@pytest.mark.parametrize(("old", "new", "verbs"), SERVICES.values(), ids=SERVICES)
def test_the_services_follow_the_manifests_of_the_colors(
    old: dict[str, Any] | None, new: dict[str, Any], verbs: set[str]
) -> None:
    every = ("deploy", "scale", "test", "activate", "rollback", "decommission")
    assert {verb for verb in every if may_write(f"{verb} green", old, new)} == verbs
