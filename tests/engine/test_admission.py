"""An admission controller writes another name of the image into every Deployment: it is the same image to everybody."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import SandboxCluster
from tests.command import Operator
from tests.engine.admission import DEPLOYMENTS, changing
from tests.engine.onlookers import pods, same_config_afterwards, served_by
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

REPOSITORY = "bluegreen.example/app"

# What an admission controller makes of the image: it keeps the tag, or replaces it, as policy-controller does.
PINNED: dict[str, Callable[[str, str], str]] = {
    "the tag and the digest": lambda tag, digest: f"{REPOSITORY}:{tag}@{digest}",
    "the digest alone": lambda _, digest: f"{REPOSITORY}@{digest}",
}


@pytest.fixture(scope="module")
def admitted(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """Users on blue, testers on green."""
    config = BOTH_COLORS | {"bluegreen:replicas": 1}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("admitted"), config) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


def digests(environment: SandboxEnvironment) -> dict[str, str]:
    """The digest of each tag that runs."""
    pods = [item for key, item in environment.objects().items() if key.startswith("Pod/")]
    statuses = [environment.get("pod", pod["metadata"]["name"])["status"]["containerStatuses"][0] for pod in pods]
    return {status["image"].partition("@")[0].rpartition(":")[2]: status["imageID"].partition("@")[2] for status in statuses}


@pytest.mark.parametrize("form", PINNED)
def test_an_image_that_an_admission_controller_has_pinned_is_the_same_image_and_the_switch_goes(
    admitted: SandboxEnvironment, tmp_path: Path, form: str
) -> None:
    known = digests(admitted)

    def pin(deployment: dict[str, Any]) -> list[dict[str, Any]]:
        path = "/spec/template/spec/containers/0/image"
        repository, _, tag = deployment["spec"]["template"]["spec"]["containers"][0]["image"].rpartition(":")
        pinned = repository == REPOSITORY and tag in known
        return [{"op": "replace", "path": path, "value": PINNED[form](tag, known[tag])}] if pinned else []

    with changing(admitted, tmp_path, DEPLOYMENTS, pin), served_by(admitted, "blue"):
        admitted.set({"green:env": {"FORM": form}})
        admitted.up()
        running = admitted.get("deployment", "myapp-green")["spec"]["template"]["spec"]["containers"][0]["image"]
        assert running == PINNED[form]("2.0", known["2.0"])
        assert admitted.up().written == set()
        assert admitted.preview("--refresh").written == set()
        admitted.run("refresh", "--preview-only", "--expect-no-changes")
        assert image_of_green(admitted) == f"{REPOSITORY}:2.0@{known['2.0']}"
    users_move_there_and_back(admitted, known["2.0"])


def test_a_container_that_an_admission_controller_puts_first_is_not_the_application(
    admitted: SandboxEnvironment, tmp_path: Path
) -> None:
    injected = {
        "name": "injected",
        "image": f"{REPOSITORY}:1.0",
        "env": [{"name": "PORT", "value": "3999"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }

    def inject(deployment: dict[str, Any]) -> list[dict[str, Any]]:
        names = [container["name"] for container in deployment["spec"]["template"]["spec"]["containers"]]
        add = {"op": "add", "path": "/spec/template/spec/containers/0", "value": injected}
        return [] if "injected" in names else [add]

    with changing(admitted, tmp_path, DEPLOYMENTS, inject), served_by(admitted, "blue"):
        admitted.set({"green:env": {"FORM": "injected"}})
        admitted.up()
        containers = admitted.get("deployment", "myapp-green")["spec"]["template"]["spec"]["containers"]
        assert [container["name"] for container in containers] == ["injected", "myapp"]
        kept = pods(admitted, "green")
        assert image_of_green(admitted) == f"{REPOSITORY}:2.0"
    users_move_there_and_back(admitted, "2.0")
    assert pods(admitted, "green") == kept


def image_of_green(environment: SandboxEnvironment) -> str:
    """As `bluegreen status` shows it, without drift."""
    seen = Operator(environment).run("status", "--json").lines[0]
    assert seen["drift"] == []
    return str({row["color"]: row["image"] for row in seen["rows"]}["green"])


def users_move_there_and_back(environment: SandboxEnvironment, approval: str) -> None:
    operator = Operator(environment)
    with same_config_afterwards(environment):
        environment.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
        assert "blue 1.0 -> green 2.0" in operator.run("plan").out
    with served_by(environment, "blue", "green"):
        operator.run("activate", "green", "--expect-image", approval)
        operator.run("rollback")
        environment.users.wait_for("blue")
