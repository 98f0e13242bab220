"""Migrations on the real engine, the real cluster and a real database: when they run, and what a failing one leaves alone."""

import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from dev.traffic.report import totals
from tests.cluster import SandboxCluster, eventually
from tests.conftest import Environments
from tests.engine.admission import another_container, injecting
from tests.notes import database, notes
from tests.stack import SandboxEnvironment

# Nothing listens there, so a migration with it fails, and says why.
NOWHERE = {"DB_PORT": "1"}
NOT_THERE = "the database does not answer: dial tcp 10.213.0.1:1: connect: connection refused"

# Whatever a test may have set.
NO_GREEN = dict.fromkeys(
    [
        "bluegreen:testColor",
        *(f"green:{key}" for key in ("imageTag", "env", "replicas", "drainSeconds", "readyTimeoutSeconds")),
        *(f"green:{key}" for key in ("migrate", "migrateTimeoutSeconds")),
    ]
)


@pytest.fixture(scope="module")
def standing(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    with ExitStack() as until_the_end:
        new_environment = Environments(cluster, tmp_path_factory.mktemp("standing"), until_the_end)
        with notes(new_environment, {"bluegreen:replicas": 1}) as environment:
            environment.up()
            environment.users.wait_for("blue")
            yield environment


@pytest.fixture
def environment(standing: SandboxEnvironment) -> Iterator[SandboxEnvironment]:
    """Blue 1.0 serves the users, alone."""
    yield standing
    standing.set(NO_GREEN)
    standing.up()


def jobs(environment: SandboxEnvironment, color: str) -> dict[str, Any]:
    """The migrations of a color by name, each as it was asked for: its identity and its spec."""
    prefix = f"Job/myapp-{color}-migrate-"
    return {name.removeprefix("Job/"): each for name, each in environment.objects().items() if name.startswith(prefix)}


def ended(environment: SandboxEnvironment, job: str) -> str:
    """When the migration's own container ended. The Job says so later, and is not waited for."""
    look = ["get", "pods", "--namespace", environment.name, f"--selector=job-name={job}"]
    when = "--output=jsonpath={.items[0].status.containerStatuses[0].state.terminated.finishedAt}"
    return environment.cluster.kubectl(*look, when)


def not_of(color: str, objects: dict[str, Any]) -> dict[str, Any]:
    """What is not of the color's migration or its variables: what a failing migration must leave alone."""
    own = re.compile(rf"(Job|Pod)/myapp-{color}-migrate-|(ConfigMap|Secret)/myapp-{color}-")
    return {name: each for name, each in objects.items() if not own.match(name)}


def test_a_migration_ends_before_the_pods_of_its_color_are_made_and_leaves_the_other_color_alone(
    environment: SandboxEnvironment,
) -> None:
    before = environment.objects()
    environment.deploy("green", "2.0")
    after = environment.objects()
    for color in ("blue", "green"):
        [name] = jobs(environment, color)
        assert ended(environment, name) <= after[f"Deployment/myapp-{color}"]["metadata"]["creationTimestamp"]
    assert {name: after.get(name) for name in before} == before


def test_a_migration_runs_once_for_each_image(environment: SandboxEnvironment) -> None:
    environment.deploy("green", "1.0")
    ran = jobs(environment, "green")
    environment.set({"green:replicas": 2, "green:env": {"GREETING": "hello"}})
    assert "update Deployment/myapp-green" in environment.up().changes
    assert jobs(environment, "green") == ran
    result = environment.deploy("green", "2.0")
    [(before, after)] = zip(ran, jobs(environment, "green"), strict=True)
    assert {f"create Job/{after}", f"delete Job/{before}"} <= result.changes


def test_a_failing_migration_stops_the_update_and_shows_its_log(environment: SandboxEnvironment) -> None:
    environment.deploy("green", "1.0")
    before = environment.objects()
    environment.set({"green:env": NOWHERE, "green:imageTag": "2.0"})
    with environment.users.load(rate=200, seconds=600) as load:
        failed = environment.up(succeeds=False)
        again = environment.up(succeeds=False)
    counted = totals(load.stop())
    assert counted.failed == 0
    assert set(counted.succeeded) == {"blue"}
    [name] = [each for each in jobs(environment, "green") if f"Job/{each}" not in before]
    for result in (failed, again):
        assert f"The migration {name} failed: exit code 1\n" in result.text
        assert f"  log:    {NOT_THERE}\n" in result.text
        assert "users stay on blue" in result.text
        assert database().password not in result.text
    assert again.written == set()
    assert not_of("green", environment.objects()) == not_of("green", before)


def test_the_remedy_of_a_failed_migration_works_as_it_is_shown(environment: SandboxEnvironment) -> None:
    environment.set({"green:env": NOWHERE, "green:imageTag": "2.0"})
    shown = environment.up(succeeds=False).text
    assert "Deployment/myapp-green" not in environment.objects()
    environment.set({"green:env": None})
    [delete] = re.findall(r"kubectl (delete job .*) && pulumi up --refresh", shown)
    environment.cluster.kubectl(*shlex.split(delete))
    environment.run("up", "--refresh", "--skip-preview", "--yes")
    environment.test("green")
    environment.testers.wait_for("green")


def test_a_migration_is_over_with_its_own_container_whatever_becomes_of_the_job(
    environment: SandboxEnvironment, tmp_path: Path
) -> None:
    def change(pod: dict[str, Any]) -> None:
        if "job-name" in pod["metadata"]["labels"]:
            pod["spec"]["containers"].insert(0, another_container("proxy"))

    with injecting(environment, tmp_path, change):
        environment.set({"green:env": NOWHERE, "green:imageTag": "1.0"})
        text = environment.up(succeeds=False).text
        environment.set({"green:env": None})
        environment.deploy("green", "2.0")
    assert "failed: exit code 1\n" in text
    assert re.findall(r"  log:    (.*)\n", text)[-1] == NOT_THERE
    [name] = jobs(environment, "green")
    assert environment.get("job", name)["status"]["active"] == 1
    environment.cluster.kubectl("delete", "pod", f"--selector=job-name={name}", "--namespace", environment.name)
    conditions = ("wait", f"job/{name}", "--for=condition=Failed", "--timeout=60s", "--namespace", environment.name)
    environment.cluster.kubectl(*conditions)
    for color in ("green", "blue"):
        assert environment.activate(color).changes == {"update VirtualService/myapp-blue-green"}
        environment.users.wait_for(color)


def test_another_image_is_the_other_remedy(environment: SandboxEnvironment) -> None:
    environment.set({"green:migrate": "/notes mygrate", "green:imageTag": "2.0"})
    assert '"mygrate" is not a command' in environment.up(succeeds=False).text
    environment.set({"green:migrate": None})
    environment.deploy("green", "1.0")
    assert len(jobs(environment, "green")) == 1


def test_a_migration_that_does_not_end_is_ended_and_shows_its_log(environment: SandboxEnvironment) -> None:
    environment.set({"green:migrate": "/notes", "green:migrateTimeoutSeconds": 3, "green:imageTag": "2.0"})
    result = environment.up(succeeds=False)
    assert "DeadlineExceeded" in result.text
    assert "  log:    notes 2.0, column body\n" in result.text


def test_a_migration_whose_image_cannot_be_had_fails_when_the_time_to_start_is_over(environment: SandboxEnvironment) -> None:
    environment.set({"green:imageTag": "9.9", "green:readyTimeoutSeconds": 5})
    result = environment.up(succeeds=False)
    assert "does not start: ErrImagePull" in result.text or "does not start: ImagePullBackOff" in result.text
    assert "readyTimeoutSeconds (5) is over" in result.text


def test_users_can_be_moved_when_somebody_has_cleared_finished_migrations_away(environment: SandboxEnvironment) -> None:
    environment.deploy("green", "2.0")
    for name in jobs(environment, "blue") | jobs(environment, "green"):
        environment.cluster.kubectl("delete", "job", name, "--namespace", environment.name)
    eventually(lambda: len(jobs(environment, "green")), 0)
    for color in ("green", "blue"):
        assert environment.activate(color).changes == {"update VirtualService/myapp-blue-green"}
        environment.users.wait_for(color)


def test_a_retired_color_can_be_deployed_again_while_its_pods_are_still_leaving(environment: SandboxEnvironment) -> None:
    environment.set({"green:drainSeconds": 20})
    environment.deploy("green", "2.0")
    [name] = jobs(environment, "green")
    first = environment.get("job", name)["metadata"]["uid"]
    environment.retire("green")
    environment.deploy("green", "2.0")
    assert environment.get("job", name)["metadata"]["uid"] != first
    environment.test("green")
    environment.testers.wait_for("green")
