"""The pipelines of `examples/` are run: the shell steps of GitHub's jobs and Semaphore's, in order, against a real cluster."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import ROOT
from tests.conftest import Environments
from tests.stack import ONE_COLOR, Environment

PIPELINES = Path("examples/pipelines")

# Stands for GitHub's own command: remembers what it was called with, and keeps the comments of one pull request.
GH = """\
#!/bin/sh
echo "$@" >> "$GH_LOG"
case "$*" in
    *--paginate*) [ ! -f "$GH_LOG.comment" ] || echo 4711 ;;
    *body=@*) cp plan.md "$GH_LOG.comment" ;;
esac
"""


class Checkout:
    """A copy of the project, as a job has it, on the stack of `environment`."""

    def __init__(self, environment: Environment, directory: Path) -> None:
        self.directory = directory
        for name in ("automation", "bin", "components", "gate", "release", PIPELINES):
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("__main__.py", "Pulumi.yaml", "requirements.txt"):
            shutil.copy(ROOT / name, directory / name)
        (directory / ".venv").symlink_to(ROOT / ".venv")
        shutil.copy(environment.config_file, directory / environment.config_file.name)
        self._variables = {
            **environment.cluster.variables,
            "PULUMI_BACKEND_URL": f"file://{environment.state}",
            "PULUMI_STACK": environment.name,
            "BLUEGREEN_URL": environment.cluster.gateway_url,
        }

    def run(self, script: str, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.directory,
            env={**self._variables, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def github(checkout: Checkout, workflow: str, job: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the shell steps of a job; the first that fails ends it. Returns the last that was run."""
    steps = yaml.safe_load((checkout.directory / PIPELINES / "github" / f"{workflow}.yml").read_text())["jobs"][job]["steps"]
    output = checkout.directory / "output"
    output.touch()
    for step in steps:
        if "run" not in step:
            continue
        given = {name: _filled(str(value), output) for name, value in step.get("env", {}).items()}
        ran = checkout.run(step["run"], {**given, "GITHUB_OUTPUT": str(output), **variables})
        if ran.returncode:
            break
    return ran


def _filled(text: str, output: Path) -> str:
    """An expression of GitHub, as far as the examples have them: the output of an earlier step."""
    named = re.fullmatch(r"\$\{\{ steps\.\w+\.outputs\.(\w+) \}\}", text)
    outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
    return outputs[named[1]] if named else text


def semaphore(checkout: Checkout, pipeline: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs the commands of a pipeline, its prologue first, in one shell, as an agent does."""
    read: dict[str, Any] = yaml.safe_load((checkout.directory / PIPELINES / "semaphore" / f"{pipeline}.yml").read_text())
    commands = list(read["global_job_config"]["prologue"]["commands"])
    for block in read["blocks"]:
        for job in block["task"]["jobs"]:
            commands += job["commands"]
    return checkout.run("\n".join(each for each in commands if each != "checkout"), variables)


@pytest.fixture
def environment(new_environment: Environments) -> Environment:
    """One where blue 1.0 is live, and green is not deployed."""
    environment = new_environment(ONE_COLOR)
    environment.up()
    environment.users.wait_for("blue")
    return environment


def test_githubs_release_is_deployed_tested_approved_and_rolled_back(environment: Environment, tmp_path: Path) -> None:
    checkout = Checkout(environment, tmp_path / "checkout")
    (tmp_path / "checkout" / environment.config_file.name).unlink()  # the state is the truth
    deployed = github(checkout, "release", "deploy", TAG="v2.0-green")
    assert deployed.returncode == 0, deployed
    assert environment.users.served_by() == "blue"
    stale = github(checkout, "release", "activate", TAG="v1.9-green")
    assert stale.returncode == 13, stale
    assert environment.users.served_by() == "blue"
    short = (checkout.directory / PIPELINES / "github" / "release.yml").read_text().replace("--bake 2m", "--bake 3s")
    (checkout.directory / PIPELINES / "github" / "release.yml").write_text(short)
    activated = github(checkout, "release", "activate", TAG="v2.0-green")
    assert activated.returncode == 0, activated
    assert environment.users.served_by() == "green"
    wrong_lane = github(checkout, "release", "deploy", TAG="v3.0-green")
    assert wrong_lane.returncode == 13, wrong_lane
    back = github(checkout, "rollback", "rollback")
    assert back.returncode == 0, back
    assert environment.users.served_by() == "blue"


def test_githubs_plan_is_one_comment_that_is_updated(environment: Environment, tmp_path: Path) -> None:
    checkout = Checkout(environment, tmp_path / "checkout")
    log, program = tmp_path / "gh.log", tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(GH)
    program.chmod(0o755)
    variables = {"PATH": f"{program.parent}:{checkout._variables['PATH']}", "GH_LOG": str(log)}
    variables |= {"GITHUB_REPOSITORY": "me/shop", "PULL": "7"}
    for _ in range(2):
        planned = github(checkout, "plan", "plan", **variables)
        assert planned.returncode == 0, planned
    calls = log.read_text()
    assert calls.count("repos/me/shop/issues/7/comments --field") == 1
    assert calls.count("--method PATCH repos/me/shop/issues/comments/4711") == 1
    assert Path(f"{log}.comment").read_text().startswith("<!-- bluegreen plan: ")


def test_githubs_nightly_look_finds_a_change_by_hand(environment: Environment, tmp_path: Path) -> None:
    checkout = Checkout(environment, tmp_path / "checkout")
    assert github(checkout, "drift", "drift").returncode == 0
    where = ["deployment/myapp-blue", "--namespace", environment.name]
    environment.cluster.kubectl("scale", *where, "--replicas=3")
    assert github(checkout, "drift", "drift").returncode != 0


def test_semaphores_pipelines_go_once_around_for_both_colors(environment: Environment, tmp_path: Path) -> None:
    checkout = Checkout(environment, tmp_path / "checkout")
    for color, before, tag in (("green", "blue", "v2.0-green"), ("blue", "green", "v3.0-blue")):
        steps = [f"deploy-{color}", f"activate-{color}", f"rollback-to-{before}", f"activate-{color}", f"decommission-{before}"]
        for pipeline in steps:
            ran = semaphore(checkout, pipeline, SEMAPHORE_GIT_TAG_NAME=tag)
            assert ran.returncode == 0, (pipeline, ran)
        assert environment.users.served_by() == color


def test_githubs_files_are_valid() -> None:
    checker = shutil.which("actionlint") or str(ROOT / ".sandbox" / "bin" / "actionlint")
    if not os.access(checker, os.X_OK):
        pytest.skip("actionlint is not there: go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.7")
    files = sorted(map(str, (ROOT / PIPELINES / "github").glob("*.yml")))
    ran = subprocess.run([checker, "-shellcheck=", *files], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
