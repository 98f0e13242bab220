"""What the samples come to: spreads, who is ahead, goals. Pure functions: every claim can be tested with made-up samples."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dev.bench.contestants.base import PLAIN_ROLLBACK, PLAN, RELEASE, ROLLBACK, ROLLBACK_LATER, SWITCH
from dev.bench.samples import ALONE, FULL, IDLE, LOADED, PROBED, STEADY, Results, Sample

OURS = ("`pulumi up`", "`bluegreen`")
BARE, FLOOR = "bare Pulumi", "Pulumi with nothing to do"
HIGHEST_RATIO = 1.25
# Nearer than this, two medians are the same.
EVEN_FACTOR = 1.05
# A spread is that of so many runs: the speed of a machine changes from hour to hour by more than within a run.
SPREAD_RUNS = 3


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The median of `count` values, and the lowest and the highest of them."""

    median: float
    low: float
    high: float
    count: int


def spread(values: Sequence[float]) -> Spread | None:
    """None when there are no values."""
    if not values:
        return None
    return Spread(median=statistics.median(values), low=min(values), high=max(values), count=len(values))


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table: less is better."""

    title: str
    unit: str
    digits: int
    values: dict[str, Spread]
    """By contestant; one to whom it does not apply is not there."""
    resolution: float = 0
    """Values nearer than this cannot be told apart."""


@dataclass(frozen=True, kw_only=True)
class Lead:
    """Who is ahead in a row.

    `behind` is the next one who is not even with the leaders: of the other side (ours, or what one would take instead), as
    long as the leaders are all of one side. `factor` is by how much, None when it cannot be said because the best has 0, as
    far as can be told.
    """

    leaders: tuple[str, ...]
    behind: str | None
    factor: float | None


def lead(row: Row) -> Lead | None:
    """Compares the medians. None when only one side, ours or the others, has values."""
    medians = {name: each.median for name, each in row.values.items()}
    if len({name in OURS for name in medians}) < 2:
        return None
    best = min(medians.values())
    leaders = tuple(name for name, median in medians.items() if median <= max(best * EVEN_FACTOR, best + row.resolution))
    rest = [name for name in medians if name not in leaders]
    if len({name in OURS for name in leaders}) == 1:
        rest = [name for name in rest if (name in OURS) is not (leaders[0] in OURS)]
    behind = min(rest, key=lambda name: medians[name], default=None)
    factor = medians[behind] / best if behind and best > row.resolution else None
    return Lead(leaders=leaders, behind=behind, factor=factor)


Pick = Callable[[Sample], float | None]


def rows(results: Results, earlier: Sequence[Results] = ()) -> list[Row]:
    """The lines of the table, in its order.

    The medians are those of `results`. The spread of what was sampled more than once is that of the runs before it as well:
    `earlier`, newest first.
    """
    before = [{row.title: row.values for row in _rows(each)} for each in widening(earlier)]
    return [_widened(row, [values[row.title] for values in before if row.title in values]) for row in _rows(results)]


def widening(earlier: Sequence[Results]) -> Sequence[Results]:
    """Those of the earlier runs, newest first, whose spread is stated together with that of the latest."""
    return earlier[: SPREAD_RUNS - 1]


def _widened(row: Row, others: Sequence[Mapping[str, Spread]]) -> Row:
    values = {}
    for name, value in row.values.items():
        known = [value, *(each[name] for each in others if name in each and value.count > 1)]
        values[name] = replace(value, low=min(each.low for each in known), high=max(each.high for each in known))
    return replace(row, values=values)


def _rows(results: Results) -> list[Row]:
    first, last, end = (lambda each: each.first_new), (lambda each: each.last_old), (lambda each: each.end)
    seconds: list[tuple[str, str, str, Pick]] = [
        ("Switch: command to first new answer", SWITCH, PROBED, first),
        ("Switch: command to last old answer", SWITCH, PROBED, last),
        ("Switch: command to its end", SWITCH, PROBED, end),
        (f"The same at {results.settings['rate']:,} requests/s: last old answer", SWITCH, LOADED, last),
        (f"The same at {results.settings['rate']:,} requests/s: end", SWITCH, LOADED, end),
        ("Whole release: first command to last old answer", RELEASE, PROBED, last),
        ("Whole release: first command to the last one's end", RELEASE, PROBED, end),
        ("Rollback at once: to last old answer", ROLLBACK, PROBED, last),
        ("Rollback a minute later: to last old answer", ROLLBACK_LATER, PROBED, last),
        ("Rollback that is no emergency: to last old answer", PLAIN_ROLLBACK, PROBED, last),
        ("Preview or plan", PLAN, "", end),
        ("With the sandbox to itself: a switch", SWITCH, IDLE, end),
        ("With the sandbox to itself: preview or plan", PLAN, IDLE, end),
        ("With the sandbox to itself: a rollback, to last old answer", ROLLBACK, ALONE, last),
        ("With the sandbox to itself: a whole release, to last old answer", RELEASE, ALONE, last),
    ]
    cut_over = _row(
        results, "Cut-over: both versions answer, at the fixed rate", "ms", 1, SWITCH, LOADED, lambda s: s.cut_over_ms
    )
    # The first and the last answer are each known to the time between two requests.
    cut_over = replace(cut_over, resolution=2000 / results.settings["rate"])
    timed = [_row(results, title, "s", 2, kind, load, pick) for title, kind, load, pick in seconds]
    return [row for row in [*timed[:5], cut_over, *timed[5:], *_costs(results)] if row.values]


def _row(results: Results, title: str, unit: str, digits: int, kind: str, load: str, pick: Pick) -> Row:
    values = {}
    for name in results.contestants:
        picked = [value for each in results.of(name, kind, load) if (value := pick(each)) is not None]
        if found := spread(picked):
            values[name] = found
    return Row(title=title, unit=unit, digits=digits, values=values)


def _costs(results: Results) -> Iterable[Row]:
    """What is no duration: failures, memory, objects."""
    measured = [name for name in results.contestants if any(each.contestant == name for each in results.samples)]

    def counted(title: str, unit: str, digits: int, value: Callable[[str], Spread | None]) -> Row:
        found = {name: each for name in measured if (each := value(name))}
        return Row(title=title, unit=unit, digits=digits, values=found)

    def failed(name: str) -> Spread | None:
        # What did not come to all is no row of a comparison.
        same = [each for each in results.samples if each.contestant == name and each.load not in (STEADY, FULL, ALONE)]
        return spread([sum(each.failed for each in same)])

    def memory(name: str) -> Spread | None:
        return spread([each / 1e6 for each in results.memory.get(name, [0])])

    def installed(name: str, kind: str, scale: float = 1) -> Spread | None:
        known = results.footprints.get(name)
        return spread([getattr(known, kind) / scale]) if known else None

    yield counted("Failed requests, under the same loads", "", 0, failed)
    yield counted("Memory of what must keep running", "MB", 0, memory)
    yield counted("Installed into the cluster: objects", "", 0, lambda name: installed(name, "installed_objects"))
    yield counted("Installed into the cluster: size", "kB", 0, lambda name: installed(name, "installed_bytes", 1000))
    yield counted("For each application: objects", "", 0, lambda name: installed(name, "application_objects"))
    yield counted("For each application: size", "kB", 1, lambda name: installed(name, "application_bytes", 1000))


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """How many figures of a run lie within the spread that the run before it had stated, and which do not."""

    figures: int
    outside: tuple[str, ...]


def repetition(results: Results, earlier: Sequence[Results]) -> Repetition | None:
    """None when there is no earlier run."""
    if not earlier:
        return None
    stated = {row.title: row.values for row in rows(earlier[0], earlier[1:])}
    pairs = [
        (f"{row.title} ({name})", row.digits, value.median, stated[row.title][name])
        for row in rows(results)
        for name, value in row.values.items()
        if name in stated.get(row.title, {})
    ]
    outside = [
        what
        for what, digits, median, spread in pairs
        if not round(spread.low, digits) <= round(median, digits) <= round(spread.high, digits)
    ]
    return Repetition(figures=len(pairs), outside=tuple(outside))


def requests_of(results: Results, name: str) -> int:
    """All requests sent while `name` was measured."""
    return sum(each.requests for each in results.samples if each.contestant == name)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A promise, and what became of it in this run."""

    title: str
    wanted: str
    measured: str
    is_met: bool


def goals(results: Results) -> list[Goal]:
    """The promises of the project that this run has samples for."""
    ours = [each for each in results.samples if each.contestant in OURS and each.new]
    found = [
        _above_the_floor(results, "Switch by `pulumi up`, idle sandbox", SWITCH),
        _ratio("Switch by `pulumi up`, beside the bare program", results, SWITCH),
        _above_the_floor(results, "`pulumi preview`, idle sandbox", PLAN),
        _ratio("`pulumi preview`, beside the bare program", results, PLAN),
        _at_most(
            "`bluegreen rollback --now`, to last old answer", _median(results, OURS[1], ROLLBACK, ALONE, "last_old"), 0.3, "s"
        ),
        _at_most(
            "Whole release by `pulumi up`, to last old answer", _median(results, OURS[0], RELEASE, ALONE, "last_old"), 6, "s"
        ),
        *_of_traffic(ours),
    ]
    return [goal for goal in found if goal]


def _of_traffic(ours: list[Sample]) -> list[Goal | None]:
    """What users saw of all our moves; the cut-over where there are enough requests to see it, and a core is left free.

    Under full load an answer waits for a core, and a cut-over is as long as that takes: it is told beside the requests.
    """
    requests, failed = sum(each.requests for each in ours), sum(each.failed for each in ours)
    dense = [each.cut_over_ms for each in ours if each.load in (LOADED, STEADY) and each.cut_over_ms is not None]
    enough = Goal(
        title="Requests over our switches",
        wanted="1,000,000 over 20 at least, 0 failed",
        measured=f"{requests:,} over {len(ours)}, {failed} failed",
        is_met=requests >= 1_000_000 and len(ours) >= 20 and not failed,
    )
    middle = statistics.median(dense) if dense else None
    return [
        enough if ours else None,
        _at_most("Cut-over at the fixed rate, median", middle, 10, "ms"),
        _at_most("Cut-over at the fixed rate, worst", max(dense, default=None), 50, "ms"),
    ]


def _median(results: Results, name: str, kind: str, load: str, field: str) -> float | None:
    values = [getattr(each, field) for each in results.of(name, kind, load)]
    return statistics.median(values) if values else None


def _at_most(title: str, measured: float | None, most: float, unit: str) -> Goal | None:
    if measured is None:
        return None
    digits = 1 if unit == "ms" else 2
    return Goal(title=title, wanted=f"≤ {most:g} {unit}", measured=f"{measured:.{digits}f} {unit}", is_met=measured <= most)


def _above_the_floor(results: Results, title: str, kind: str) -> Goal | None:
    """What depends on the machine more than on the program, beside what Pulumi takes there with nothing to do."""
    found = _at_most(title, _median(results, OURS[0], kind, IDLE, "end"), 1.2, "s")
    floor = _median(results, FLOOR, kind, IDLE, "end")
    return replace(found, measured=f"{found.measured}; {FLOOR}: {floor:.2f} s") if found and floor else found


def _ratio(title: str, results: Results, kind: str) -> Goal | None:
    ours, bare = (_median(results, name, kind, IDLE, "end") for name in (OURS[0], BARE))
    if ours is None or bare is None:
        return None
    return Goal(title=title, wanted="≤ 1.1 ×", measured=f"{ours / bare:.2f} ×", is_met=ours / bare <= 1.1)


@dataclass(frozen=True, kw_only=True)
class QuickVerdict:
    """What the quick benchmark found: seconds of each switch, and the requests meanwhile."""

    ours: tuple[float, ...]
    bare: tuple[float, ...]
    requests: int
    failed: int

    @property
    def ratio(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.bare)

    @property
    def complaints(self) -> list[str]:
        """What is wrong; empty when the change may pass."""
        found = []
        if self.ratio > HIGHEST_RATIO:
            found.append(
                f"a switch takes {self.ratio:.2f} times as long as with the bare program, more than {HIGHEST_RATIO}: "
                "see what the change added to the program's start, its reads or its writes (docs/performance.md)"
            )
        if self.failed:
            found.append(f"{self.failed} of {self.requests:,} requests failed: users must not notice a switch")
        return found

    def __str__(self) -> str:
        said = [f"{name} {_spread(values)}" for name, values in (("this program", self.ours), ("bare Pulumi", self.bare))]
        return f"a switch: {', '.join(said)}, ratio {self.ratio:.2f}; {self.failed} of {self.requests:,} requests failed"


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} s ({min(values):.2f}–{max(values):.2f})"
