"""Users during a release, by thousands of real requests: nobody is turned away, nobody sees a color that is not theirs."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import Cluster
from tests.conftest import Environments
from tests.stack import BOTH_COLORS, ONE_COLOR, Environment, environment_of_its_own, other
from traffic.answers import Answers
from traffic.report import NS_PER_MS, CutOver, cut_over, totals

pytestmark = pytest.mark.alone

USERS_A_SECOND, TESTERS_A_SECOND = 1200, 300
LONGEST_SECONDS = 60
HIGHEST_CUT_OVER_MS = 50

# How long users are watched after a command, in seconds: a route reaches the last proxy a moment later than the command ends.
AFTERMATH_SECONDS = 0.7


@pytest.fixture(params=["istio", "selector"], scope="module")
def standing(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    """An environment with both colors: blue for users, green for testers."""
    config = BOTH_COLORS | {"bluegreen:routing": request.param}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), config) as environment:
        environment.up()
        environment.users.wait_for("blue")
        environment.testers.wait_for("green")
        yield environment


def assert_served(answers: Answers) -> None:
    counted = totals(answers)
    assert counted.errors == ()
    seconds = (max(answers.ended) - min(answers.started)) / 1e9
    assert counted.requests >= 0.95 * seconds * USERS_A_SECOND, "the load was less than it should be"


def late_ms(answers: Answers, old: str, move: CutOver) -> float:
    """How long after the new color's first answer a new connection could still lead to the old one."""
    opened = max(at for at, color in zip(answers.started, answers.color, strict=True) if color == old)
    return max(0, opened - move.first_new_ns) / NS_PER_MS


def test_switching_to_and_fro_under_load_loses_no_request(standing: Environment, figures: Callable[[str], None]) -> None:
    way = ["green", "blue", "green", "blue"]
    starts: list[int] = []
    with standing.users.load(USERS_A_SECOND, LONGEST_SECONDS) as load:
        time.sleep(AFTERMATH_SECONDS)
        for color in way:
            starts.append(time.time_ns())
            standing.activate(color)
            time.sleep(AFTERMATH_SECONDS)
    answers = load.stop()
    assert_served(answers)
    took = []
    for color, since, until in zip(way, starts, [*starts[1:], time.time_ns()], strict=True):
        window = answers.between(since, until)
        move = cut_over(window, other(color), color)
        assert move is not None, f"the switch to {color} was not seen"
        # By selector a connection stays where it is, so an answer tells when its connection was opened.
        took.append(move.milliseconds if standing.routing == "istio" else late_ms(window, other(color), move))
    shown = ", ".join(f"{each:.1f}" for each in took)
    figures(f"{len(way)} switches by {standing.routing}: {len(answers):,} requests, none failed, cut-over {shown} ms")
    assert max(took) < HIGHEST_CUT_OVER_MS


def test_the_test_route_never_leaks(standing: Environment, figures: Callable[[str], None]) -> None:
    standing.activate("blue")
    standing.users.wait_for("blue")
    standing.testers.wait_for("green")
    users, testers = standing.users.load(USERS_A_SECOND, 30), standing.testers.load(TESTERS_A_SECOND, 30)
    with users, testers:
        time.sleep(3)
    seen = [totals(load.stop()) for load in (users, testers)]
    assert [each.failed for each in seen] == [0, 0]
    assert [set(each.succeeded) for each in seen] == [{"blue"}, {"green"}]
    figures(f"the test route by {standing.routing}: {seen[0].requests:,} users on blue, {seen[1].requests:,} testers on green")


@pytest.fixture(scope="module")
def routed(standing: Environment) -> Environment:
    """An environment routed by the cookie: blue for users, green for testers."""
    standing.activate("blue")
    standing.users.wait_for("blue")
    standing.testers.wait_for("green")
    return standing


BY_COOKIE = pytest.mark.parametrize("standing", ["istio"], indirect=True)


@BY_COOKIE
@pytest.mark.parametrize(
    "cookie",
    ["test=true", "a=b; test=true", "test=true; a=b", "a=b;test=true", "a=b; test=true; c=d", "test=false; test=true"],
)
def test_the_cookie_is_found_among_others(routed: Environment, cookie: str) -> None:
    assert routed.users.ask(Cookie=cookie).color == "green"


@BY_COOKIE
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Cookie": "mytest=true"}, id="a longer name"),
        pytest.param({"Cookie": "test=trueish"}, id="a longer value"),
        pytest.param({"Cookie": "test=tru"}, id="a shorter value"),
        pytest.param({"Cookie": "Test=true"}, id="another case"),
        pytest.param({"Cookie": "a=test=true"}, id="inside a value"),
        pytest.param({"Cookie": "a=b"}, id="another cookie"),
        pytest.param({"Cookies": "test=true"}, id="a header of another name"),
        pytest.param({"test": "true"}, id="a header like the cookie"),
    ],
)
def test_what_is_only_like_the_cookie_goes_to_the_users_color(routed: Environment, headers: dict[str, str]) -> None:
    assert routed.users.ask(**headers).color == "blue"


@pytest.mark.parametrize("routing", ["istio", "selector"])
def test_users_notice_nothing_of_a_release_beside_them(
    new_environment: Environments, routing: str, figures: Callable[[str], None]
) -> None:
    """A color is deployed, fails, is mended, is activated, and the other one is retired, under load."""
    environment = new_environment(ONE_COLOR | {"bluegreen:routing": routing, "green:readyTimeoutSeconds": 4})
    environment.up()
    environment.users.wait_for("blue")
    with environment.users.load(USERS_A_SECOND, LONGEST_SECONDS) as load:
        environment.set({"green:imageTag": "9.9", "bluegreen:testColor": "green"})
        environment.up(succeeds=False)
        environment.set({"green:readyTimeoutSeconds": 60})
        environment.deploy("green", "2.0")
        activated = time.time_ns()
        environment.activate("green")
        time.sleep(AFTERMATH_SECONDS)
        environment.retire("blue")
        time.sleep(AFTERMATH_SECONDS)
    answers = load.stop()
    assert_served(answers)
    assert set(totals(answers.between(0, activated)).succeeded) == {"blue"}
    figures(f"a whole release by {routing}: {len(answers):,} requests, none failed")
