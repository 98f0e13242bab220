"""The results as two pictures: what users saw of a switch, and how long everything takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dev.bench.contestants.base import RELEASE, SWITCH
from dev.bench.judgement import OURS, Row, rows
from dev.bench.samples import LOADED, PROBED, Results, Sample
from dev.traffic.timeline import FAILED_PAINT, FAINT_INK, GRID, INK, PAINT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES, DOTS_PER_INCH, FONT_POINTS = 9.0, 160, 8.5
LEFT = 0.135
OURS_PAINT, PEER_PAINT = "#1f5fbf", "#afb8c1"
BARS = (
    "Switch: command to last old answer",
    "Preview or plan",
    "Whole release: first command to last old answer",
    "Whole release: first command to the last one's end",
    "Rollback at once: to last old answer",
    "Rollback a minute later: to last old answer",
)


def shown_switches(results: Results) -> list[Sample]:
    """For each contestant the switch under load whose last old answer is the median one; of Flagger, a release."""
    chosen = []
    for name in results.contestants:
        kinds = ((SWITCH, LOADED), (SWITCH, PROBED), (RELEASE, PROBED))
        taken = next((found for kind, load in kinds if (found := _with_timeline(results.of(name, kind, load)))), [])
        if taken:
            taken.sort(key=lambda each: each.last_old or 0)
            chosen.append(taken[len(taken) // 2])
    return chosen


def _with_timeline(samples: list[Sample]) -> list[Sample]:
    return [each for each in samples if each.timeline]


def draw_timelines(results: Results, path: Path) -> None:
    """Write the timelines of one switch of each contestant, one above the other on one axis of time, as a PNG."""
    from matplotlib.figure import Figure

    samples = shown_switches(results)
    until = max((_duration(each) for each in samples if each.kind == SWITCH), default=4) + 0.4
    height = 0.62 * len(samples) + 1.25
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DOTS_PER_INCH, facecolor="white")
    top, bottom = 1 - 0.72 / height, 0.5 / height
    grid = figure.subplots(len(samples), 1, sharex=True, squeeze=False)
    figure.subplots_adjust(left=LEFT, right=0.985, top=top, bottom=bottom, hspace=0.35)
    for axes, sample in zip(grid[:, 0], samples, strict=True):
        _timeline(axes, sample, until)
    grid[-1, 0].set_xlabel("seconds since the command was entered", color=FAINT_INK, fontsize=FONT_POINTS)
    rate = results.settings["rate"]
    figure.text(
        0.012, 1 - 0.25 / height, f"One switch of each, at {rate:,} requests a second", weight="bold", size=11, color=INK
    )
    _legend(figure, height)
    figure.savefig(path)


def _duration(sample: Sample) -> float:
    return max(sample.end, sample.last_old or 0)


def _timeline(axes: Axes, sample: Sample, until: float) -> None:
    line = sample.timeline
    assert line is not None
    edges = [(line.first_ms + place * line.bin_ms) / 1000 for place in range(len(line.failed) + 1)]
    counts = [line.succeeded.get(color, [0] * len(line.failed)) for color in (sample.old, sample.new)] + [line.failed]
    shares = _shares(counts)
    paint = [PAINT["blue"], PAINT["green"], FAILED_PAINT]
    axes.stackplot(edges, [[*each, each[-1]] for each in shares], colors=paint, step="post", linewidth=0)
    axes.set(xlim=(-0.3, until), ylim=(0, 100), yticks=[])
    axes.axvline(0, color=INK, linewidth=1)
    if sample.end < until:
        axes.plot([sample.end], [0], marker="^", color=INK, markersize=6, clip_on=False, zorder=4)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=FAINT_INK, length=0, labelsize=FONT_POINTS)
    axes.set_ylabel(_plain(sample.contestant), rotation=0, ha="right", va="center", color=INK, fontsize=FONT_POINTS + 0.5)
    note = f"{sample.failed} of {sample.requests:,} failed"
    if sample.kind == RELEASE:
        note = f"a release: users move after {sample.first_new:.0f} s, and it ends after {sample.end:.0f} s; {note}"
    axes.set_title(note, loc="right", fontsize=FONT_POINTS - 1, color=FAINT_INK, pad=2)


def _shares(counts: list[list[int]]) -> list[list[float]]:
    """In per cent of each bin. A bin without an answer, as there are many at a low rate, is like the one before."""
    columns: list[list[float]] = [[0.0] * len(counts)]
    for column in zip(*counts, strict=True):
        total = sum(column)
        columns.append([100 * count / total for count in column] if total else columns[-1])
    return [list(row) for row in zip(*columns[1:], strict=True)]


def _legend(figure: Figure, height: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(color=PAINT["blue"], label="answered by the old version"),
        Patch(color=PAINT["green"], label="by the new version"),
        Patch(color=FAILED_PAINT, label="failed"),
        Line2D([], [], color=INK, marker="^", linestyle="", label="the command has ended"),
    ]
    place = (0.012 - 0.004, 1 - 0.56 / height)
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=place, ncols=4, frameon=False, fontsize=FONT_POINTS)


def draw_durations(results: Results, earlier: Sequence[Results], path: Path) -> None:
    """Write the medians as bars, with the lowest and the highest as a line, as a PNG; every panel has an axis of its own."""
    from matplotlib.figure import Figure

    by_title = {row.title: row for row in rows(results, earlier)}
    shown = [by_title[title] for title in BARS if title in by_title]
    lines = -(-len(shown) // 2)
    height = lines * (0.21 * len(results.contestants) + 0.62) + 0.45
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DOTS_PER_INCH, facecolor="white")
    grid = figure.subplots(lines, 2, squeeze=False)
    figure.subplots_adjust(left=LEFT, right=0.975, top=1 - 0.72 / height, bottom=0.3 / height, hspace=0.55, wspace=0.42)
    for place, axes in enumerate(grid.flat):
        if place < len(shown):
            _bars(axes, shown[place], [name for name in results.contestants if name in shown[place].values])
        else:
            axes.set_visible(False)
    title = "Seconds under a light load: median, lowest and highest"
    figure.text(0.012, 1 - 0.25 / height, title, weight="bold", size=11, color=INK)
    figure.savefig(path)


def _bars(axes: Axes, row: Row, names: list[str]) -> None:
    values = [row.values[name] for name in names]
    widths = [value.median for value in values]
    paint = [OURS_PAINT if name in OURS else PEER_PAINT for name in names]
    errors = [[value.median - value.low for value in values], [value.high - value.median for value in values]]
    axes.barh(range(len(names)), widths, color=paint, height=0.66)
    axes.errorbar(widths, range(len(names)), xerr=errors, fmt="none", ecolor=INK, elinewidth=1, capsize=2.5)
    longest = max(value.high for value in values)
    for place, value in enumerate(values):
        axes.text(value.high + longest * 0.02, place, f"{value.median:.2f}", va="center", fontsize=FONT_POINTS - 0.5, color=INK)
    axes.set_yticks(range(len(names)), [_plain(name) for name in names], fontsize=FONT_POINTS - 0.5)
    axes.set(xlim=(0, longest * 1.16), ylim=(len(names) - 0.5, -0.5))
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(colors=FAINT_INK, length=0, labelsize=FONT_POINTS - 0.5)
    axes.set_axisbelow(True)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_title(row.title, loc="left", fontsize=FONT_POINTS, color=INK, pad=4)


def _plain(name: str) -> str:
    return name.replace("`", "")
