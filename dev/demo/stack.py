"""The demo's stack: creates it, and changes it with the commands that a person would type."""

import fcntl
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml

from bluegreen.cli import lock_holder
from bluegreen.release.endpoint import Endpoint, Given
from bluegreen.release.settings import ServiceSettings, Settings
from bluegreen.routing import find
from bluegreen.routing.base import Layer

ROOT = Path(__file__).parents[2]
STACK = "demo"
NAMESPACE = "bluegreen-demo"
# Not every host: the tests run beside a demo that stands, and requests for their hosts must not reach it.
HOST = "demo.example"
NODE_PORT, TEST_NODE_PORT = 30900, 30901

_DONE = re.compile(r" kubernetes:\S+ \S+ (created|updated|deleted|replaced) \(")
_CONFIG_FILE = ROOT / f"Pulumi.{STACK}.yaml"


class DemoError(Exception):
    """The demo cannot continue. The message says what happened, why, and what to do."""


@contextmanager
def alone() -> Iterator[None]:
    """A lock against other demos of this checkout. Raises `DemoError` if one is running."""
    with (ROOT / ".sandbox" / "demo.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                "Another demo is running on this sandbox. Wait until it ends, then run `make demo` again."
            ) from None
        yield


def variable(name: str) -> str:
    """A variable of `.sandbox/env`. Raises `DemoError` if it is not set."""
    if value := os.environ.get(name):
        return value
    raise DemoError(f"{name} is not set. Run the demo with `make demo`, or source .sandbox/env first.")


def endpoints(layer: Layer) -> tuple[Endpoint, Endpoint]:
    """Where users and testers enter. The sample application names its color where the layer has no proxy that does."""
    settings = Settings(service=ServiceSettings(colors={}), active_color="", host=HOST)
    if layer.HAS_TEST_ADDRESS:
        node = f"http://{variable('NODE_ADDRESS')}"
        given = Given(url=f"{node}:{NODE_PORT}", test_url=f"{node}:{TEST_NODE_PORT}", color_header="x-served-by")
    else:
        given = Given(url=variable("GATEWAY_URL"))
    users, testers = layer.of_users(settings, given), layer.of_testers(settings, given)
    assert users
    assert testers
    return users, testers


def create(routing: str) -> None:
    """Creates a new stack and an empty namespace, configured for blue 1.0 only.

    Removes the remains of an earlier demo first, even if it was killed during an update. So it deletes the namespace and the
    stack's state: `pulumi destroy` would need a state that matches the cluster.
    """
    _output("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=5m")
    if STACK in [stack["name"] for stack in json.loads(_output("pulumi", "stack", "ls", "--json"))]:
        _remove_stack()
    _output("kubectl", "create", "namespace", NAMESPACE)
    _CONFIG_FILE.unlink(missing_ok=True)
    _output("pulumi", "stack", "init", STACK)
    _CONFIG_FILE.write_text(yaml.safe_dump({"config": _first_config(routing)}, sort_keys=False))


def _remove_stack() -> None:
    remove = ("pulumi", "stack", "rm", STACK, "--force", "--yes")
    try:
        _output(*remove)
    except DemoError as error:
        if not lock_holder.abandoned(str(error), STACK):
            raise
        _output("pulumi", "cancel", STACK, "--yes")
        _output(*remove)


def _first_config(routing: str) -> dict[str, object]:
    config: dict[str, object] = yaml.safe_load((ROOT / "Pulumi.blue.yaml").read_text())["config"]
    del config["green:imageTag"], config["bluegreen:testColor"]
    config |= {"bluegreen:namespace": NAMESPACE, "bluegreen:routing": routing}
    config["bluegreen:image"] = os.environ.get("IMAGE", "bluegreen.example/app")
    if find(routing).HAS_TEST_ADDRESS:
        config |= {"bluegreen:nodePort": NODE_PORT, "bluegreen:testNodePort": TEST_NODE_PORT}
    else:
        config |= {"bluegreen:host": HOST, "bluegreen:url": variable("GATEWAY_URL")}
    return config


def commands(change: Mapping[str, str | None]) -> list[list[str]]:
    """The commands for a change of config (None removes a key); the last one is `pulumi up`."""
    typed = [["pulumi", "config", "rm", key] for key, value in change.items() if value is None]
    typed += [["pulumi", "config", "set", key, value] for key, value in change.items() if value is not None]
    return [*typed, ["pulumi", "up", "--yes", "--skip-preview"]]


def run(command: list[str], on_line: Callable[[str], None]) -> None:
    """Runs one of `commands`; calls `on_line` with the engine's line about every finished resource.

    Raises `DemoError` with the whole output if the command fails.
    """
    output: list[str] = []
    with subprocess.Popen(
        [*command, "--stack", STACK, "--non-interactive", "--color", "never"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            output.append(line)
            if _DONE.search(line):
                on_line(line.strip().rstrip(" ;"))
    if process.returncode:
        raise DemoError(f"{' '.join(command)} failed:\n{''.join(output)}")


def _output(*command: str) -> str:
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise DemoError(f"{' '.join(command)} failed:\n{ran.stdout}{ran.stderr}")
    return ran.stdout
