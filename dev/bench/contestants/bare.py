"""A bare Pulumi program of the same objects: what one writes who wants two colors and no rules."""

from dev.bench import cluster
from dev.bench.contestants.pulumi_program import PulumiProgram, test_color


class BarePulumi(PulumiProgram):
    """`pulumi up` of bench/bare, with the typed classes of pulumi_kubernetes."""

    name = "bare Pulumi"
    slug = "bare"
    project = cluster.ROOT / "dev" / "bench" / "bare"

    def config(self, live: str, images: dict[str, str | None]) -> dict[str, object]:
        own: dict[str, object] = {
            "activeColor": live,
            "testColor": test_color(live, images),
            "host": self.host,
            "namespace": self.namespace,
        }
        return {f"bare:{key}": value for key, value in own.items()} | {f"bare:{color}": tag for color, tag in images.items()}
