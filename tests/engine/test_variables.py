"""The ConfigMap and the Secret of a color's variables live as long as pods of the color use them."""

from collections.abc import Iterator

import pytest

from tests.cli import pulumi
from tests.cluster import SandboxCluster, eventually
from tests.engine.onlookers import pods, served_by
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

# What never becomes ready fails soon; what becomes ready has its time, on a busy machine too.
GREEN_BROKEN = {"green:env": {"P": "B", "FAULT": "never-ready"}, "green:readyTimeoutSeconds": 3}
BLUE_BROKEN = {"blue:env": {"P": "B", "FAULT": "never-ready"}, "blue:readyTimeoutSeconds": 3}
GREEN_WELL = {"green:env": None, "green:readyTimeoutSeconds": None}
BLUE_WELL = {"blue:env": None, "blue:readyTimeoutSeconds": None}


@pytest.fixture(scope="module")
def standing(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """Users on blue, testers on green, two pods each."""
    config = BOTH_COLORS | {"bluegreen:env": {"P": "A"}}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("standing"), config) as environment:
        environment.set_secret("bluegreen:secretEnv.S", "A")
        environment.up()
        environment.users.wait_for("blue")
        yield environment


def variables(environment: SandboxEnvironment, color: str) -> dict[str, str]:
    """The ConfigMaps and Secrets of a color: kind and name -> uid."""
    found = environment.objects().items()
    kinds = ("ConfigMap/", "Secret/")
    return {name: item["metadata"]["uid"] for name, item in found if name.startswith(kinds) and f"-{color}-" in name}


def kill_a_pod(environment: SandboxEnvironment, color: str) -> None:
    """Deletes a pod of a color that is ready, and waits until as many are ready as before: the new one finds its variables."""
    look = ["get", "pods", "--namespace", environment.name, f"--selector=color={color}"]
    ready = "{.items[?(@.status.containerStatuses[0].ready==true)].metadata.name}"

    def names() -> list[str]:
        return environment.cluster.kubectl(*look, f"--output=jsonpath={ready}").split()

    before = names()
    environment.cluster.kubectl("delete", "pod", before[0], "--namespace", environment.name)
    eventually(lambda: len(names()), len(before))
    assert before[0] not in names()


def test_values_that_failed_are_taken_back_and_those_of_before_were_there_all_the_while(standing: SandboxEnvironment) -> None:
    before = variables(standing, "green")
    assert len(before) == 2
    text = standing.config_file.read_text()
    with served_by(standing, "blue"):
        standing.set(GREEN_BROKEN)
        standing.set_secret("green:secretEnv.S", "B")
        standing.up(succeeds=False)
        assert before.items() <= variables(standing, "green").items()
        standing.config_file.write_text(text)
        standing.up()
        assert variables(standing, "green") == before
        kill_a_pod(standing, "green")


def test_values_that_failed_and_those_of_before_are_gone_when_others_work(standing: SandboxEnvironment) -> None:
    before = variables(standing, "green")
    with served_by(standing, "blue"):
        standing.set(GREEN_BROKEN)
        standing.up(succeeds=False)
        standing.set(GREEN_WELL | {"green:env": {"P": "C"}})
        standing.up()
    after = variables(standing, "green")
    assert len(after) == 2
    assert len(after.items() & before.items()) == 1  # the Secret, whose value is the same


def test_a_live_color_whose_new_values_failed_keeps_those_that_it_serves_with(standing: SandboxEnvironment) -> None:
    before, serving = variables(standing, "blue"), pods(standing, "blue")
    with served_by(standing, "blue"):
        standing.set(BLUE_BROKEN | {"bluegreen:allow": ["change-live"]})
        standing.up(succeeds=False)
        assert standing.preview().written == set()
        standing.up()  # the live color is not waited for, so nothing stops this update
        assert before.items() < variables(standing, "blue").items()
        kill_a_pod(standing, "blue")
    assert not set(serving) <= set(pods(standing, "blue"))
    with served_by(standing, "blue", "green"):
        standing.activate("green")  # nor this one, which is the way out
        standing.users.wait_for("green")
        assert before.items() < variables(standing, "blue").items()
    standing.set(BLUE_WELL | {"bluegreen:allow": None})
    standing.up()
    assert variables(standing, "blue") == before


def test_a_stack_of_the_version_before_goes_on_without_a_replacement(standing: SandboxEnvironment) -> None:
    """There, all values of a color had one resource, `<app>-<color>-env`."""
    objects = standing.objects()
    for name in variables(standing, "blue"):
        kind, _, resource = name.partition("/")
        parts = f"bluegreen:components:Environment$bluegreen:components:Color$kubernetes:core/v1:{kind}"
        urn = f"urn:pulumi:{standing.name}::{standing.project_name}::{parts}::{resource}"
        renamed = pulumi(
            *("state", "rename", urn, resource.rpartition("-")[0], "--yes", "--stack", standing.name),
            project=standing.project,
            variables=standing._variables,
        )
        assert renamed.status == 0, str(renamed)
    assert standing.up().written == set()
    assert standing.objects() == objects
