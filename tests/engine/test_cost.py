"""What a switch and `rollback --now` cost, in requests, written objects and imported modules: the same on every host."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import SandboxCluster
from tests.command import LONGEST_SECONDS, Operator
from tests.engine.onlookers import by_way_of
from tests.engine.recorder import Request, recorder
from tests.stack import BOTH_COLORS, SandboxEnvironment, environment_of_its_own

# The rules look three times: before anything is written, before the route is written, and after it. Each time they read the
# Deployments, the route, and what else a rule needs.
MOST_READS_OF_THE_RULES = 12
MOST_REQUESTS_UNTIL_USERS_ARE_BACK = 6
# What takes long to import. `rollback --now` needs none of it before users are back.
SLOW_TO_IMPORT = {"pulumi", "pulumi_kubernetes", "grpc", "rich"}


@pytest.fixture(scope="module")
def both(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """An environment with both colors, blue live."""
    config = BOTH_COLORS | {"bluegreen:replicas": 1}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("both"), config) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


def test_a_switch_writes_the_route_alone_and_the_rules_read_little(both: SandboxEnvironment, tmp_path: Path) -> None:
    with recorder(both.cluster.variables) as (server, asked), by_way_of(both, tmp_path / "kubeconfig", server=server):
        both.activate("green")
    assert {request.name for request in asked if request.is_write} == {"myapp-blue-green"}
    ours = [request for request in asked if request.is_ours]
    assert 0 < len(ours) <= MOST_READS_OF_THE_RULES, "\n".join(map(str, ours))


def test_rollback_now_moves_users_before_it_imports_what_is_slow(both: SandboxEnvironment, tmp_path: Path) -> None:
    both.activate("green")
    imports = tmp_path / "imports"
    before: list[set[str]] = []

    def note(request: Request) -> None:
        if request.is_write:
            before.append(set(re.findall(r"^import time:.*\| +(\S+)$", imports.read_text(), re.MULTILINE)))

    operator = Operator(both)
    with (
        recorder(both.cluster.variables, note) as (server, asked),
        by_way_of(both, tmp_path / "kubeconfig", server=server),
        imports.open("w") as errors,
    ):
        variables = operator.variables | {"KUBECONFIG": str(tmp_path / "kubeconfig"), "PYTHONPROFILEIMPORTTIME": "1"}
        command = operator.command("rollback", "--now")
        ran = subprocess.run(
            command, env=variables, stdout=subprocess.PIPE, stderr=errors, timeout=LONGEST_SECONDS, check=False
        )
    assert ran.returncode == 0, ran.stdout
    first_write = next(number for number, request in enumerate(asked) if request.is_write)
    assert asked[first_write].is_ours
    assert first_write < MOST_REQUESTS_UNTIL_USERS_ARE_BACK, "\n".join(map(str, asked))
    assert "bluegreen.cli" in before[0]
    assert before[0] & SLOW_TO_IMPORT == set()
    both.users.wait_for("blue")
