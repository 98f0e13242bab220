"""An environment that an earlier version deployed is taken over by this one: no pod of the live color is restarted for that."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import SandboxCluster
from tests.command import Operator
from tests.engine.onlookers import served_by
from tests.stack import SandboxEnvironment
from tests.upgrade.recorded import HERE, restored

VERSIONS = sorted(path.name for path in HERE.iterdir() if (path / "istio").is_dir())


@pytest.fixture(params=[f"{version}/{routing}" for version in VERSIONS for routing in ("istio", "selector")])
def deployed_before(request: pytest.FixtureRequest, cluster: SandboxCluster, tmp_path: Path) -> Iterator[SandboxEnvironment]:
    """Users on blue, testers on green, deployed by an earlier version."""
    with restored(cluster, HERE / request.param, tmp_path / "environment") as environment:
        yield environment


def pods(environment: SandboxEnvironment, color: str) -> dict[str, int]:
    """The uids of a color's pods, each with the number of its restarts."""
    found = environment.objects()
    names = [name.removeprefix("Pod/") for name in found if name.startswith(f"Pod/myapp-{color}-")]
    live = [environment.get("pod", name) for name in names if "-migrate-" not in name]
    return {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in live}


def test_an_upgrade_restarts_nothing_and_the_release_goes_on(deployed_before: SandboxEnvironment) -> None:
    environment, operator = deployed_before, Operator(deployed_before)
    before = {color: pods(environment, color) for color in ("blue", "green")}
    with served_by(environment, "blue", "green"):
        upgraded = environment.up()
        assert [step for step in upgraded.written if not step.startswith("update ")] == []
        assert "was changed beside this stack" not in upgraded.text
        assert environment.up().written == set()
        assert {color: pods(environment, color) for color in before} == before
        # An ordinary scaling.
        environment.set({"blue:replicas": 3})
        assert environment.up().written == {"update Deployment/myapp-blue"}
        assert pods(environment, "blue").items() > before["blue"].items()
        environment.set({"blue:replicas": 2})
        environment.up()
        # A switch, and back by the record of who has served, which the earlier version wrote.
        environment.activate("green")
        environment.users.wait_for("green")
        assert pods(environment, "green") == before["green"]
        operator.run("rollback")
        environment.users.wait_for("blue")
        environment.activate("green")
        environment.users.wait_for("green")
        # A deploy makes new pods, of today's shape, of this color alone.
        kept = pods(environment, "green")
        environment.deploy("blue", "3.0")
        assert pods(environment, "blue").keys().isdisjoint(before["blue"])
        assert pods(environment, "green") == kept == before["green"]
    template = environment.get("deployment", "myapp-blue")["spec"]["template"]
    assert template["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "pulumi-bluegreen"
    assert environment.up().written == set()


def test_a_subcommand_may_be_the_first_command_of_a_new_version(deployed_before: SandboxEnvironment) -> None:
    environment, operator = deployed_before, Operator(deployed_before)
    before = pods(environment, "blue")
    with served_by(environment, "blue", "green"):
        environment.activate("green")  # by the program of today, which finds the record of the earlier one
        environment.users.wait_for("green")
        operator.run("rollback", "--now")
        environment.users.wait_for("blue")
    assert pods(environment, "blue") == before
