"""What is decided when an object is written, as values."""

from typing import Any

import pytest

from bluegreen.release.about import About
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.metadata import OWNER, WORKER_OF
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.traffic import Move, Traffic
from bluegreen.release.transition import Transition
from bluegreen.release.writes import creation, deployment_update, route_update, write

MINE = "acme/bluegreen/prod"
MOVES = Move("blue", "green")


def spec(image: str = "1", replicas: int = 2) -> dict[str, object]:
    return {"replicas": replicas, "template": {"image": image}}


def moving(*changes: str) -> Transition:
    return Transition(moves=MOVES, changes=changes, refusals=())


STAYING = Transition(moves=None, changes=(), refusals=())


@pytest.mark.parametrize(
    ("transition", "old", "new", "asked"),
    [
        pytest.param(moving(), spec(), spec(replicas=3), "green from 2 to 3 replicas", id="scaled"),
        pytest.param(moving(), spec("9"), spec(), "green back to the pods of the config", id="changed beside the stack"),
        pytest.param(moving(), spec(), spec(), "", id="something else"),
        pytest.param(moving("green"), spec(), spec("2"), "", id="changed by the config, and judged before"),
        pytest.param(STAYING, spec(), spec("2", 3), "", id="while nobody moves"),
    ],
)
def test_a_deployment_is_not_written_while_users_move(
    transition: Transition, old: dict[str, object], new: dict[str, object], asked: str
) -> None:
    refusals = [*deployment_update(transition, "green", old, new)]
    assert [each.asked for each in refusals] == ([f"users from blue to green, and {asked}"] if asked else [])
    assert {each.rule for each in refusals} <= {Rule.NEVER_BOTH}


def test_a_worker_is_scaled_while_users_move_and_gets_no_other_pods() -> None:
    assert [*deployment_update(moving(), "green", spec(replicas=0), spec(), is_of_worker=True)] == []
    [refusal] = deployment_update(moving(), "green", spec("9"), spec(), is_of_worker=True)
    assert "green back to the pods of the config" in refusal.asked


def worker(color: str, replicas: int, image: str = "1", kind: str = "Deployment", label: str = WORKER_OF) -> dict[str, Any]:
    metadata = {"name": f"shop-jobs-{color}", "labels": {"color": color, label: "shop"}}
    return {"kind": kind, "metadata": metadata, "spec": spec(image, replicas)}


@pytest.mark.parametrize("verb", ["activate", "rollback"])
@pytest.mark.parametrize("color", ["blue", "green"])
def test_a_subcommand_that_moves_users_scales_the_workers_of_both_colors(verb: str, color: str) -> None:
    about, live = About(verb=verb, color="green"), Live(traffic=Traffic.to("blue"))

    def refusals(about: About, old: dict[str, Any], new: dict[str, Any]) -> list[Refusal]:
        return [*write(about, live, (), (), old, new)]

    assert refusals(about, worker(color, 2), worker(color, 0)) == []
    assert refusals(about, worker(color, 2), worker(color, 2, "2"))
    assert refusals(about, worker(color, 2, label="any"), worker(color, 0, label="any"))
    assert refusals(about, worker(color, 2, kind="Other"), worker(color, 0, kind="Other"))
    assert refusals(About(verb="test", color="green"), worker(color, 2), worker(color, 0))


@pytest.mark.parametrize(
    ("target", "rule", "words"),
    [
        pytest.param(LiveColor(image="shop:2", replicas=2, ready=2), None, "", id="ready"),
        pytest.param(
            LiveColor(image="shop:2", replicas=2, ready=0), Rule.READY, "0 of 2 pods of green are ready", id="not ready"
        ),
        pytest.param(None, Rule.READY, "green was there when this update began, and now it is gone", id="gone"),
        pytest.param(LiveColor(image="shop:2", ready=1), Rule.ROOM, "green has room for 1", id="scaled down meanwhile"),
    ],
)
def test_the_route_is_written_to_a_color_that_is_still_ready_and_has_room(
    target: LiveColor | None, rule: Rule | None, words: str
) -> None:
    colors = {"blue": LiveColor(image="shop:1", replicas=2, ready=2), **({"green": target} if target else {})}
    refusals = [*route_update(MOVES, Live(traffic=Traffic.to("blue"), colors=colors))]
    assert [each.rule for each in refusals] == ([rule] if rule else [])
    assert all(words in each.live for each in refusals)


def existing(**annotations: str) -> dict[str, object]:
    return {"metadata": {"annotations": annotations}}


@pytest.mark.parametrize(
    ("found", "remedy"),
    [
        pytest.param(existing(**{OWNER: MINE}), "another state of the same stack", id="its own, in another state"),
        pytest.param(
            existing(**{OWNER: "acme/bluegreen/green"}), "pulumi stack select acme/bluegreen/green", id="another stack's"
        ),
        pytest.param(existing(), "pulumi import", id="nobody's"),
    ],
)
def test_what_exists_is_not_created(found: dict[str, object], remedy: str) -> None:
    (refusal,) = creation("Service shop", found, MINE, owner_exists=True)
    assert (refusal.rule, refusal.exception) == (Rule.ONE_OWNER, "adopt")
    assert remedy in refusal.remedy


def test_what_does_not_exist_is_created() -> None:
    assert [*creation("Service shop", None, MINE)] == []


def test_no_refusal_is_without_words() -> None:
    """The engine takes an error of a hook without a text for none."""
    assert str(Refusal(rule=Rule.READY, asked="", live="", remedy="")).strip()
