"""The first half of `rollback --now`: whom it moves, what it refuses, and that it claims nothing that it has not read."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from bluegreen.cli import emergency
from bluegreen.cli.emergency import is_mine
from bluegreen.cli.main import cli
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress
from bluegreen.cli.selection import Selection
from bluegreen.cli.session import Session
from bluegreen.cli.updates import EngineStep, Record
from bluegreen.release import metadata
from bluegreen.release.ownership import Evidence
from tests.engine import toy_layer
from tests.unit.api_server import Request, Response
from tests.unit.cli.cluster import OWNER, Environs, deployment, rule, served, service, virtual_service

BOTH = [deployment("blue"), deployment("green")]
ROUTE = "shop-blue-green"
Serve = Callable[..., AbstractContextManager[Selection]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    return lambda environs, **more: served(environs, tmp_path, monkeypatch, **more)


@pytest.fixture
def green() -> Environs:
    """Users on green, testers on blue, and blue served before."""
    return Environs(*BOTH, virtual_service("green", served="green:g,blue:b"))


def users(environs: Environs) -> str:
    return str(environs.objects[ROUTE]["spec"]["http"][-1]["route"][0]["destination"]["subset"])


def test_users_and_testers_change_places_and_nothing_else_is_written(serve: Serve, green: Environs) -> None:
    before = json.loads(json.dumps(green.objects[ROUTE]["spec"]))
    with serve(green) as selection:
        moved = emergency.move(selection, None)
    assert (moved.origin, moved.target, moved.test, moved.is_already, moved.warnings) == ("green", "blue", "green", False, ())
    after = green.objects[ROUTE]["spec"]
    assert [each["route"][0]["destination"]["subset"] for each in after["http"]] == ["green", "blue"]
    assert [each["route"][0]["headers"]["response"]["set"] for each in after["http"]] == [
        {"x-color": "green"},
        {"x-color": "blue"},
    ]
    for each in (*before["http"], *after["http"]):
        del each["route"]
    assert before == after
    (patch,) = green.patches
    assert "fieldManager=bluegreen-rollback-now" in patch.path


def test_a_config_that_is_wrong_elsewhere_does_not_hold_up_users(serve: Serve, green: Environs) -> None:
    with serve(green) as selection:
        with selection.config_file.open("a") as config:
            config.write("  blue:env: {UMASK: 0022, TOKEN: {secure: v1:abc=}}\n  green:replicas: none\n  blue:nonsense: 1.10\n")
        assert emergency.move(selection, None).target == "blue"
    assert users(green) == "blue"


@pytest.mark.parametrize("line", ["bluegreen:namespace: 0022", "bluegreen:context: {secure: v1:abc=}", "bluegreen:app: Shop"])
def test_a_config_that_does_not_say_where_the_environment_is_moves_nobody(serve: Serve, green: Environs, line: str) -> None:
    with serve(green) as selection:
        key = line.partition(": ")[0]
        text = [each for each in selection.config_file.read_text().splitlines() if key not in each]
        selection.config_file.write_text("\n".join([*text, f"  {line}"]))
        with pytest.raises(ReleaseError, match=key) as error:
            emergency.move(selection, None)
    assert error.value.status is Exit.CONFIG
    assert green.patches == []


def test_twice_it_says_already_and_moves_nobody(serve: Serve, green: Environs) -> None:
    with serve(green) as selection:
        emergency.move(selection, None)
        second = emergency.move(selection, None)
    assert (second.target, second.is_already) == ("blue", True)
    assert users(green) == "blue"
    assert len(green.patches) == 1


def test_a_color_that_is_named_is_gone_to_and_twice_is_already(serve: Serve) -> None:
    environs = Environs(*BOTH, virtual_service("blue", served="green:g,blue:b"))
    with serve(environs) as selection:
        assert emergency.move(selection, "green").target == "green"
        assert emergency.move(selection, "green").is_already
    assert users(environs) == "green"


def test_a_route_of_an_older_version_gets_a_record(serve: Serve) -> None:
    environs = Environs(*BOTH, virtual_service("green"))
    del environs.objects[ROUTE]["metadata"]["annotations"]
    with serve(environs) as selection:
        assert emergency.move(selection, None).target == "blue"
        assert emergency.move(selection, None).is_already
    assert environs.objects[ROUTE]["metadata"]["annotations"] == {metadata.SERVED: "green:g,blue:b"}


def test_without_anything_that_served_before_a_color_must_be_named(serve: Serve) -> None:
    environs = Environs(*BOTH, virtual_service("blue", served="blue:b"))
    with serve(environs) as selection, pytest.raises(ReleaseError, match="users were on nothing but blue") as error:
        emergency.move(selection, None)
    assert error.value.status is Exit.REFUSED
    assert "bluegreen rollback --now green" in str(error.value)
    assert environs.patches == []


# Ready pods of blue, wanted pods of blue, ready pods of green -> the warning, or None if it is refused.
ROOM: dict[str, tuple[int, int, int, str | None]] = {
    "all are ready": (2, 2, 2, ""),
    "19 of 20": (19, 20, 20, "blue has 19 of 20 pods ready; green served with 20"),
    "fewer than users have now": (2, 2, 20, "blue has 2 of 2 pods ready; green served with 20"),
    "one is enough, and the live color has none": (1, 2, 0, "blue has 1 of 2 pods ready"),
    "none": (0, 2, 2, None),
}


@pytest.mark.parametrize(("ready", "wanted", "left", "warning"), ROOM.values(), ids=ROOM)
def test_it_goes_at_one_ready_pod_with_a_warning_and_is_refused_at_none(
    serve: Serve, ready: int, wanted: int, left: int, warning: str | None
) -> None:
    pods = [deployment("blue", ready, wanted), deployment("green", left, max(left, 1))]
    environs = Environs(*pods, virtual_service("green", served="green:g,blue:b"))
    with serve(environs) as selection:
        if warning is None:
            with pytest.raises(ReleaseError, match=f"0 of {wanted} pods of blue are ready") as error:
                emergency.move(selection, None)
            assert (error.value.status, environs.patches) == (Exit.REFUSED, [])
            return
        assert emergency.move(selection, None).warnings == ((warning,) if warning else ())
    assert users(environs) == "blue"


def test_a_color_that_is_gone_is_refused(serve: Serve) -> None:
    environs = Environs(deployment("green"), virtual_service("green", served="green:g,blue:b"))
    with serve(environs) as selection:
        with pytest.raises(ReleaseError, match="blue, which served before, is not deployed"):
            emergency.move(selection, None)
        with pytest.raises(ReleaseError, match="blue is not deployed"):
            emergency.move(selection, "blue")
    assert environs.patches == []


MINE = "acme/bluegreen/prod"


@pytest.mark.parametrize(
    ("stack", "mine"),
    [
        ("prod", True),
        ("acme/prod", True),
        ("bluegreen/prod", True),
        ("acme/bluegreen/prod", True),
        ("other", False),
        ("evil/prod", False),
        ("acme/shop/prod", False),
        ("evil/bluegreen/prod", False),
        ("a/acme/bluegreen/prod", False),
        ("", False),
    ],
)
def test_a_stack_may_be_named_as_pulumi_takes_it(stack: str, mine: bool) -> None:
    assert is_mine(MINE, stack) is mine


@pytest.mark.parametrize("owner", ["acme/shop/prod", "acme/bluegreen/other", "prod", "bluegreen/prod", "///", ""])
def test_an_owner_that_is_not_this_stack_of_this_project_is_another(owner: str) -> None:
    assert not is_mine(owner, "prod")


@pytest.mark.parametrize(
    ("route_owner", "pods_owner"),
    [("acme/bluegreen/other", MINE), (MINE, "acme/bluegreen/other"), ("", "")],
    ids=["the route is another stack's", "the Deployment is another stack's", "nobody's"],
)
def test_what_belongs_to_others_is_refused_before_anything_is_written(serve: Serve, route_owner: str, pods_owner: str) -> None:
    pods = [deployment(color, owner=pods_owner) for color in ("blue", "green")]
    environs = Environs(*pods, virtual_service("green", served="green:g,blue:b", owner=route_owner))
    with serve(environs) as selection:
        for color in (None, "blue", "green"):
            if color == "green" and route_owner == MINE:
                continue
            with pytest.raises(ReleaseError, match="an environment has one owner") as error:
                emergency.move(selection, color)
            assert error.value.status is Exit.REFUSED
            assert "Nothing was written; users stay on green (context here, http://127.0.0.1:" in str(error.value)
    assert environs.patches == []


def test_a_renamed_stack_is_still_the_owner(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend has no stack of the old name, and the state of this one records the objects."""
    old = "acme/bluegreen/before"
    pods = [deployment(color, owner=old) for color in ("blue", "green")]
    environs = Environs(*pods, virtual_service("green", served="green:g,blue:b", owner=old))
    for item in environs.objects.values():
        item["metadata"]["uid"] = f"uid of {item['metadata']['name']}"
    recorded = [f"uid of {name}" for name in environs.objects]
    asked: list[tuple[str, list[str]]] = []

    def evidence(owner: str, others: list[str]) -> Evidence:
        asked.append((owner, others))
        return Evidence(stacks={old: False}, recorded=recorded)

    monkeypatch.setattr("bluegreen.backend.evidence", evidence)
    with serve(environs) as selection:
        assert emergency.move(selection, None).target == "blue"
        recorded.clear()
        with pytest.raises(ReleaseError, match="an environment has one owner") as refused:
            emergency.move(selection, "green")
    assert asked[0] == (MINE, [old])
    assert "--stack" not in str(refused.value)


def test_a_route_that_somebody_has_stripped_of_its_owner_is_known_by_its_pods(serve: Serve) -> None:
    environs = Environs(*BOTH, virtual_service("green", owner=""))
    with serve(environs) as selection:
        assert emergency.move(selection, None).target == "blue"


MAINTENANCE = {"name": "maintenance", "redirect": {"uri": "/down"}, "x": [1, {"y": None}]}
SPLIT = {
    "name": "shop-default",
    "route": [
        {"destination": {"host": "shop", "subset": "blue"}, "weight": 90},
        {"destination": {"host": "shop", "subset": "green"}, "weight": 10},
    ],
}


def test_somebody_elses_rule_stays_as_it_is_and_is_reported(serve: Serve) -> None:
    environs = Environs(*BOTH, virtual_service("green", MAINTENANCE, served="green:g,blue:b"))
    with serve(environs) as selection:
        moved = emergency.move(selection, None)
    assert environs.objects[ROUTE]["spec"]["http"][0] == MAINTENANCE
    assert users(environs) == "blue"
    assert [("redirects all requests" in each) for each in moved.warnings] == [True]


def test_users_who_are_split_go_to_the_color_that_served_first(serve: Serve) -> None:
    route = virtual_service("green", served="blue:b")
    route["spec"]["http"][-1] = SPLIT
    environs = Environs(*BOTH, route)
    with serve(environs) as selection:
        assert emergency.move(selection, None).target == "blue"
        assert emergency.move(selection, "blue").is_already
    (target,) = environs.objects[ROUTE]["spec"]["http"][-1]["route"]
    assert target["destination"] == {"host": "shop", "subset": "blue"}


def test_a_rule_that_sends_everybody_to_a_color_comes_behind_ours_and_stays(serve: Serve) -> None:
    mine = {**rule("x", "green"), "name": "mine"}
    environs = Environs(*BOTH, virtual_service("blue", mine, served="green:g,blue:b"))
    with serve(environs) as selection:
        assert emergency.move(selection, None).target == "blue"
    names = [each["name"] for each in environs.objects[ROUTE]["spec"]["http"]]
    assert names == ["shop-default", "mine", "shop-test"]


def test_a_rule_of_the_users_that_is_gone_is_added(serve: Serve) -> None:
    route = virtual_service("green", served="green:g,blue:b")
    route["spec"]["http"] = [MAINTENANCE]
    environs = Environs(*BOTH, route)
    with serve(environs) as selection:
        with pytest.raises(ReleaseError, match="does not say which color users are on"):
            emergency.move(selection, None)
        assert emergency.move(selection, "blue").target == "blue"
    assert [each["name"] for each in environs.objects[ROUTE]["spec"]["http"]] == ["maintenance", "shop-default"]


def once(environs: Environs, answer: Callable[[Request], Response | None], method: str = "PATCH") -> None:
    """Gives the first request with this method this answer."""
    left = [answer]
    environs.answers = lambda request: left.pop()(request) if left and request.method == method else None


def test_a_color_that_was_just_scaled_to_zero_gets_no_users_although_its_pods_still_count_as_ready(
    serve: Serve, green: Environs
) -> None:
    green.objects["shop-blue"]["spec"]["replicas"] = 0
    with serve(green) as selection, pytest.raises(ReleaseError, match="0 of 0 pods of blue are ready"):
        emergency.move(selection, None)
    assert users(green) == "green"


def test_a_route_that_somebody_writes_meanwhile_is_read_again(serve: Serve, green: Environs) -> None:
    def interfere(_: Request) -> Response | None:
        item = json.loads(json.dumps(green.objects[ROUTE]))
        item["metadata"]["labels"] = {"team": "shop"}
        green.write(ROUTE, item)
        return None

    once(green, interfere)
    with serve(green) as selection:
        assert not emergency.move(selection, None).is_already
    assert users(green) == "blue"
    assert green.objects[ROUTE]["metadata"]["labels"] == {"team": "shop"}


def test_what_has_changed_meanwhile_is_decided_anew(serve: Serve, green: Environs) -> None:
    def interfere(_: Request) -> Response | None:
        green.objects["shop-blue"]["status"]["readyReplicas"] = 0
        green.write(ROUTE, green.objects[ROUTE])
        return None

    once(green, interfere)
    with serve(green) as selection, pytest.raises(ReleaseError, match="0 of 2 pods of blue are ready"):
        emergency.move(selection, None)
    assert users(green) == "green"


def test_two_people_at_once_move_users_once(serve: Serve, green: Environs) -> None:
    def somebody_else(request: Request) -> Response | None:
        green.carried_out(request)
        return None

    once(green, somebody_else)
    with serve(green) as selection:
        moved = emergency.move(selection, None)
    assert (moved.target, moved.is_already) == ("blue", True)
    assert users(green) == "blue"


def test_a_route_that_never_stands_still_is_given_up(serve: Serve, green: Environs) -> None:
    def restless(request: Request) -> Response | None:
        if request.method == "PATCH":
            green.write(ROUTE, green.objects[ROUTE])
        return None

    green.answers = restless
    with serve(green) as selection, pytest.raises(ReleaseError, match="somebody else writes it") as error:
        emergency.move(selection, None)
    assert error.value.status is Exit.RESOURCE
    assert len(green.patches) == emergency.ATTEMPTS


@pytest.mark.parametrize("status", [302, 400, 403, 422], ids=["an auth proxy", "bad", "forbidden", "an admission webhook"])
def test_a_write_that_is_refused_is_no_success(serve: Serve, green: Environs, status: int) -> None:
    green.answers = lambda request: (status, {"message": "no"}) if request.method == "PATCH" else None
    with serve(green) as selection, pytest.raises(ReleaseError, match="could not be written") as error:
        emergency.move(selection, None)
    assert "it is as before: users stay on green" in str(error.value)
    assert error.value.status is Exit.RESOURCE
    assert len(green.patches) == 1


@pytest.mark.parametrize("is_done", [True, False], ids=["carried out", "not carried out"])
def test_an_answer_that_says_nothing_is_settled_by_reading(serve: Serve, green: Environs, is_done: bool) -> None:
    def lost(request: Request) -> Response | None:
        if is_done:
            green.carried_out(request)
        return 500, {"message": "etcd leader changed"}

    once(green, lost)
    with serve(green) as selection:
        moved = emergency.move(selection, None)
    assert (moved.origin, moved.target, moved.is_already) == ("green", "blue", False)
    assert users(green) == "blue"


def test_what_cannot_be_read_back_is_not_claimed(serve: Serve, green: Environs) -> None:
    def dead(request: Request) -> Response | None:
        return (403, {"message": "no"}) if green.patches and request.method == "GET" else None

    green.answers = dead
    with serve(green) as selection, pytest.raises(ReleaseError, match="was written") as error:
        emergency.move(selection, None)
    assert "where users are is not known" in str(error.value)
    assert "users stay" not in str(error.value)


def selected(active: str = "green") -> Environs:
    other = {"blue": "green", "green": "blue"}[active]
    return Environs(*BOTH, service("shop", active, served="green:g,blue:b"), service("shop-test", other))


def test_with_the_selector_users_come_first_and_testers_afterwards(serve: Serve) -> None:
    environs = selected()
    with serve(environs, routing="selector") as selection:
        moved = emergency.move(selection, None)
        assert emergency.move(selection, None).is_already
    assert (moved.target, moved.test) == ("blue", "green")
    assert [each.path.partition("?")[0].rpartition("/")[2] for each in environs.patches] == ["shop", "shop-test"]
    colors = [environs.objects[name]["spec"]["selector"]["color"] for name in ("shop", "shop-test")]
    assert colors == ["blue", "green"]


def test_with_a_layer_of_a_team_its_own_object_is_written(serve: Serve) -> None:
    traffic = json.dumps({"users": {"green": 100}, "testers": "blue", "cookie": "a=b", "owner": "team"})
    annotations = {"bluegreen/owner": OWNER, "traffic": traffic}
    environs = Environs(
        *BOTH, {"metadata": {"name": "shop-traffic", "resourceVersion": "1", "annotations": annotations}, "data": {}}
    )
    with serve(environs, routing=toy_layer.__name__) as selection:
        moved = emergency.move(selection, None)
    assert (moved.origin, moved.target, moved.test) == ("green", "blue", "green")
    written = json.loads(environs.objects["shop-traffic"]["metadata"]["annotations"]["traffic"])
    assert written == {"users": {"blue": 100}, "testers": "green", "cookie": "a=b", "owner": "team"}
    assert any("owner" in warning for warning in moved.warnings)


def test_testers_who_cannot_be_moved_are_a_warning(serve: Serve) -> None:
    environs = selected()
    environs.answers = lambda asked: (403, {"message": "no"}) if asked.method == "PATCH" and "shop-test" in asked.path else None
    with serve(environs, routing="selector") as selection:
        moved = emergency.move(selection, None)
    assert environs.objects["shop"]["spec"]["selector"]["color"] == "blue"
    assert moved.warnings == ("testers were not moved yet: no",)


def test_a_service_that_leads_elsewhere_is_not_claimed_to_serve(serve: Serve) -> None:
    environs = selected()
    environs.objects["shop"]["spec"] |= {"type": "ExternalName", "externalName": "x.example"}
    with serve(environs, routing="selector") as selection, pytest.raises(ReleaseError, match=r"leads to x\.example") as error:
        emergency.move(selection, "blue")
    assert error.value.status is Exit.RESOURCE


@pytest.fixture
def no_emergency(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Whatever `rollback --now` would do is recorded, and not done."""
    begun: list[Any] = []

    def move(*arguments: Any) -> None:
        begun.append(arguments)
        raise ReleaseError(Exit.REFUSED, "not here")

    monkeypatch.setattr(emergency, "move", move)
    return begun


@pytest.mark.parametrize(
    "arguments",
    [
        ["--timeout", "5x"],
        ["--wait", "abc"],
        ["--wait=5x", "blue"],
        ["red"],
        ["blue", "green"],
        ["--no-such-option"],
        ["--stack"],
        ["--config-file", "/"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_is_not_understood_writes_nothing(arguments: list[str], no_emergency: list[Any]) -> None:
    ran = CliRunner().invoke(cli, ["rollback", "--now", *arguments])
    assert (ran.exit_code, no_emergency) == (2, [])


@pytest.mark.parametrize("arguments", [["--now", "-s", "prod", "blue"], ["blue", "--now", "--stack=prod", "--timeout", "5m"]])
def test_users_are_moved_before_pulumi_is_imported(
    arguments: list[str], no_emergency: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bluegreen.cli.session", None)  # importing it fails from now on
    ran = CliRunner().invoke(cli, ["rollback", *arguments])
    assert ran.exit_code == 13, ran.output
    ((selection, color),) = no_emergency
    assert (selection.stack, color) == ("prod", "blue")


def step(operation: str, kind: str, name: str) -> EngineStep:
    return EngineStep(operation=operation, kind=kind, name=name, is_object=True)


@pytest.mark.parametrize(
    ("planned", "is_more"),
    [
        (step("update", "VirtualService", ROUTE), False),
        (step("delete", "ConfigMap", "shop-blue-env-0123456789"), False),  # a failed update has left it
        (step("delete", "Secret", "shop-blue-secret-env-0123456789"), False),
        (step("create", "ConfigMap", "shop-blue-env-0123456789"), True),
        (step("update", "Deployment", "shop-blue"), True),
        (step("delete", "PodDisruptionBudget", "shop-blue"), True),
    ],
)
def test_the_update_afterwards_writes_the_route_and_removes_variables_that_nobody_uses(
    serve: Serve, green: Environs, monkeypatch: pytest.MonkeyPatch, planned: EngineStep, is_more: bool
) -> None:
    record = Record(began=[planned])
    stack = SimpleNamespace(preview=lambda: record, up=lambda *_: record)
    monkeypatch.setattr(Session, "stack", lambda _: stack)
    with serve(green) as selection:
        session = Session(selection=selection, progress=Progress(is_json=True))
        if not is_more:
            assert session.apply("rollback --now to blue", {}, route_alone=True) == record
            return
        with pytest.raises(ReleaseError, match=f"asks for more than the route: {planned}") as error:
            session.apply("rollback --now to blue", {}, route_alone=True)
    assert error.value.status is Exit.UNEXPECTED_CHANGES
