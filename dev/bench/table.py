"""The results as Markdown, in the README and on the page about performance."""

import statistics
from collections.abc import Sequence
from pathlib import Path

from dev.bench.cluster import ROOT, BenchError
from dev.bench.contestants.base import RELEASE, ROLLBACK, ROLLBACK_LATER, SWITCH
from dev.bench.results import LOADED, PROBED, Results

BEGIN = "<!-- bench: made by `make bench`, do not edit -->"
END = "<!-- bench: end -->"
PAGES = (ROOT / "README.md", ROOT / "docs" / "explanation" / "performance.md")


# Title, kind and load of the samples, and their field.
ROWS = (
    ("Switch, s", SWITCH, PROBED, "last_old"),
    ("Whole release, s", RELEASE, PROBED, "last_old"),
    ("Rollback at once, s", ROLLBACK, PROBED, "last_old"),
    ("Rollback a minute later, s", ROLLBACK_LATER, PROBED, "last_old"),
    ("Switch under load: both versions respond, ms", SWITCH, LOADED, "cut_over_ms"),
)


def table(results: Results) -> str:
    """A line for each row, and one for failed requests; a column for each contestant."""
    names = results.contestants
    lines = [["", *names], ["---"] * (len(names) + 1)]
    lines += [
        [row[0], *(_cell(_values(results, name, *row[1:]), 1 if "ms" in row[3] else 2) for name in names)] for row in ROWS
    ]
    failed = [sum(sample.failed for sample in results.samples if sample.contestant == name) for name in names]
    return "\n".join(f"| {' | '.join(line)} |" for line in [*lines, ["Failed requests", *map(str, failed)]])


def _values(results: Results, name: str, kind: str, load: str, field: str) -> list[float]:
    found = [sample for sample in results.samples if (sample.contestant, sample.kind, sample.load) == (name, kind, load)]
    return [getattr(sample, field) for sample in found]


def _cell(values: Sequence[float], digits: int) -> str:
    """The median, with the lowest and the highest if they differ."""
    if not values:
        return "–"
    low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low}–{high})"


def caption(results: Results) -> str:
    """When, where and with what it was measured, and how often."""
    counts = [len(values) for name in results.contestants for row in ROWS if (values := _values(results, name, *row[1:]))]
    samples = "–".join(map(str, sorted({min(counts, default=0), max(counts, default=0)})))
    requests = sum(sample.requests for sample in results.samples)
    sentences = [
        "Seconds from the start of the first command to the last response of the old version: the median (lowest–highest) of",
        f"{samples} samples, with {requests:,} requests in all. Measured {results.began} ({results.setting}).",
        *(f"Failed attempt: {failure}." for failure in results.failures),
    ]
    return " ".join(sentences)


def replace_block(page: Path, content: str) -> None:
    """Replaces the lines between the two marks in `page`. Raises BenchError if the marks are not there."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"{page} has no place for the results: put the lines\n{BEGIN}\n{END}\nwhere they belong")
    page.write_text(f"{before}{BEGIN}\n\n{content}\n\n{END}{after}")
