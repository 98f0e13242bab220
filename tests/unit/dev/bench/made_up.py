"""Made-up results, for tests that need neither a cluster nor time."""

from dev.bench.samples import Footprint, Results, Sample, Timeline


def sample(contestant: str, end: float, kind: str = "switch", load: str = "probed", **other: object) -> Sample:
    """A sample whose users moved a tenth of a second before the command's end."""
    fields: dict[str, object] = {
        "round": 0,
        "old": "blue",
        "new": "green",
        "first_new": end - 0.1,
        "last_old": end - 0.1,
        "cut_over_ms": 0.0,
        "requests": 1000,
    }
    return Sample(contestant=contestant, kind=kind, load=load, end=end, **(fields | other))  # type: ignore[arg-type]


def results(*samples: Sample, **other: object) -> Results:
    """Results of the contestants that the samples name, in the order of their first ones."""
    fields: dict[str, object] = {
        "began": "2026-01-02 03:04 UTC",
        "settings": {"rate": 2000},
        "machine": {"processor": "one", "cores": 2, "memory_gib": 8.0, "system": "Debian", "kernel": "6"},
        "versions": {"this project": "abc"},
        "contestants": list(dict.fromkeys(each.contestant for each in samples)),
        "finished": "2026-01-02 03:34 UTC",
    }
    return Results(samples=list(samples), **(fields | other))  # type: ignore[arg-type]


LINE = Timeline(first_ms=-500, bin_ms=25, succeeded={"blue": [5, 2, 0], "green": [0, 3, 5]}, failed=[0, 0, 0])
NOTHING_INSTALLED = Footprint(
    installed_objects=0, installed_bytes=0, application_objects=8, application_bytes=6200, kinds={"Service": 1}
)
INSTALLED = Footprint(
    installed_objects=17, installed_bytes=900_000, application_objects=5, application_bytes=3100, kinds={"Rollout": 1}
)
