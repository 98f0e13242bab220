"""A color that does not become ready: the update fails in time and says why; route and users never hear of it."""

from collections.abc import Iterator

import pytest

from tests.cluster import SandboxCluster
from tests.conftest import Environments
from tests.engine.onlookers import served_by
from tests.stack import BOTH_COLORS, ONE_COLOR, ONE_POD, SandboxEnvironment, environment_of_its_own

IN_TIME: dict[str, object] = {"green:readyTimeoutSeconds": 12, "green:failFastSeconds": 3}
TIME_IS_OVER = "readyTimeoutSeconds (12) is over"
BROKEN = [
    pytest.param({"green:imageTag": "9.9"}, ["connection refused", TIME_IS_OVER], id="a registry that does not answer"),
    pytest.param({"green:env": {"FAULT": "never-ready"}}, ["Readiness probe failed", TIME_IS_OVER], id="never ready"),
    pytest.param(
        {"green:env": {"FAULT": "exit"}},
        ["container myapp", "exit code 1", "exiting on request", "longer than failFastSeconds (3)"],
        id="a crash loop",
    ),
]


@pytest.fixture(scope="module")
def live(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """An environment whose users are on blue, for tests that fail to deploy green."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("live"), ONE_COLOR | IN_TIME | ONE_POD) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


@pytest.mark.parametrize(("broken", "words"), BROKEN)
def test_a_color_that_does_not_become_ready_fails_the_update_and_users_notice_nothing(
    live: SandboxEnvironment, broken: dict[str, object], words: list[str]
) -> None:
    route = live.get("virtualservice", "myapp-blue-green")
    live.set({"green:imageTag": "2.0", "green:env": None, "bluegreen:testColor": "green"} | broken)
    with served_by(live, "blue"):
        result = live.up(succeeds=False)
    assert [each for each in ["myapp-green did not become ready", *words] if each not in result.text] == [], str(result)
    assert "Traceback" not in result.text
    assert live.get("virtualservice", "myapp-blue-green") == route


def test_a_first_update_that_fails_writes_no_route_and_the_next_one_goes_on_from_there(new_environment: Environments) -> None:
    config = {"green:env": {"FAULT": "exit"}, "green:failFastSeconds": 3} | ONE_POD
    environment = new_environment(BOTH_COLORS | config)
    environment.up(succeeds=False)
    assert "VirtualService/myapp-blue-green" not in environment.objects()
    environment.set({"green:env": None})
    environment.up()
    environment.users.wait_for("blue")
    environment.testers.wait_for("green")
