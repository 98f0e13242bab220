"""What reaches the pods, what stays secret, and where the pods may run."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import SandboxCluster, eventually
from tests.entrance import Endpoint
from tests.stack import BOTH_COLORS, ONE_POD, SandboxEnvironment, environment_of_its_own

SECRET = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def live(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """An environment with users on blue, for tests that give green another image or other variables."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("live"), BOTH_COLORS | ONE_POD) as environment:
        environment.up()
        yield environment


def told(entrance: Endpoint) -> dict[str, Any]:
    """What the pod that answers says of itself and its variables."""
    said: dict[str, Any] = json.loads(entrance.ask("/info").body)
    return said


def digest(environment: SandboxEnvironment, color: str) -> str:
    """The digest of the image that a color runs, as the node tells it."""
    look = ["get", "pods", "--namespace", environment.name, f"--selector=color={color}"]
    return environment.cluster.kubectl(*look, "--output=jsonpath={.items[0].status.containerStatuses[0].imageID}").partition(
        "@"
    )[2]


def test_a_digest_is_a_tag_too(live: SandboxEnvironment) -> None:
    of_version_1 = digest(live, "blue")
    live.deploy("green", of_version_1)
    eventually(lambda: told(live.testers)["version"], "1.0")  # the old pods answer until the gateway knows that they stop
    container = live.get("deployment", "myapp-green")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == f"bluegreen.example/app@{of_version_1}"


def test_variables_reach_the_pods_of_their_color_and_secrets_reach_nothing_else(live: SandboxEnvironment) -> None:
    live.set({"green:env": {"DB_PORT": "5432", "DB_HOST": "db-green.example"}})
    live.set_secret("green:secretEnv.DB_PASSWORD", SECRET)
    said = [live.preview("--diff").text, live.up().text]
    eventually(lambda: told(live.testers)["env"], {"DB_HOST": "db-green.example", "DB_PORT": "5432"})
    assert told(live.testers)["envNames"] == ["DB_HOST", "DB_PASSWORD", "DB_PORT"]
    assert told(live.users)["envNames"] == []
    live.set_secret("green:secretEnv.DB_PASSWORD", SECRET.upper())
    said += [live.preview("--diff").text, live.state_text(), live.config_file.read_text()]
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert [text for text in said if SECRET in text.lower() or encoded in text] == []


def test_existing_secrets_and_config_maps_reach_the_pods_of_both_colors_and_the_config_wins(live: SandboxEnvironment) -> None:
    where = ("--namespace", live.name)
    live.cluster.kubectl("create", "secret", "generic", "vault", "--from-literal=DB_TOKEN=made-elsewhere", *where)
    live.cluster.kubectl("create", "configmap", "flags", "--from-literal=DB_MODE=slow", "--from-literal=DB_PORT=1", *where)
    refs = {"bluegreen:secretRefs": ["vault"], "green:configMapRefs": ["flags"], "green:env": {"DB_PORT": "5432"}}
    live.set(refs | {"bluegreen:allow": ["change-live"]})
    live.up()
    eventually(lambda: told(live.users)["envNames"], ["DB_TOKEN"])
    eventually(lambda: {"DB_MODE", "DB_PORT", "DB_TOKEN"} <= set(told(live.testers)["envNames"]), True)
    assert told(live.testers)["env"] == {"DB_PORT": "5432"}  # and not the port of the ConfigMap


def test_the_namespace_accepts_the_pods_and_would_not_accept_any(live: SandboxEnvironment) -> None:
    any_pod = ["run", "any", "--image=bluegreen.example/app:1.0", "--namespace", live.name, "--dry-run=server"]
    with pytest.raises(AssertionError, match='violates PodSecurity "restricted'):
        live.cluster.kubectl(*any_pod)
