"""What reaches the pods, what stays secret, and what stays clean."""

import base64
import json
import subprocess

import pytest

from tests.cluster import ROOT
from tests.conftest import Environments
from tests.entrance import Entrance
from tests.stack import BOTH_COLORS, ONE_COLOR, Environment

SECRET = "correct-horse-battery-staple"


def told(entrance: Entrance) -> dict[str, object]:
    """What the pod that answers says of itself and its variables."""
    said: dict[str, object] = json.loads(entrance.ask("/info").body)
    return said


def digest(environment: Environment, color: str) -> str:
    """The digest of the image that a color runs, as the node tells it."""
    look = ["get", "pods", "--namespace", environment.name, f"--selector=color={color}"]
    return environment.cluster.kubectl(*look, "--output=jsonpath={.items[0].status.containerStatuses[0].imageID}").partition(
        "@"
    )[2]


def test_a_digest_is_a_tag_too(new_environment: Environments) -> None:
    environment = new_environment(BOTH_COLORS)
    environment.up()
    of_version_1 = digest(environment, "blue")
    environment.deploy("green", of_version_1)
    environment.testers.wait_for("green")
    assert told(environment.testers)["version"] == "1.0"
    container = environment.get("deployment", "myapp-green")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"bluegreen.example/app@{of_version_1}"


def test_variables_reach_the_pods_of_their_color_and_secrets_reach_nothing_else(new_environment: Environments) -> None:
    plain = {"bluegreen:env": {"DB_PORT": "5432", "DB_HOST": "db.example"}, "green:env": {"DB_HOST": "db-green.example"}}
    environment = new_environment(BOTH_COLORS | plain)
    environment.set_secret("green:secretEnv.DB_PASSWORD", SECRET)
    said = [environment.preview("--diff").text, environment.up().text]
    environment.testers.wait_for("green")
    assert told(environment.testers)["env"] == {"DB_HOST": "db-green.example", "DB_PORT": "5432"}
    assert told(environment.testers)["envNames"] == ["DB_HOST", "DB_PASSWORD", "DB_PORT"]
    assert told(environment.users)["envNames"] == ["DB_HOST", "DB_PORT"]
    environment.set_secret("green:secretEnv.DB_PASSWORD", SECRET.upper())
    said += [environment.preview("--diff").text, environment.state_text(), environment.config_file.read_text()]
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert [text for text in said if SECRET in text.lower() or encoded in text] == []


def test_the_namespace_accepts_the_pods_and_would_not_accept_any(new_environment: Environments) -> None:
    environment = new_environment(ONE_COLOR)
    environment.up()
    any_pod = ["run", "any", "--image=bluegreen.example/app:1.0", "--namespace", environment.name, "--dry-run=server"]
    with pytest.raises(AssertionError, match='violates PodSecurity "restricted'):
        environment.cluster.kubectl(*any_pod)


def test_the_work_tree_is_clean_after_every_command(new_environment: Environments) -> None:
    def status() -> str:
        return subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=all"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout

    before = status()
    environment = new_environment(ONE_COLOR)
    environment.set_secret("blue:secretEnv.DB_PASSWORD", SECRET)
    environment.preview()
    environment.up()
    environment.run("refresh", "--yes", "--skip-preview")
    environment.destroy()
    assert status() == before
