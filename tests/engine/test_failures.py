"""A color that does not become ready: the update fails in time and says why; route and users never hear of it."""

import re
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.conftest import Environments
from tests.engine.onlookers import served_by
from tests.stack import BOTH_COLORS, ONE_COLOR, Environment, environment_of_its_own

READY_TIMEOUT_SECONDS = 12
# What an update takes beside waiting, on a slow and busy machine; the usual time for waiting is three minutes.
MARGIN_SECONDS = 30

IN_TIME: dict[str, object] = {"bluegreen:readyTimeoutSeconds": READY_TIMEOUT_SECONDS}
BROKEN = [
    pytest.param({"green:imageTag": "9.9"}, "ErrImagePull|ImagePullBackOff", id="an image that cannot be pulled"),
    pytest.param({"green:env": {"FAULT": "never-ready"}}, "Readiness probe failed", id="never ready"),
    pytest.param({"green:env": {"FAULT": "exit"}}, "exiting on request", id="a crash loop"),
]


@pytest.fixture(scope="module")
def live(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment whose users are on blue, for tests that fail to deploy green."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("live"), ONE_COLOR | IN_TIME) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


@pytest.mark.parametrize(("broken", "reason"), BROKEN)
def test_a_color_that_does_not_become_ready_fails_the_update_and_users_notice_nothing(
    live: Environment, broken: dict[str, object], reason: str
) -> None:
    route = live.get("virtualservice", "myapp-blue-green")
    live.set({"green:imageTag": "2.0", "green:env": None, "bluegreen:testColor": "green"} | broken)
    with served_by(live, "blue"):
        result = live.up(succeeds=False)
    waited = re.search(r"did not become ready in (\d+) s", result.text)
    assert waited
    assert int(waited[1]) <= READY_TIMEOUT_SECONDS + 1
    assert result.seconds < READY_TIMEOUT_SECONDS + MARGIN_SECONDS
    assert "myapp-green" in result.text
    assert any(each in result.text for each in reason.split("|"))
    assert "Traceback" not in result.text
    assert live.get("virtualservice", "myapp-blue-green") == route


def test_a_first_update_that_fails_writes_no_route_and_the_next_one_goes_on_from_there(new_environment: Environments) -> None:
    environment = new_environment(BOTH_COLORS | IN_TIME | {"green:env": {"FAULT": "exit"}})
    environment.up(succeeds=False)
    assert "VirtualService/myapp-blue-green" not in environment.objects()
    environment.set({"green:env": None})
    environment.up()
    environment.users.wait_for("blue")
    environment.testers.wait_for("green")
