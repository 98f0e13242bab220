"""The benchmark that every change must pass: a switch costs little more than with a bare program, and no request fails."""

from dev.bench import cluster, measure
from dev.bench.contestants.bare import BarePulumi
from dev.bench.contestants.base import SWITCH
from dev.bench.contestants.ours import PulumiUp
from dev.bench.contestants.pulumi_program import PulumiProgram
from dev.bench.judgement import QuickVerdict
from dev.bench.samples import PROBED, Sample

PAIRS = 7
RATE = 200
# Those that every cluster for tests has, so this runs on one of yours as well.
TAGS = {"blue": ("1.0",), "green": ("2.0",)}


def compare(pairs: int = PAIRS) -> QuickVerdict:
    """Switches both in turn, `pairs` times after one that is for the caches, under a light load.

    Raises BenchError when an environment cannot be made or moved.
    """
    programs = (PulumiUp(tags=TAGS), BarePulumi(tags=TAGS))
    for program in programs:
        program.reset()
    samples: dict[str, list[Sample]] = {program.name: [] for program in programs}
    for turn in range(pairs + 1):
        for program in programs:
            samples[program.name] += [_switch(program, turn)][: bool(turn)]
    ours, bare = ([each.end for each in samples[program.name]] for program in programs)
    failed = sum(each.failed for taken in samples.values() for each in taken)
    requests = sum(each.requests for taken in samples.values() for each in taken)
    return QuickVerdict(ours=tuple(ours), bare=tuple(bare), requests=requests, failed=failed)


def _switch(program: PulumiProgram, turn: int) -> Sample:
    base = Sample(contestant=program.name, kind=SWITCH, load=PROBED, round=turn, end=0)
    sample = measure.observe(base, program.host, program.move(SWITCH), RATE)
    program.live = sample.new
    return sample


def run() -> QuickVerdict:
    """Compares in environments that are gone afterwards."""
    cluster.delete_namespaces()
    cluster.clean_directory()
    try:
        return compare()
    finally:
        cluster.delete_namespaces()
        cluster.clean_directory()
