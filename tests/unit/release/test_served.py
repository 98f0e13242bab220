"""The record of who has served users: where a roll-back leads, however often it is asked for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bluegreen.release.colors import COLORS, other
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.served import Served, after_move, before, read, written
from bluegreen.release.traffic import Traffic
from bluegreen.release.way_back import way_back

B1, B2, G1, G2 = Served("blue", "b1"), Served("blue", "b2"), Served("green", "g1"), Served("green", "g2")


def live(active: str, **templates: str) -> Live:
    return Live(
        traffic=Traffic.to(active),
        route_owner="me",
        colors={name: LiveColor(image=f"shop:{template}", template=template) for name, template in templates.items()},
    )


def test_a_release_that_users_were_never_on_becomes_the_newest_entry() -> None:
    assert after_move([B1], B1, G1, {"blue": "b1", "green": "g1"}) == (G1, B1)


def test_a_roll_back_and_an_activation_again_leave_the_record_as_it_is() -> None:
    running = {"blue": "b1", "green": "g1"}
    assert after_move([G1, B1], G1, B1, running) == (G1, B1)
    assert after_move([G1, B1], B1, G1, running) == (G1, B1)


def test_a_new_entry_removes_those_that_no_color_runs_any_more() -> None:
    assert after_move([G1, B1], B1, G2, {"blue": "b1", "green": "g2"}) == (G2, B1)


def test_a_color_that_served_before_there_was_a_record_is_the_older_one() -> None:
    assert after_move([], B1, G1, {"blue": "b1", "green": "g1"}) == (G1, B1)


# The route, the record -> the color that users go back to, whether they are back, a part of the reason.
WAYS: dict[str, tuple[Live, list[Served], str, bool, str]] = {
    "back to what served before": (live("green", blue="b1", green="g1"), [G1, B1], "blue", False, ""),
    "back already": (live("blue", blue="b1", green="g1"), [G1, B1], "blue", True, ""),
    "back already, and the next release is deployed": (live("blue", blue="b1", green="g2"), [G1, B1], "blue", True, ""),
    "nothing served before": (live("blue", blue="b1", green="g1"), [B1], "", False, "users were on nothing but blue"),
    "the older one has the next release": (
        live("green", blue="b2", green="g1"),
        [G1, B1],
        "",
        False,
        "blue runs shop:b2 now, and users were never on that",
    ),
    "the older one is gone": (live("green", green="g1"), [G1, B1], "", False, "blue, which served before, is not deployed"),
    "no record": (live("green", blue="b1", green="g1"), [], "blue", False, ""),
    "the live color was changed in place": (live("green", blue="b1", green="g2"), [G1, B1], "blue", False, ""),
    "nobody knows who serves": (live("", blue="b1"), [], "", False, "does not say"),
    "users are split": (
        replace(live("green", blue="b1", green="g1"), also=frozenset({"blue"})),
        [B1],
        "blue",
        False,
        "",
    ),
}


@pytest.mark.parametrize(("found", "record", "color", "is_already", "reason"), WAYS.values(), ids=WAYS)
def test_the_way_back(found: Live, record: list[Served], color: str, is_already: bool, reason: str) -> None:
    back = way_back(found, record)
    assert (back.color, back.is_already) == (color, is_already)
    assert reason in back.reason
    assert bool(back.color) != bool(back.reason)


@hypothesis_settings(derandomize=True, max_examples=150)
@given(steps=st.lists(st.tuples(st.sampled_from(["activate", "deploy", "roll back"]), st.integers(0, 3)), max_size=14))
def test_whatever_came_before_two_roll_backs_end_where_one_does(steps: list[tuple[str, int]]) -> None:
    active, running, record = "blue", {"blue": "0", "green": "0"}, after_move([], None, Served("blue", "0"), {})

    def move(target: str) -> None:
        nonlocal active, record
        record = after_move(record, Served(active, running[active]), Served(target, running[target]), running)
        active = target

    def roll_back() -> None:
        back = way_back(live(active, **running), record)
        if back.color and not back.is_already:
            move(back.color)

    for step, tag in steps:
        if step == "activate":
            move(other(active))
        elif step == "deploy":
            running[other(active)] = str(tag)
        else:
            roll_back()
    roll_back()
    once = active
    roll_back()
    assert active == once
    assert read(written(record)) == record
    assert len(record) == len(set(record)) <= len(COLORS) + 1


@hypothesis_settings(derandomize=True)
@given(text=st.text(alphabet="bluegrn:,0a ", max_size=40))
def test_whatever_the_annotation_holds_it_is_read(text: str) -> None:
    record = read(text)
    assert {entry.color for entry in record} <= {*COLORS}
    assert before(record, B2) == record[record.index(B2) + 1 :] if B2 in record else before(record, B2) == record
