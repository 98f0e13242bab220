"""Users during a release, by thousands of real requests: nobody is turned away, nobody sees a color that is not theirs."""

import time
from collections.abc import Callable, Iterator

import pytest

from dev.traffic.answers import Answers
from dev.traffic.report import cut_over, totals
from tests.cluster import SandboxCluster, eventually
from tests.conftest import Environments
from tests.stack import BOTH_COLORS, ONE_COLOR, SandboxEnvironment, environment_of_its_own, other
from tests.traffic.visitors import Visitors

LONGEST_SECONDS = 600
MANY = 500  # requests
# Few enough for a slow host, on which other tests run at the same time.
USERS_A_SECOND = 200


@pytest.fixture(params=["istio", "selector"], scope="module")
def standing(
    request: pytest.FixtureRequest, cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxEnvironment]:
    """An environment with both colors: blue for users, green for testers."""
    config = BOTH_COLORS | {"bluegreen:routing": request.param}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), config) as environment:
        environment.up()
        environment.users.wait_for("blue")
        environment.testers.wait_for("green")
        yield environment


def sent_after(answers: Answers, color: str, since_ns: int) -> int:
    """How many requests that `color` answered were sent after `since_ns`."""
    return sum(each == color and started > since_ns for each, started in zip(answers.color, answers.started, strict=True))


def test_switching_to_and_fro_under_load_loses_no_request_and_takes_nobody_back(
    standing: SandboxEnvironment, figures: Callable[[str], None]
) -> None:
    """Each user is served by the old color, and then by the new one; once it serves, no request reaches the old one."""
    way = ["green", "blue"]
    began, settled = [], []
    with standing.users.load(USERS_A_SECOND, LONGEST_SECONDS) as load, Visitors(standing.users) as visitors:
        visitors.wait_for("blue")
        for color in way:
            began.append(time.time_ns())
            standing.activate(color)
            standing.users.wait_for(color)
            settled.append(time.time_ns())
            visitors.wait_for(color)
        assert load.live().running
    answers = load.stop()
    assert totals(answers).errors == ()
    assert visitors.failures == []
    assert visitors.colors == [["blue", *way]] * len(visitors.colors)
    said = []
    for color, since, served, until in zip(way, began, settled, [*began[1:], time.time_ns()], strict=True):
        window = answers.between(since, until)
        move = cut_over(window, other(color), color)
        assert move is not None, f"the switch to {color} was not seen"
        assert sent_after(window, other(color), served) == 0, f"{other(color)} answered after {color} served"
        said.append(f"{move.milliseconds:.1f}")
    figures(f"{len(way)} switches by {standing.routing}: {len(answers):,} requests, 0 failed, cut-over {', '.join(said)} ms")


def test_the_test_route_never_leaks(standing: SandboxEnvironment, figures: Callable[[str], None]) -> None:
    standing.ensure_users_on("blue")
    standing.users.wait_for("blue")
    standing.testers.wait_for("green")
    users = standing.users.load(USERS_A_SECOND, LONGEST_SECONDS)
    testers = standing.testers.load(USERS_A_SECOND // 4, LONGEST_SECONDS)
    with users, testers:
        eventually(lambda: min(load.live().requests for load in (users, testers)) >= MANY // 4, True)
    seen = [totals(load.stop()) for load in (users, testers)]
    assert [each.failed for each in seen] == [0, 0]
    assert [set(each.succeeded) for each in seen] == [{"blue"}, {"green"}]
    figures(f"the test route by {standing.routing}: {seen[0].requests:,} users on blue, {seen[1].requests:,} testers on green")


@pytest.mark.parametrize("standing", ["selector"], indirect=True)
def test_requests_that_were_refused_while_no_pod_was_ready_are_not_refused_in_the_next_load(
    standing: SandboxEnvironment,
) -> None:
    where = ("--namespace", standing.name)
    live = f"deployment/myapp-{standing.users.served_by()}"
    standing.cluster.kubectl("scale", live, *where, "--replicas=0")
    eventually(lambda: "refused" in standing.users.served_by(), True)
    with standing.users.load(400, LONGEST_SECONDS) as load:
        eventually(lambda: load.live().failed >= 2 * MANY, True)
    standing.cluster.kubectl("scale", live, *where, "--replicas=2")
    standing.cluster.kubectl("rollout", "status", live, *where, "--timeout=50s")
    eventually(lambda: standing.users.served_by().startswith("nobody"), False)
    with standing.users.load(400, LONGEST_SECONDS) as load:
        eventually(lambda: load.live().requests >= 2 * MANY, True)
    assert totals(load.stop()).errors == ()


@pytest.fixture(scope="module")
def routed(standing: SandboxEnvironment) -> SandboxEnvironment:
    """An environment routed by the cookie: blue for users, green for testers."""
    standing.ensure_users_on("blue")
    standing.users.wait_for("blue")
    standing.testers.wait_for("green")
    return standing


BY_COOKIE = pytest.mark.parametrize("standing", ["istio"], indirect=True)


@BY_COOKIE
@pytest.mark.parametrize(
    "cookie",
    ["test=true", "a=b; test=true", "test=true; a=b", "a=b;test=true", "a=b; test=true; c=d", "test=false; test=true"],
)
def test_the_cookie_is_found_among_others(routed: SandboxEnvironment, cookie: str) -> None:
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
def test_what_is_only_like_the_cookie_goes_to_the_users_color(routed: SandboxEnvironment, headers: dict[str, str]) -> None:
    assert routed.users.ask(**headers).color == "blue"


@pytest.mark.parametrize("routing", ["istio", "selector"])
def test_users_notice_nothing_of_a_release_beside_them(
    new_environment: Environments, routing: str, figures: Callable[[str], None]
) -> None:
    """A color is deployed, fails, is fixed, is activated, and the other one is retired, under load."""
    environment = new_environment(ONE_COLOR | {"bluegreen:routing": routing, "green:readyTimeoutSeconds": 4})
    environment.up()
    environment.users.wait_for("blue")
    with environment.users.load(USERS_A_SECOND, LONGEST_SECONDS) as load:
        environment.set({"green:imageTag": "9.9", "bluegreen:testColor": "green"})
        environment.up(succeeds=False)
        environment.set({"green:readyTimeoutSeconds": 120})
        environment.deploy("green", "2.0")
        activated = time.time_ns()
        environment.activate("green")
        environment.users.wait_for("green")
        environment.retire("blue")
        answered = load.live().requests
        eventually(lambda: load.live().requests >= answered + MANY, True)
        assert load.live().running
    answers = load.stop()
    assert totals(answers).errors == ()
    assert set(totals(answers.between(0, activated)).succeeded) == {"blue"}
    figures(f"a whole release by {routing}: {len(answers):,} requests, none failed")
