"""Made-up results, for tests that need neither a cluster nor time."""

from typing import Any

from dev.bench.results import Results, Sample


def sample(contestant: str, last_old: float = 1.0, **other: Any) -> Sample:
    """A sample of a switch, as far as a test says nothing else."""
    fields: dict[str, Any] = {"kind": "switch", "load": "probed", "end": last_old, "requests": 100}
    return Sample(contestant=contestant, last_old=last_old, **fields | other)


def results(*samples: Sample, **other: Any) -> Results:
    """Results of the contestants that the samples name, in the order of their first ones."""
    names = list(dict.fromkeys(taken.contestant for taken in samples))
    return Results(began="2026-01-02 03:04 UTC", setting="a machine", contestants=names, samples=list(samples), **other)
