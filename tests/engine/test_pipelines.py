"""The pipelines of `examples/` are run: every shell step of GitHub's jobs and Semaphore's, in order, against a real cluster.

Only what belongs to the service itself is stood for: the checkout, the installation of the CLI and of Python packages, GitHub's
own command `gh`, and the pressing of buttons.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.sandbox import toolchain
from tests import vault
from tests.cluster import ROOT, SandboxCluster
from tests.engine.pipelines import GITHUB, SEMAPHORE, Agent, github, read, semaphore
from tests.stack import ONE_COLOR, ONE_POD, SandboxEnvironment, environment_of_its_own

PASSPHRASE = "purple-monkey-dishwasher-lamp"
REFUSED = 13


@pytest.fixture(scope="module")
def environment(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """Blue 1.0 is live, and green is not deployed until a test does it. Its passphrase is unlike any other word."""
    own = SandboxCluster(vault.by_passphrase(cluster.variables, PASSPHRASE))
    config = ONE_COLOR | ONE_POD
    with environment_of_its_own(own, tmp_path_factory.mktemp("pipelines") / "environment", config) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


@pytest.fixture
def agent(environment: SandboxEnvironment, tmp_path: Path) -> Agent:
    return Agent(environment, tmp_path / "agent")


def test_githubs_plan_is_one_comment_that_is_updated_in_place(agent: Agent) -> None:
    github(agent, "plan", "plan")
    first = agent.comments()
    assert [comment["body"].partition("\n")[0] for comment in first[1:]] == [
        f"<!-- bluegreen plan: bluegreen/{agent.environment.name} -->"
    ]
    assert "nothing changes" in first[1]["body"]
    agent.edit_config({"bluegreen:replicas": 3})
    github(agent, "plan", "plan")
    second = agent.comments()
    assert [comment["id"] for comment in second] == [comment["id"] for comment in first]
    assert second[0] == first[0], "another's comment is left alone"
    assert "| `~` | Deployment | myapp-blue |" in second[1]["body"]
    assert second[1]["body"] in agent.summary.read_text()


def test_githubs_plan_fails_and_says_why_when_the_change_would_be_refused(agent: Agent) -> None:
    agent.edit_config({"bluegreen:env": {"GREETING": "hello"}})
    github(agent, "plan", "plan", status=REFUSED)
    assert (
        "**Refused [bluegreen:LIVE_STAYS]: the pods of the live color do not change in place**" in agent.comments()[1]["body"]
    )


def test_githubs_plan_that_could_not_be_made_touches_no_comment(agent: Agent) -> None:
    before = agent.comments()
    (agent.checkout / agent.environment.config_file.name).unlink()
    failed = github(agent, "plan", "plan", status=2)
    assert "Name another one with --config-file" in failed.stderr
    assert agent.comments() == before


def test_githubs_nightly_look_finds_changes_by_hand(agent: Agent) -> None:
    github(agent, "drift", "drift")
    replicas = ("deployment", "myapp-blue", "/spec/replicas")
    users = ("virtualservice", "myapp-blue-green", "/spec/http/0/route/0/destination/subset")
    for target, before, value in ((replicas, 1, 3), (users, "blue", "green")):
        replace(agent.environment, *target, value)
        found = github(agent, "drift", "drift", status=7).stdout
        replace(agent.environment, *target, before)
        assert target[1] in found


def replace(environment: SandboxEnvironment, kind: str, name: str, path: str, value: object) -> None:
    """Somebody replaces one value with kubectl."""
    patch = json.dumps([{"op": "replace", "path": path, "value": value}])
    environment.cluster.kubectl("patch", kind, name, "--namespace", environment.name, "--type=json", f"--patch={patch}")


def test_what_a_merge_changes_is_applied_with_the_release_that_is_deployed(agent: Agent) -> None:
    github(agent, "release", "deploy", ref_name="v2.0-green")
    config = agent.edit_config({"bluegreen:replicas": 2})
    assert "green:imageTag" not in config  # git does not know of the release
    github(agent, "apply", "apply")
    deployments = {color: agent.environment.get("deployment", f"myapp-{color}")["spec"] for color in ("blue", "green")}
    assert {color: spec["replicas"] for color, spec in deployments.items()} == {"blue": 2, "green": 2}
    assert (agent.checkout / agent.environment.config_file.name).read_text() == config


def test_githubs_release_is_deployed_tested_approved_and_rolled_back(agent: Agent) -> None:
    (agent.checkout / agent.environment.config_file.name).unlink()  # the state is the truth
    users = agent.environment.users
    agent.edit("github/release.yml", "--bake 2m", "--bake 3s")
    github(agent, "release", "deploy", ref_name="v3.0-green")
    refused = github(agent, "rollback", "rollback", status=REFUSED)
    assert "users were on nothing but blue" in refused.stderr, "the next release is not taken for the last one"
    github(agent, "release", "activate", ref_name="v1.9-green", status=REFUSED)
    assert users.served_by() == "blue"
    github(agent, "release", "activate", ref_name="v3.0-green")
    assert users.served_by() == "green"
    github(agent, "release", "deploy", ref_name="v4.0-green", status=REFUSED)
    github(agent, "rollback", "rollback")
    assert users.served_by() == "blue"
    github(agent, "rollback", "rollback")
    assert users.served_by() == "blue", "a button that is pressed twice moves nobody forward"
    assert agent.seen_in_arguments == set()


def test_semaphores_pipelines_go_once_around(agent: Agent) -> None:
    """From blue to green: the pipelines of the two colors differ in the colors alone."""
    users = agent.environment.users
    release = semaphore(agent, semaphore(agent, "semaphore.yml", "v2.0-green").promoted_by("v2.0-green"), "v2.0-green")
    semaphore(agent, release.promoted("Activate Green"), "v1.9-green", status=REFUSED)
    assert users.served_by() == "blue"
    activated = semaphore(agent, release.promoted("Activate Green"), "v2.0-green")
    assert users.served_by() == "green"
    semaphore(agent, activated.promoted("Roll back to Blue"), "v2.0-green")
    assert users.served_by() == "blue"
    semaphore(agent, release.promoted("Activate Green"), "v2.0-green")
    semaphore(agent, activated.promoted("Decommission Blue"), "v2.0-green")
    assert users.served_by() == "green"
    assert "Deployment/myapp-blue" not in agent.environment.objects()
    assert agent.seen_in_arguments == set()


def test_semaphores_stale_promotions_leave_the_next_release_alone(agent: Agent) -> None:
    # By the route: a response may still come from the color that users have just left.
    route = agent.environment.get("virtualservice", "myapp-blue-green")["spec"]["http"]
    if route[-1]["route"][0]["destination"]["subset"] == "blue":
        semaphore(agent, semaphore(agent, "deploy-green.yml", "v2.0-green").promoted("Activate Green"), "v2.0-green")
    semaphore(agent, "deploy-blue.yml", "v3.0-blue")
    before = agent.environment.objects()
    semaphore(agent, "deploy-green.yml", "v4.0-green", status=REFUSED)
    semaphore(agent, "rollback-to-blue.yml", "v2.0-green", status=REFUSED)
    semaphore(agent, "decommission-blue.yml", "v2.0-green", status=REFUSED)
    assert agent.environment.objects() == before


def test_every_pipeline_is_run_by_a_test() -> None:
    text = Path(__file__).read_text()
    assert [file.stem for file in GITHUB.glob("*.yml") if f'github(agent, "{file.stem}"' not in text] == []
    reached = {each["pipeline_file"] for file in SEMAPHORE.glob("*.yml") for each in read(file).get("promotions", [])}
    assert reached | {"semaphore.yml"} == {file.name for file in SEMAPHORE.glob("*.yml")}


def test_the_pipelines_of_the_two_colors_differ_in_the_colors_alone() -> None:
    swapped = {"bluegreen": "bluegreen", "blue": "green", "green": "blue", "Blue": "Green", "Green": "Blue"}
    for file in SEMAPHORE.glob("*-blue.yml"):
        turned = re.sub("|".join(swapped), lambda found: swapped[found[0]], file.read_text())
        assert turned == file.with_name(file.name.replace("blue", "green")).read_text()


def test_githubs_files_are_valid() -> None:
    # Without the checkers of shell and Python that it would look for on this machine.
    actionlint = str(toolchain.build_on_demand(toolchain.ACTIONLINT) / "actionlint")
    command = [actionlint, "-shellcheck=", "-pyflakes=", *sorted(map(str, GITHUB.glob("*.yml")))]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.parametrize("file", sorted(GITHUB.glob("*.yml")), ids=lambda file: file.stem)
def test_no_expression_stands_in_a_shell_step(file: Path) -> None:
    """It would put a secret, or a stranger's branch name, into the text of a script."""
    steps = [step for job in read(file)["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []
