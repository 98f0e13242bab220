"""What Pulumi itself takes, with nothing to do in a cluster: the floor under every program."""

from dev.bench import cluster
from dev.bench.contestants.pulumi_program import PulumiProgram


class NothingToDo(PulumiProgram):
    """`pulumi up` of bench/nothing. It has no users, so nobody moves."""

    name = "Pulumi with nothing to do"
    slug = "nothing"
    moves = ()
    project = cluster.ROOT / "dev" / "bench" / "nothing"

    def config(self, live: str, images: dict[str, str | None]) -> dict[str, object]:  # noqa: ARG002 - it has none
        return {}
