"""The results as Markdown."""

from collections import Counter
from collections.abc import Sequence

from dev.bench.judgement import Goal, Lead, Row, Spread, goals, lead, repetition, requests_of, rows, widening
from dev.bench.samples import FULL, STEADY, Results, Sample

NOT_APPLICABLE = "–"


# What one looks for first.
HEADLINES = (
    "Switch: command to last old answer",
    "Cut-over: both versions answer, at the fixed rate",
    "Whole release: first command to last old answer",
    "Rollback at once: to last old answer",
    "Rollback a minute later: to last old answer",
    "Preview or plan",
    "Failed requests, under the same loads",
    "Memory of what must keep running",
    "Installed into the cluster: objects",
)


def table(results: Results, earlier: Sequence[Results] = (), *, is_short: bool = False) -> str:
    """One line a row, one column a contestant, and who is ahead. A short one has the headlines alone."""
    header = ["", *results.contestants, "ahead"]
    lines = [_line(row, results.contestants) for row in rows(results, earlier) if row.title in HEADLINES or not is_short]
    return "\n".join([_cells(header), _cells(["---"] * len(header)), *map(_cells, lines)])


def _line(row: Row, contestants: Sequence[str]) -> list[str]:
    title = f"{row.title}, {row.unit}" if row.unit else row.title
    values = [cell(row.values[name], row.digits) if name in row.values else NOT_APPLICABLE for name in contestants]
    return [title, *values, ahead(row, lead(row))]


def cell(value: Spread, digits: int) -> str:
    """The median, with the lowest and the highest where there is more than one value."""
    middle = f"{value.median:,.{digits}f}"
    if value.count == 1 or value.low == value.high:
        return middle
    return f"{middle} ({value.low:,.{digits}f}–{value.high:,.{digits}f})"


def ahead(row: Row, found: Lead | None) -> str:
    """Who is ahead and by what factor, in words."""
    if found is None:
        return NOT_APPLICABLE
    others = [name for name in row.values if name not in found.leaders]
    names = f"all but {' and '.join(others)}" if 1 <= len(others) <= 2 < len(found.leaders) else ", ".join(found.leaders)
    if found.behind is None:
        return "all even" if len(found.leaders) > 1 else names
    if found.factor is None:
        leading = max(row.values[name].median for name in found.leaders)
        most = f"≤ {leading:,.{row.digits}f}" if leading else "0"
        return f"{names}: {most}; {found.behind}: {row.values[found.behind].median:,.{row.digits}f}"
    return f"{names}; {found.behind}: {found.factor:,.{1 if found.factor < 100 else 0}f} ×"


def goal_table(results: Results) -> str:
    """The promises, and whether this run has kept them."""
    lines = [["goal", "wanted", "measured", "met"], ["---"] * 4]
    lines += [[goal.title, goal.wanted, goal.measured, _met(goal)] for goal in goals(results)]
    return "\n".join(map(_cells, lines))


def _met(goal: Goal) -> str:
    return "yes" if goal.is_met else "**no**"


def provenance(results: Results, earlier: Sequence[Results] = ()) -> str:
    """Where and when, with what, and how often: one paragraph."""
    machine, versions = results.machine, results.versions
    place = f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}"
    with_what = ", ".join(f"{name} {version}" for name, version in versions.items())
    if stolen := machine.get("stolen_percent"):
        place += f" (of whose time the host gave {stolen:g} % to others)"
    state = "" if results.finished else " The run was not finished."
    return (
        f"Measured {results.began} on {place}, kernel {machine['kernel']}, with {with_what}.{state} {_counts(results, earlier)}"
    )


def _counts(results: Results, earlier: Sequence[Results]) -> str:
    """How many samples a cell has, with the exceptions."""
    spreads = {
        (row.title.split(":")[0], name): each.count
        for row in rows(results)
        if row.unit in ("s", "ms")
        for name, each in row.values.items()
    }
    if not spreads:
        return ""
    [(usual, _)] = Counter(spreads.values()).most_common(1)
    others = sorted({f"{name}, {title.lower()}: {count}" for (title, name), count in spreads.items() if count != usual})
    exceptions = f" ({'; '.join(others)})" if others else ""
    runs = [each.began for each in widening(earlier)]
    spread = f"; the lowest and the highest are of the runs begun {' and '.join(runs)} as well" if runs else ""
    return f"Each cell: the median (lowest–highest) of {usual} samples{exceptions}{spread}."


def repeated(results: Results, earlier: Sequence[Results]) -> str:
    """How far the figures of this run are what the run before it had stated; nothing when there is none."""
    found = repetition(results, earlier)
    if found is None:
        return ""
    within = f"{found.figures - len(found.outside)} of {found.figures}"
    said = f"Of the medians of this run, {within} lie within the spread that was stated after the run before it."
    return f"{said} Outside: {'; '.join(found.outside)}." if found.outside else said


def traffic(results: Results) -> str:
    """How many requests were sent to each, how many of them failed, and how many were answered by the wrong version."""
    header = ["", "requests", "failed", "late", "at the fixed rate, switch after switch", "the same under full load"]
    lines = [header, ["---", "---:", "---:", "---:", "---", "---"]]
    for name in results.contestants:
        mine = [each for each in results.samples if each.contestant == name]
        failed = f"{sum(each.failed for each in mine):,}"
        many = [_many([each for each in mine if each.load == load]) for load in (STEADY, FULL)]
        lines.append([name, f"{requests_of(results, name):,}", failed, _late(mine), *many])
    return "\n".join(map(_cells, lines))


def _many(switches: Sequence[Sample]) -> str:
    if not switches:
        return NOT_APPLICABLE
    requests, failed = sum(each.requests for each in switches), sum(each.failed for each in switches)
    longest = max(each.cut_over_ms or 0 for each in switches)
    return f"{len(switches)} switches, {requests:,} requests, {failed:,} failed, cut-over up to {longest:.1f} ms"


def _late(samples: Sequence[Sample]) -> str:
    counts = [each.late for each in samples if each.late is not None]
    return f"{sum(counts):,}" if counts else NOT_APPLICABLE


def failures(results: Results) -> str:
    """What could not be measured, one line each; nothing when all went well."""
    said = [
        f"- {each.contestant}, {each.kind}, round {each.round + 1}: {_first_line(each.reason)}" for each in results.failures
    ]
    return "\n".join(["Attempts that failed and are not among the samples:", "", *said]) if said else ""


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
