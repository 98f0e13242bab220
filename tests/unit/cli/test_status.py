"""What differs from the config is named, and the next command makes sense."""

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.cli.progress import Progress
from bluegreen.cli.seen import Seen, counted
from bluegreen.cli.status import Row, Status, Worker, ago, cannot_scale, differences, next_commands, show
from bluegreen.probe import Response
from bluegreen.release.config_reader import read_settings
from bluegreen.release.live import Live, LiveColor, LiveWorker
from bluegreen.release.settings import Settings
from bluegreen.release.traffic import Traffic

SETTINGS: Settings = read_settings(
    {
        "bluegreen:activeColor": "blue",
        "bluegreen:testColor": "green",
        "bluegreen:image": "shop",
        "blue:imageTag": "1.0",
        "green:imageTag": "2.0",
    }
)


def color(tag: str, **changes: object) -> LiveColor:
    given: dict[str, object] = {"image": f"shop:{tag}", "owner": "organization/bluegreen/prod", **changes}
    return LiveColor(**given)  # type: ignore[arg-type]


def live(active: str = "blue", test: str = "green", **colors: LiveColor) -> Live:
    return Live(traffic=Traffic.to(active, test), route_owner="", colors={"blue": color("1.0"), "green": color("2.0")} | colors)


def test_what_is_as_the_config_says_has_no_drift() -> None:
    assert list(differences(SETTINGS, live(), "prod")) == []


@pytest.mark.parametrize(
    ("present", "said"),
    [
        (live("green", "blue"), "the config has blue as active color, the route green"),
        (live(green=color("3.0")), "green runs shop:3.0, and the config has shop:2.0"),
        (live(green=color("2.0", replicas=3)), "green has 3 replicas, and the config 1"),
        (live(green=color("2.0", owner="organization/bluegreen/dev")), "a color belongs to the stack dev"),
        (Live(traffic=Traffic.to("blue"), colors={"blue": color("1.0")}), "green is not deployed, and the config has shop:2.0"),
    ],
    ids=["another color", "another image", "more replicas", "another owner", "a color that is gone"],
)
def test_each_difference_is_named(present: Live, said: str) -> None:
    assert said in list(differences(SETTINGS, present, "prod"))


@pytest.mark.parametrize(
    ("present", "first"),
    [
        (Live(), "bluegreen up: nothing is deployed yet"),
        (Live(traffic=Traffic.to("blue"), colors={"blue": color("1.0")}), "bluegreen deploy green --image <tag>"),
        (live(test=""), "bluegreen test green"),
        (live(), "bluegreen activate green"),
        (live(green=color("2.0", ready=0)), "bluegreen status --watch: green is not ready"),
        (live(blue=color("1.0", ready=0)), "bluegreen rollback --now: blue is not ready, and green is"),
    ],
    ids=["nothing", "one color", "not tested", "tested", "not ready", "the live color is not ready"],
)
def test_the_next_command_is_the_one_that_makes_sense(present: Live, first: str) -> None:
    assert next(next_commands(present, is_drifted=False, written={})) == first


def test_a_live_color_that_is_not_ready_is_left_before_drift_is_fixed() -> None:
    said = list(next_commands(live(blue=color("1.0", ready=0)), is_drifted=True, written={}))
    assert [each.partition(":")[0] for each in said] == ["bluegreen rollback --now", "bluegreen plan, then bluegreen up"]


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("2026-01-02T11:59:30Z", "30 s ago"),
        ("2026-01-02T11:00:01Z", "59 min ago"),
        ("2025-12-31T12:00:00Z", "2 d ago"),
        ("", "-"),
    ],
)
def test_how_long_ago_is_told_in_one_unit(moment: str, said: str) -> None:
    assert ago(moment, datetime(2026, 1, 2, 12, tzinfo=UTC)) == said


def test_an_older_color_beside_the_live_one_is_to_be_removed_or_gone_back_to() -> None:
    written = {"blue": "2026-01-02T12:00:00Z", "green": "2026-01-02T11:00:00Z"}
    assert [each.partition(":")[0] for each in next_commands(live(), is_drifted=False, written=written)] == [
        "bluegreen decommission green",
        "bluegreen rollback green",
    ]


STATUS = Status(
    stack="prod",
    namespace="shop",
    routing="istio",
    active="blue",
    test="green",
    rows=[
        Row(color=name, role=role, image=image, release="", ready=2, wanted=2, since="", share=share, owner="o/bluegreen/prod")
        for name, role, image, share in (
            ("blue", "live", "a.example:5000/shop:1.0", "100 % of users"),
            ("green", "test", "a.example:5000/shop:2.0", "cookie test=true"),
        )
    ],
    drift=["green has 3 replicas, and the config 2"],
    next=["bluegreen plan, then bluegreen up: brings what is live to what the config says"],
)


def shown(status: Status, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    show(status, Progress(is_json=False))
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def test_the_table_names_the_image_once_and_folds_nothing_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(STATUS, capsys)
    assert " ".join(lines[0]) == "prod namespace shop, routing istio, image a.example:5000/shop"
    assert " ".join(lines[2]) == "blue live 1.0 - 2/2 - 100 % of users prod"
    assert " ".join(lines[3]) == "green test 2.0 - 2/2 - cookie test=true prod"
    assert " ".join(lines[4]) == "served: not asked: nothing says where users come in (--url, or bluegreen:url)"
    assert " ".join(lines[5]) == "drift: green has 3 replicas, and the config 2"
    assert lines[6][:3] == ["next:", "bluegreen", "plan,"]


def worker(color: str, replicas: int) -> LiveWorker:
    return LiveWorker(name="jobs", color=color, replicas=replicas, ready=replicas, generation=1)


def test_a_worker_that_runs_beside_the_active_color_is_named() -> None:
    workers = {"shop-jobs-blue": worker("blue", 2), "shop-jobs-green": worker("green", 0)}
    assert list(differences(SETTINGS, dataclasses.replace(live(), workers=workers), "prod")) == []
    workers = {"shop-jobs-green": worker("green", 1)}
    assert list(differences(SETTINGS, dataclasses.replace(live(), workers=workers), "prod")) == [
        "the worker jobs of green runs, and the config has blue as active color"
    ]


def test_the_workers_of_each_color_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    listed = (Worker(name="jobs", ready=1, wanted=2), Worker(name="mail", ready=1, wanted=1))
    lines = shown(
        dataclasses.replace(STATUS, rows=[dataclasses.replace(STATUS.rows[0], workers=listed), STATUS.rows[1]]), capsys
    )
    assert " ".join(lines[4]) == "workers of blue: jobs 1/2, mail 1/1"
    assert lines[5][0] == "served:"


def test_an_image_of_another_name_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    foreign = dataclasses.replace(STATUS.rows[1], image="b.example/shop@sha256:" + "0" * 64)
    lines = shown(dataclasses.replace(STATUS, rows=[STATUS.rows[0], foreign]), capsys)
    assert "a.example:5000/shop:1.0" in lines[2]
    assert "b.example/shop@sha256:" + "0" * 64 in lines[3]


def served(*answers: Response) -> Seen:
    return counted("http://shop.example", answers)


BLUE, GREEN = (Response(status=200, color=name) for name in ("blue", "green"))
NOBODY = Response(error="TimeoutError: no complete response in 2 s")


@pytest.mark.parametrize(
    ("seen", "said", "differs"),
    [
        (served(BLUE, BLUE), "blue answered 2 of 2 requests at http://shop.example", False),
        (served(BLUE, GREEN), "blue answered 1, green answered 1 of 2 requests at http://shop.example", True),
        (served(GREEN), "green answered 1 of 1 requests at http://shop.example", True),
        (served(Response(status=200)), "an unnamed color answered 1 of 1 requests at http://shop.example", False),
        (
            served(BLUE, Response(status=503)),
            "blue answered 1, 1 failed (status 503) of 2 requests at http://shop.example",
            True,
        ),
        (served(NOBODY), "1 failed (TimeoutError: no complete response in 2 s) of 1 requests at http://shop.example", True),
    ],
    ids=["the color of the route", "both", "the other color", "a color without a name", "an error", "nobody"],
)
def test_who_answers_is_said_beside_what_the_route_says(
    seen: Seen, said: str, differs: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seen.differs("blue") is differs
    lines = [" ".join(line) for line in shown(dataclasses.replace(STATUS, served=seen), capsys)]
    assert f"served: {said}" in lines
    assert "blue live 1.0 - 2/2 - 100 % of users prod" in lines


def test_an_autoscaler_that_cannot_scale_is_shown_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    row = dataclasses.replace(STATUS.rows[0], autoscaler="FailedGetResourceMetric: missing request for cpu")
    lines = [" ".join(line) for line in shown(dataclasses.replace(STATUS, rows=[row]), capsys)]
    assert "autoscaler: that of blue cannot scale: FailedGetResourceMetric: missing request for cpu" in lines


def condition(kind: str, status: str, reason: str = "Any", message: object = "any message") -> dict[str, object]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ([condition("AbleToScale", "True"), condition("ScalingActive", "True"), condition("ScalingLimited", "False")], ""),
        (
            [condition("ScalingActive", "False", "FailedGetResourceMetric", "no\n metrics")],
            "FailedGetResourceMetric: no metrics",
        ),
        ([condition("AbleToScale", "False", "FailedGetScale")], "FailedGetScale: any message"),
        ([condition("ScalingActive", "False", "ScalingDisabled", "at 0 replicas")], ""),
        ([condition("ScalingActive", "False", "Long", "x" * 500)], f"Long: {'x' * 160}..."),
        (None, ""),
    ],
    ids=["scales", "no metrics", "no scale", "off on purpose", "a long message", "new"],
)
def test_an_autoscaler_is_judged_by_its_conditions(conditions: object, said: str) -> None:
    assert cannot_scale({"status": {"conditions": conditions}}) == said


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "conditions", "type", "reason", "message", "other"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["status", "metadata"]), ANYTHING))
@settings(derandomize=True)
def test_an_autoscaler_may_hold_anything(autoscaler: dict[str, object]) -> None:
    assert isinstance(cannot_scale(autoscaler), str)
