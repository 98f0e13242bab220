"""The rules of a release, as values: what moves, what is refused, and that no accepted sequence harms users."""

from dataclasses import replace

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bluegreen.gate.check import wanted
from bluegreen.release.colors import COLORS
from bluegreen.release.config_reader import SettingsError, read_settings
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.refusals import EXCEPTIONS, Refusal, Rule, mark
from bluegreen.release.traffic import Move, Traffic
from bluegreen.release.transition import Wanted, WantedColor, is_approved, transition

OWNER = "acme/bluegreen/prod"


def color(tag: str, **kwargs: object) -> LiveColor:
    return replace(LiveColor(image=f"shop:{tag}", template=tag, owner=OWNER), **kwargs)  # type: ignore[arg-type]


def want(active: str, expect: str = "", owner: str = OWNER, **tags: str) -> Wanted:
    colors = {name: WantedColor(image=f"shop:{tag}", template=tag) for name, tag in tags.items()}
    return Wanted(owner=owner, traffic=Traffic.to(active), expect=expect, colors=colors)


DIGEST = "sha256:" + "a" * 64
PINNED = f"shop:2@{DIGEST}"

LIVE = Live(traffic=Traffic.to("blue", "green"), route_owner=OWNER, colors={"blue": color("1"), "green": color("2")})
ONLY_BLUE = replace(LIVE, traffic=Traffic.to("blue"), colors={"blue": color("1")})


def live_with(name: str, **kwargs: object) -> Live:
    return replace(LIVE, colors={**LIVE.colors, name: replace(LIVE.colors[name], **kwargs)})  # type: ignore[arg-type]


LIVE_PINNED = live_with("green", image=PINNED)

ACCEPTED = {
    "the first installation": (Live(), want("blue", blue="1", green="2")),
    "nothing changes": (LIVE, want("blue", blue="1", green="2")),
    "a switch": (LIVE, want("green", blue="1", green="2")),
    "a new image for the idle color": (LIVE, want("blue", blue="1", green="3")),
    "the idle color is deployed": (ONLY_BLUE, want("blue", blue="1", green="2")),
    "the idle color is removed": (LIVE, want("blue", blue="1")),
    "a switch to as many pods as the live color has ready": (
        live_with("blue", replicas=6, ready=1),
        want("green", blue="1", green="2"),
    ),
    "a switch to more pods": (live_with("green", replicas=3, ready=3), want("green", blue="1", green="2")),
    "a switch that approves the tag": (LIVE, want("green", expect="2", blue="1", green="2")),
    "a switch to an image that an admission controller has pinned": (
        LIVE_PINNED,
        want("green", expect="2", blue="1", green="2"),
    ),
    "an approval while nothing moves": (LIVE, want("blue", expect="9", blue="1", green="2")),
    "a switch away from a color that is gone": (
        replace(LIVE, traffic=Traffic.to("green"), colors={"blue": color("1")}),
        want("blue", blue="1"),
    ),
}


@pytest.mark.parametrize(("live", "wanted"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(live: Live, wanted: Wanted) -> None:
    assert transition(live, wanted).refusals == ()


# Name -> live, wanted, a word of the rule, the exception.
REFUSED = {
    "a switch to a color that is absent": (
        ONLY_BLUE,
        want("green", blue="1", green="2"),
        "that runs already",
        "switch-and-change",
    ),
    "a switch to a color that gets a new image": (
        LIVE,
        want("green", blue="1", green="3"),
        "never both",
        "switch-and-change",
    ),
    "a switch with new pods of the color that is left": (
        LIVE,
        want("green", blue="3", green="2"),
        "never both",
        "switch-and-change",
    ),
    "a switch to an image that somebody else deployed": (
        live_with("green", image="shop:9"),
        want("green", blue="1", green="2"),
        "this very image",
        "switch-and-change",
    ),
    "a switch to a color with too few ready pods": (
        live_with("green", replicas=2, ready=1),
        want("green", blue="1", green="2"),
        "is ready",
        "unready",
    ),
    "a switch to a color whose pods are being replaced": (
        live_with("green", is_settled=False),
        want("green", blue="1", green="2"),
        "is ready",
        "unready",
    ),
    "a switch to a color with fewer pods": (
        live_with("blue", replicas=6, ready=6),
        want("green", blue="1", green="2"),
        "at least as many ready pods",
        "less-room",
    ),
    "a new image for the live color": (
        LIVE,
        want("blue", blue="3", green="2"),
        "do not change in place",
        "change-live",
    ),
    "no live color": (LIVE, want("green", green="2"), "is not removed", "remove-live"),
    "another release than the approved one": (
        LIVE,
        want("green", expect="1.9", blue="1", green="2"),
        "names what it approves",
        "",
    ),
    "a foreign stack": (
        LIVE,
        want("blue", owner="acme/bluegreen/green", blue="1"),
        "one owner",
        "adopt",
    ),
    "a route that belongs to nobody": (
        replace(LIVE, route_owner=""),
        want("blue", blue="1", green="2"),
        "one owner",
        "adopt",
    ),
}


@pytest.mark.parametrize(("live", "wanted", "words", "exception"), REFUSED.values(), ids=REFUSED)
def test_refused_in_words_with_a_remedy(live: Live, wanted: Wanted, words: str, exception: str) -> None:
    (refusal,) = transition(live, wanted).refusals
    assert words in refusal.rule.sentence
    assert refusal.exception == exception
    assert refusal.asked
    assert refusal.live
    assert refusal.remedy


def test_a_live_color_that_an_admission_controller_has_pinned_has_not_drifted() -> None:
    live = live_with("blue", image=f"shop:1@{DIGEST}")
    assert transition(live, want("blue", blue="1", green="2")).drifted == ""
    assert transition(live_with("blue", image="shop:9"), want("blue", blue="1", green="2")).drifted == "blue"


SPLIT = replace(LIVE, also=frozenset({"green"}), foreign="users are split")
UNKNOWN = replace(LIVE, traffic=Traffic.to(""), also=frozenset({"blue", "green"}), foreign="a redirect")


@pytest.mark.parametrize("live", [SPLIT, UNKNOWN], ids=["users are split", "it cannot be told who is served"])
def test_every_color_that_users_may_get_keeps_its_pods(live: Live) -> None:
    changed, removed = (transition(live, each) for each in (want("blue", blue="1", green="3"), want("blue", blue="1")))
    assert {refusal.exception for refusal in changed.refusals} >= {"switch-and-change" if changed.moves else "change-live"}
    assert "remove-live" in {refusal.exception for refusal in removed.refusals}
    assert all(live.foreign in refusal.live for refusal in removed.refusals if refusal.exception == "remove-live")
    assert transition(live, want("blue", blue="1", green="2")).refusals == ()


def test_a_route_that_cannot_be_understood_is_no_first_installation() -> None:
    nobody = replace(UNKNOWN, also=frozenset({"blue"}), colors={"blue": color("1")})
    (refusal,) = transition(nobody, want("green", blue="1", green="2")).refusals
    assert refusal.exception == "switch-and-change"
    assert transition(Live(), want("green", blue="1", green="2")).refusals == ()


def test_a_color_with_fewer_pods_is_refused_with_both_numbers_and_the_way() -> None:
    live = replace(LIVE, colors={"blue": color("1", replicas=6, ready=6), "green": color("2", replicas=2, ready=2)})
    (refusal,) = transition(live, want("green", blue="1", green="2")).refusals
    assert refusal.live == "green has room for 2 (2 of 2 pods are ready), blue serves with 6 ready pods"
    assert "bluegreen activate green --match-room" in refusal.remedy
    assert "pulumi config set green:replicas 6" in refusal.remedy


@pytest.mark.parametrize("replicas", [0, 2])
def test_a_color_that_is_not_ready_and_wants_fewer_pods_is_refused_for_both(replicas: int) -> None:
    live = replace(LIVE, colors={"blue": color("1", replicas=3, ready=3), "green": color("2", replicas=replicas, ready=0)})
    refusals = transition(live, want("green", blue="1", green="2")).refusals
    assert [each.exception for each in refusals] == ["unready", "less-room"]


def test_every_exception_belongs_to_a_rule_or_to_a_cluster_that_cannot_be_read() -> None:
    named = {case[3] for case in REFUSED.values() if case[3]}
    # tests/unit/gate/test_check.py has these, and tests/unit/workload/manifest/test_refused.py the last one.
    assert named | {"unread", "overwrite-route", "share-host", "shared-volume"} == set(EXCEPTIONS)


def test_a_refusal_says_rule_question_fact_remedy_and_exception() -> None:
    text = str(Refusal(rule=Rule.READY, asked="A", live="L", remedy="M", exception="unready"))
    assert [line.strip() for line in text.splitlines()] == [
        f"Refused {mark(Rule.READY)}: {Rule.READY.sentence}",
        "asked:  A",
        "live:   L",
        "remedy: M",
        "If you mean it: add unready to bluegreen:allow.",
    ]


def test_of_a_foreign_environment_nothing_else_is_said() -> None:
    refusals = transition(LIVE, want("green", owner="other", green="9")).refusals
    assert len(refusals) == 1


@pytest.mark.parametrize("approval", ["v2", "2", "shop:2", DIGEST, f"shop@{DIGEST}", f"shop:2@{DIGEST}", f"2@{DIGEST}"])
def test_a_color_is_approved_by_its_release_or_any_name_of_its_image(approval: str) -> None:
    assert is_approved(LiveColor(image=PINNED, release="v2"), "shop:2", approval)


@pytest.mark.parametrize("approval", ["v1", "1", "shop:1", f"sha256:{'b' * 64}", f"shop:2@sha256:{'b' * 64}", "else:2"])
def test_an_approval_of_something_else_is_not_one(approval: str) -> None:
    assert not is_approved(LiveColor(image=PINNED, release="v2"), "shop:2", approval)


class Releases(RuleBasedStateMachine):
    """Random walks of config changes through updates that may fail anywhere; users must never notice."""

    def __init__(self) -> None:
        super().__init__()
        self.config = {"bluegreen:image": "shop", "bluegreen:activeColor": "blue", "blue:imageTag": "1"}
        self.live = Live()
        self.changing: set[str] = set()

    @rule(data=st.data())
    def update(self, data: st.DataObject) -> None:
        edits = {
            "bluegreen:activeColor": st.sampled_from(COLORS),
            "bluegreen:testColor": st.sampled_from(["", *COLORS]),
            **{f"{name}:imageTag": st.sampled_from(["", "1", "2"]) for name in COLORS},
            **{f"{name}:env": st.sampled_from(["{}", '{"A": "1"}']) for name in COLORS},
        }
        keys = data.draw(st.sets(st.sampled_from(sorted(edits)), min_size=1, max_size=4))
        self._update({key: data.draw(edits[key]) for key in sorted(keys)}, data)

    @precondition(lambda self: bool(set(self.live.colors) - {self.live.active}))
    @rule(data=st.data())
    def switch(self, data: st.DataObject) -> None:

        idle = min(set(self.live.colors) - {self.live.active})
        self._update({"bluegreen:activeColor": idle, "bluegreen:testColor": ""}, data)

    def _update(self, change: dict[str, str], data: st.DataObject) -> None:
        self.config = {key: value for key, value in {**self.config, **change}.items() if value}
        try:
            asked = wanted(read_settings(self.config), OWNER, Live())
        except SettingsError:
            return
        decided = transition(self.live, asked)
        if not decided.refusals:
            self._apply(asked, decided.changes, decided.moves, data)

    def _apply(self, asked: Wanted, changes: tuple[str, ...], moves: Move | None, data: st.DataObject) -> None:
        """What the engine does: pods, waiting, the hook's last look, the route, deletions; it may stop after each."""
        assert not (moves and changes), "users move, and pods change"
        assert not moves or moves.origin in asked.colors, "users move, and there is no way back"
        assert not moves or self._ready(moves.target) >= self._ready(moves.origin), "users move to fewer pods"
        colors = dict(self.live.colors)
        for name in changes:
            colors[name] = LiveColor(image=asked.colors[name].image, template=asked.colors[name].template, owner=OWNER, ready=0)
            self.changing = {*self.changing, name}
        self._live(colors)
        for name in asked.colors:
            if not colors[name].is_ready and not data.draw(st.booleans(), label=f"{name} becomes ready"):
                return
            colors[name] = replace(colors[name], ready=colors[name].replicas)
        self.changing = set()
        self._live(colors)
        if moves and data.draw(st.booleans(), label="the target fails before the route is written"):
            colors[asked.traffic.active] = replace(colors[asked.traffic.active], ready=0)
            self._live(colors)
            return  # the hook refuses
        self.live = replace(self.live, traffic=Traffic.to(asked.traffic.active), route_owner=OWNER)
        self._live({name: each for name, each in colors.items() if name in asked.colors})

    def _ready(self, name: str) -> int:
        return self.live.colors[name].ready if name in self.live.colors else 0

    @precondition(lambda self: bool(self.live.colors))
    @rule(data=st.data(), pods=st.integers(1, 3))
    def an_autoscaler_or_a_person_scales_a_color(self, data: st.DataObject, pods: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.live.colors)))
        if self.live.colors[name].is_ready:
            self._live({**self.live.colors, name: replace(self.live.colors[name], replicas=pods, ready=pods)})

    def _live(self, colors: dict[str, LiveColor]) -> None:
        self.live = replace(self.live, colors=colors)
        self.users_are_served()

    @precondition(lambda self: bool(set(self.live.colors) - {self.live.active}))
    @rule()
    def a_color_without_users_fails_by_itself(self) -> None:
        idle = min(set(self.live.colors) - {self.live.active})
        self._live({**self.live.colors, idle: replace(self.live.colors[idle], ready=0)})

    @invariant()
    def users_are_served(self) -> None:
        if not self.live.active:
            return
        assert self.live.active in self.live.colors, "users are on a color that is absent"
        assert self.live.active not in self.changing, "users are on a color that is changing"
        assert self.live.colors[self.live.active].is_ready, "users are on a color that is not ready"


Releases.TestCase.settings = hypothesis_settings(max_examples=60, stateful_step_count=20, deadline=None)
test_no_accepted_sequence_leaves_users_on_a_color_that_is_absent_unready_or_changing = Releases.TestCase
