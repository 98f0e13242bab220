"""The quick comparison: a switch costs little more than with a bare program, and no request fails."""

import statistics
from collections.abc import Sequence

from dev.bench import cluster, measure
from dev.bench.contestants.base import SWITCH
from dev.bench.contestants.programs import BarePulumi, PulumiUp
from dev.bench.results import PROBED, Sample

PAIRS = 7
RATE = 200
HIGHEST_RATIO = 1.25
# Those that every cluster for tests has, so this runs on one of yours as well.
TAGS = {"blue": ("1.0",), "green": ("2.0",)}


def compare(pairs: int = PAIRS) -> list[tuple[Sample, Sample]]:
    """Switches this program and the bare one in turn, `pairs` times after one that fills the caches, under a light load.

    Raises BenchError if an environment cannot be made or moved. The environments are gone afterwards.
    """
    cluster.clean()
    cluster.clean_directory()
    try:
        ours, bare = PulumiUp(TAGS), BarePulumi(TAGS)
        ours.reset()
        bare.reset()
        turns = [tuple(measure.observe(one, SWITCH, PROBED, RATE) for one in (ours, bare)) for _ in range(pairs + 1)]
    finally:
        cluster.clean()
    return [(first, second) for first, second in turns[1:]]


def verdict(turns: Sequence[tuple[Sample, Sample]]) -> tuple[str, bool]:
    """The result in one sentence, and whether the change may pass."""
    ours, bare = (statistics.median(turn[place].end for turn in turns) for place in (0, 1))
    failed = sum(sample.failed for turn in turns for sample in turn)
    said = f"A switch takes {ours:.2f} s, with the bare program {bare:.2f} s: {ours / bare:.2f} times as long (at most "
    return f"{said}{HIGHEST_RATIO}); {failed} requests failed (none may).", ours <= HIGHEST_RATIO * bare and not failed
