"""What a switch and `rollback --now` cost, in requests, written objects and imported modules: the same number on every host."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster
from tests.engine.onlookers import by_way_of
from tests.engine.recorder import recorder
from tests.stack import BOTH_COLORS, Environment, environment_of_its_own

# What the rules read: six lists of objects, once to check and once more before the route is written.
MOST_READS_OF_THE_RULES = 12


@pytest.fixture(scope="module")
def both(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment with both colors, blue live."""
    config = BOTH_COLORS | {"bluegreen:replicas": 1}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("both"), config) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


def test_a_switch_writes_one_object_and_the_rules_read_little(both: Environment, tmp_path: Path) -> None:
    with (
        recorder(both.cluster.variables) as (server, asked),
        by_way_of(both, tmp_path / "kubeconfig", server=server),
    ):
        both.activate("green")
    ours = Counter(request.agent.startswith("bluegreen") for request in asked)
    writes = [request.path.partition("?")[0] for request in asked if request.is_write]
    print("\n".join(map(str, asked)))
    assert [path.rpartition("/")[2] for path in writes] == ["myapp-blue-green"]
    assert 0 < ours[True] <= MOST_READS_OF_THE_RULES
