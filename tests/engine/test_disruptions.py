"""What the cluster and its administrators do to pods: restarts, evictions. Users notice nothing, and nobody is held up."""

import json
from collections.abc import Iterator

import pytest

from tests.cluster import SandboxCluster, eventually
from tests.engine.onlookers import pods, served_by
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

# Green's pods cannot become ready; they are given up soon. It may have more of them, so it has a disruption budget.
BROKEN = {
    "green:env": {"FAULT": "never-ready"},
    "green:maxReplicas": 3,
    "green:strategy": "Recreate",
    "green:readyTimeoutSeconds": 3,
}


@pytest.fixture(scope="module")
def standing(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """Users on blue, testers on green, two pods each, with the strategy that is the default."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), BOTH_COLORS) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


def test_a_restart_of_the_live_color_fails_no_request(standing: SandboxEnvironment) -> None:
    where = ("deployment/myapp-blue", "--namespace", standing.name)
    before = pods(standing, "blue")
    with served_by(standing, "blue"):
        standing.cluster.kubectl("rollout", "restart", *where)
        standing.cluster.kubectl("rollout", "status", *where, "--timeout=50s")
    assert set(pods(standing, "blue")).isdisjoint(before)


def evict(environment: SandboxEnvironment, pod: str) -> bool:
    """Whether the cluster evicts a pod, as it does for `kubectl drain`, or its disruption budget forbids that."""
    name = pod.removeprefix("Pod/")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": environment.name}}
    path = f"/api/v1/namespaces/{environment.name}/pods/{name}/eviction"
    try:
        environment.cluster.kubectl("create", "--raw", path, "--filename=-", stdin=json.dumps(eviction))
    except AssertionError as error:
        assert "disruption budget" in str(error)  # noqa: PT017 - the other outcome is as well a result
        return False
    return True


def phases(environment: SandboxEnvironment, color: str) -> list[str]:
    """The phases of a color's pods; one that runs need not be ready."""
    return [environment.get("pod", pod.removeprefix("Pod/"))["status"]["phase"] for pod in pods(environment, color)]


def test_a_broken_idle_color_does_not_hold_up_who_drains_a_node_and_the_live_one_keeps_a_pod(
    standing: SandboxEnvironment,
) -> None:
    with served_by(standing, "blue"):
        standing.set(BROKEN)
        said = standing.up(succeeds=False).text
        eventually(lambda: phases(standing, "green"), ["Running", "Running"])  # a pod that is not, may always be evicted
        assert standing.get("poddisruptionbudget", "myapp-green")["status"]["currentHealthy"] == 0
        assert [evict(standing, broken) for broken in pods(standing, "green")] == [True, True]
        first, second = pods(standing, "blue")
        assert [evict(standing, first), evict(standing, second)] == [True, False]
        eventually(lambda: standing.get("deployment", "myapp-blue")["status"].get("readyReplicas"), 2)
    assert "warning: green:maxReplicas is 3, and resources has no CPU request" in said
