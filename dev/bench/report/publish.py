"""Puts the latest results where people look: README, docs/performance.md and the pictures beside it."""

from collections.abc import Sequence
from pathlib import Path

from dev.bench.cluster import ROOT, BenchError
from dev.bench.report import pictures, table
from dev.bench.samples import Results, runs_before

BEGIN, END = "<!-- bench: made by `make bench`, do not edit -->", "<!-- bench: end -->"
TIMELINE, DURATIONS = "bench-timeline.png", "bench-durations.png"

NOTES = """\
Less is better in every row. *ahead* names the lowest median, and how many times as much the best of the other side has
(ours, or what one would take instead); medians within 5 % are even. Ours are the first two columns. What does not apply is
a dash:
- **`kubectl apply`**: nothing is checked, and no record is kept. Plan is `kubectl diff`.
- **`bluegreen`** ends when 20 requests in a row came from the new color. Rollbacks are `rollback --now`; the row of its own
  is the plain one.
- **Argo Rollouts**: a switch is `promote` of a version that stands ready. Thirty seconds later, its default, the old pods
  are gone, so a rollback after a minute is one more release: `undo`, wait, `promote`. Plan is `kubectl diff`.
- **Flagger** has neither a switch nor a rollback of its own: it moves users when its analysis has passed (here two
  iterations of 5 s, and no metrics, since there is no Prometheus), and going back is the old image and one more analysis.
  Five copies are released at once, each at a fifth of the probe. Its pods go without the native sleep before they stop, which
  this version cannot copy; the application drains by itself. Its size is without the Prometheus that its guide installs."""

LATE = "*Late*: sent after somebody had an answer of the new version, and answered by the old one all the same."


def publish(file: Path, into: Path | None) -> str:
    """Makes the pages from the results in `file`; returns what to look at.

    With `into` everything is written there, as `table.md` and two pictures, and README and docs stay as they are.
    """
    results = Results.read(file)
    earlier = runs_before(results, file)
    pages = into or ROOT / "docs"
    pages.mkdir(parents=True, exist_ok=True)
    pictures.draw_timelines(results, pages / TIMELINE)
    pictures.draw_durations(results, earlier, pages / DURATIONS)
    if into:
        (into / "table.md").write_text(_page(results, earlier, file) + "\n")
        return f"Results: {file}; table and pictures: {into}"
    replace_block(ROOT / "README.md", _short(results, earlier))
    replace_block(ROOT / "docs" / "performance.md", _page(results, earlier, file))
    return f"Results: {file}; README.md and docs/performance.md show them"


def replace_block(file: Path, content: str) -> None:
    """Replaces what stands between the two marks in `file`. Raises BenchError when they are not there."""
    before, begin, rest = file.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"{file} has no place for the results: put the lines\n{BEGIN}\n{END}\nwhere they belong")
    file.write_text(f"{before}{BEGIN}\n\n{content}\n\n{END}{after}")


def _short(results: Results, earlier: Sequence[Results]) -> str:
    parts = [
        f"![What users saw of a switch](docs/{TIMELINE})",
        table.table(results, earlier, is_short=True),
        table.provenance(results, earlier),
    ]
    return "\n\n".join(parts)


def _page(results: Results, earlier: Sequence[Results], file: Path) -> str:
    parts = [
        table.provenance(results, earlier),
        f"Every sample: `bench/results/{file.name}`.",
        f"![What users saw of a switch]({TIMELINE})",
        table.table(results, earlier),
        table.repeated(results, earlier),
        NOTES,
        f"![How long everything takes]({DURATIONS})",
        "### Goals",
        table.goal_table(results),
        "### Requests",
        table.traffic(results),
        LATE,
        table.failures(results),
    ]
    return "\n\n".join(part for part in parts if part)
