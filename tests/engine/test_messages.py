"""The command reads no sentence of the program: with every message replaced by noise it ends as before."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.cluster import ROOT
from tests.command import Operator
from tests.conftest import Environments
from tests.stack import BOTH_COLORS

# Comes first in the program: whatever it says of a refusal or a failure is noise but for the codes.
NOISE = """
import re, sys
sys.path.insert(0, ".")
import pulumi
from bluegreen.release.refusals import Refusal

def noise(text):
    return re.sub(r"(\\[bluegreen:\\w+\\])|\\w+", lambda found: found[1] or "zxqv", text)

class NoisyError(pulumi.RunError):
    def __init__(self, text):
        super().__init__(noise(text))

in_words = Refusal.__str__
Refusal.__str__ = lambda self: noise(in_words(self))
pulumi.RunError = NoisyError
"""


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A checkout of the project whose program says noise."""
    checkout = tmp_path / "checkout"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in files:
        if not name.startswith(("tests/", "docs/", "dev/")):
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_bytes((ROOT / name).read_bytes())
            (checkout / name).chmod((ROOT / name).stat().st_mode)
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    program = checkout / "__main__.py"
    program.write_text(NOISE + program.read_text())
    return checkout


def test_exit_statuses_and_reasons_stay_what_they_are_when_every_message_is_noise(
    new_environment: Environments, noisy: Path
) -> None:
    operator = Operator(new_environment(BOTH_COLORS))
    operator.run("up")
    before = operator.config()
    for command, status, reason, code in [
        (["deploy", "blue", "--image", "3.0"], 13, "refused", "LIVE_STAYS"),  # by the check, before anything
        (["activate", "green"], 13, "refused", "ROUTE_KEPT"),  # by a hook, at the route
        (["test", "blue"], 2, "config", "CONFIG"),
    ]:
        if code == "ROUTE_KEPT":
            _write_into_the_route(operator)
        for checkout in (ROOT, noisy):
            ran = subprocess.run(
                [checkout / "bin" / "bluegreen", *operator.command(*command)[1:], "--json"],
                env=operator.variables,
                capture_output=True,
                text=True,
                check=False,
            )
            result = json.loads(ran.stdout.splitlines()[-1])
            assert (ran.returncode, result["reason"], result["code"]) == (status, reason, code), ran.stdout + ran.stderr
            assert ("zxqv" in result["message"]) is (checkout == noisy)
            assert operator.config() == before


def _write_into_the_route(operator: Operator) -> None:
    """Somebody puts a rule of their own before those of the program."""
    environment = operator.environment
    own = {"name": "maintenance", "match": [{"uri": {"prefix": "/closed"}}], "redirect": {"uri": "/"}}
    change = json.dumps([{"op": "add", "path": "/spec/http/0", "value": own}])
    where = ["virtualservice", "myapp-blue-green", "--namespace", environment.name]
    environment.cluster.kubectl("patch", *where, "--type=json", "-p", change)
