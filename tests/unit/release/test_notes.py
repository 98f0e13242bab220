"""What makes the engine write an object that somebody else has changed, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from bluegreen.release import metadata
from bluegreen.release.about import About
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.notes import Notes
from bluegreen.release.objects import Object, Ref
from bluegreen.release.traffic import Traffic
from bluegreen.release.transition import Wanted, WantedColor, transition
from bluegreen.routing import istio, selector
from tests.unit.program import SHOP

ROUTE = istio.route(SHOP)
SERVICES = selector.route(SHOP)
GREEN = Ref("apps/v1", "Deployment", "shop-green")
SUBSETS = istio.parts(SHOP)[0]
MANIFEST = {"spec": {"replicas": 2}}
FIELDS: dict[str, Any] = {"f:spec": {"f:replicas": {}}}


def found(manager: str = "bluegreen", replicas: int = 2, color: str = "", **annotations: str) -> dict[str, Any]:
    named = {f"bluegreen/{name}": text for name, text in annotations.items()}
    labels = {"color": color} if color else {}
    owners = [{"manager": manager, "fieldsV1": FIELDS}]
    metadata = {"resourceVersion": "7", "annotations": named, "labels": labels, "managedFields": owners}
    return {"metadata": metadata, "spec": {"replicas": replicas}}


def live(objects: dict[Ref, Object | None], **change: Any) -> Live:
    colors = {name: LiveColor(image="shop:1", template=name[0], owner="me") for name in ("blue", "green")}
    return replace(Live(traffic=Traffic.to("blue", "green"), route_owner="me", colors=colors, objects=objects), **change)


def notes(seen: Live, active: str = "blue", test: str = "green", route: tuple[Ref, ...] = ROUTE, **more: Any) -> Notes:
    colors = {name: WantedColor(image="shop:1", template=name[0]) for name in ("blue", "green")}
    wanted = Wanted(owner="me", traffic=Traffic.to(active, test), colors=colors)
    return Notes(live=seen, wanted=wanted, transition=transition(seen, wanted), route=route, **more)


def replaces(made: Notes, ref: Ref) -> str:
    return made.annotations(ref, MANIFEST).get(metadata.REPLACES, "")


CHANGED = found("kubectl", replicas=5)


@pytest.mark.parametrize(
    ("seen", "ref", "due"),
    [
        pytest.param(live({ROUTE[0]: found()}), ROUTE[0], False, id="the route as it should be"),
        pytest.param(live({ROUTE[0]: CHANGED}), ROUTE[0], True, id="a route that somebody has changed"),
        pytest.param(live({ROUTE[0]: found()}, traffic=Traffic.to("green", "green")), ROUTE[0], True, id="users elsewhere"),
        pytest.param(live({ROUTE[0]: found()}, traffic=Traffic.to("blue")), ROUTE[0], True, id="testers elsewhere"),
        pytest.param(live({ROUTE[0]: CHANGED}, foreign="a redirect"), ROUTE[0], False, id="a foreign route"),
        pytest.param(live({GREEN: found(color="green")}), GREEN, False, id="an idle color as it should be"),
        pytest.param(live({GREEN: CHANGED}), GREEN, True, id="an idle color that somebody has changed"),
        pytest.param(
            live({GREEN: CHANGED, ROUTE[0]: found(metadata.EMERGENCY_MANAGER)}),
            GREEN,
            False,
            id="the update after an emergency",
        ),
        pytest.param(live({SUBSETS: CHANGED}), SUBSETS, True, id="subsets that somebody has changed"),
    ],
)
def test_an_object_is_written_again_exactly_if_it_is_not_what_the_config_asks_for(seen: Live, ref: Ref, due: bool) -> None:
    assert replaces(notes(seen), ref) == ("7" if due else "")


def test_a_live_color_that_somebody_has_changed_keeps_its_pods() -> None:
    assert (
        replaces(
            notes(live({GREEN: found("kubectl", 5, color="green")}, traffic=Traffic.to("green", "green")), active="green"),
            GREEN,
        )
        == ""
    )


def test_what_was_noted_stays_while_nothing_is_due() -> None:
    assert replaces(notes(live({ROUTE[0]: found(replaces="3")})), ROUTE[0]) == "3"


def test_a_foreign_route_is_written_if_that_is_meant() -> None:
    assert replaces(notes(live({ROUTE[0]: CHANGED}, foreign="a redirect"), overwrites=True), ROUTE[0]) == "7"


def test_of_two_services_only_the_one_that_leads_elsewhere_is_written() -> None:
    objects: dict[Ref, Object | None] = {ref: found() for ref in SERVICES}
    made = notes(live(objects, traffic=Traffic.to("blue", "blue")), route=SERVICES)
    assert [replaces(made, ref) for ref in SERVICES] == ["", "7"]


def test_an_update_that_moves_users_changes_no_pods_that_somebody_has_changed() -> None:
    assert replaces(notes(live({GREEN: CHANGED}), active="green", test="blue"), GREEN) == ""


def test_an_object_that_is_gone_is_noted_with_a_value_that_never_was() -> None:
    made = notes(live({ROUTE[0]: None}))
    first, second = (replaces(made, ROUTE[0]) for _ in range(2))
    assert first.startswith("none-")
    assert first != second
    assert made.is_gone(ROUTE[0])
    nothing = notes(Live(objects={ROUTE[0]: None}))
    assert not nothing.is_gone(ROUTE[0])
    assert replaces(nothing, ROUTE[0]) == ""


def test_the_route_carries_the_record_of_who_has_served() -> None:
    def record(seen: Live, active: str) -> str:
        return notes(seen, active=active, test="").annotations(ROUTE[0], MANIFEST).get(metadata.SERVED, "")

    assert record(Live(objects={ROUTE[0]: None}), "blue") == "blue:b"
    assert record(live({ROUTE[0]: found(served="blue:b")}), "green") == "green:g,blue:b"
    assert (
        record(live({ROUTE[0]: found(served="green:g,blue:b")}, traffic=Traffic.to("green", "green")), "blue")
        == "green:g,blue:b"
    )
    assert record(live({ROUTE[0]: found()}), "green") == "green:g,blue:b"
    assert record(live({ROUTE[0]: found()}), "blue") == ""


def test_a_subcommand_leaves_as_it_is_what_it_is_not_about() -> None:
    seen = live({ROUTE[0]: CHANGED, GREEN: CHANGED, SUBSETS: None})
    green = {**MANIFEST, "metadata": {"labels": {"color": "green"}}}
    made = notes(seen, about=About(verb="deploy", color="green"))
    assert [made.annotations(ref, item).get(metadata.REPLACES, "") for ref, item in ((ROUTE[0], MANIFEST), (GREEN, green))] == [
        "",
        "7",
    ]
    assert replaces(made, SUBSETS) == ""
    made = notes(seen, about=About(verb="activate", color="blue"))
    assert [made.annotations(ref, item).get(metadata.REPLACES, "") for ref, item in ((ROUTE[0], MANIFEST), (GREEN, green))] == [
        "7",
        "",
    ]
