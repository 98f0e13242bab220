"""Draws a run: successful responses a second by color over time, failures, and the times of its steps.

`draw` writes a PNG; `Timeline` is the same for a terminal, printed by rich.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text

from dev.traffic.answers import Answers
from dev.traffic.report import NS_PER_MS, Histogram, Totals, histogram, totals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NS_PER_SECOND = 1_000_000_000
BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII_BLOCKS = " .:-=+*#@"

# Blue and green differ in lightness as well as in hue, so that color-blind readers and gray prints can distinguish them.
PAINT = {"blue": "#1f5fbf", "green": "#6fcf97"}
LABEL_PAINT = {"blue": "#ffffff", "green": "#0b3d20"}
OTHER_PAINT, FAILED_PAINT = "#afb8c1", "#cf222e"
INK, FAINT_INK, GRID = "#1f2328", "#59636e", "#d8dee4"

FIGURE_INCHES, DOTS_PER_INCH = (8.0, 3.0), 200
FONT_POINTS = 8.0
LABEL_ROWS, LABEL_ROW_POINTS = 3, 12.0


@dataclass(frozen=True)
class Mark:
    """A named time in the picture, such as the start of a step. `at_ns` is on the clock of `time.time_ns()`."""

    name: str
    at_ns: int


def sparkline(values: Sequence[float], highest: float, blocks: str = BLOCKS) -> str:
    """One character per value, from a blank for 0 to the last block for `highest`. Only 0 is blank."""
    steps = len(blocks) - 1
    return "".join(blocks[min(steps, max(1, round(value / highest * steps)))] if value else blocks[0] for value in values)


@dataclass(frozen=True)
class Timeline:
    """The run as text: a row of blocks per color and one for failures, with numbered marks below.

    It fills the available width. The console decides about colors: there are none with NO_COLOR or on a dumb terminal.
    """

    answers: Answers
    marks: Sequence[Mark] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.answers:
            yield Text("no responses")
            return
        counted = totals(self.answers)
        names = {color: color or "no color" for color in counted.succeeded}
        label_width = max(map(len, [*names.values(), "failed"])) + 2
        columns = max(10, options.max_width - label_width - len(f"  {counted.requests:,}"))
        bins = _in_columns(self.answers, columns)
        blocks = ASCII_BLOCKS if options.ascii_only else BLOCKS
        highest = max((max(counts) for counts in bins.succeeded.values()), default=1)
        for color, counts in bins.succeeded.items():
            line = sparkline(counts, highest, blocks)
            style = color if color in PAINT else ""
            yield _row(names[color].ljust(label_width), line.ljust(columns), style, counted.succeeded[color])
        # A full block even for a single failure, so that it cannot be overlooked.
        line = sparkline([min(count, 1) for count in bins.failed], 1, blocks)
        yield _row("failed".ljust(label_width), line.ljust(columns), "red", counted.failed)
        yield from _ruler(bins, self.marks, label_width)


def _in_columns(answers: Answers, columns: int) -> Histogram:
    span_ns = max(answers.ended) - min(answers.ended)
    return histogram(answers, bin_ms=(span_ns // columns + 1) / NS_PER_MS)


def _row(label: str, line: str, style: str, total: int) -> Text:
    return Text.assemble((label, "bold"), (line, style), f"  {total:,}", no_wrap=True, overflow="crop", end="\n")


def _ruler(bins: Histogram, marks: Sequence[Mark], label_width: int) -> Iterator[RenderableType]:
    line = ""
    legend = []
    for number, mark in enumerate(_within(bins, marks), start=1):
        since_start = mark.at_ns - bins.start_ns
        # A mark moves to the right if it would overlap the number before it.
        line = line.ljust(since_start // bins.bin_ns) + str(number)
        legend.append(Text.assemble((f"{number}", "bold"), f" {mark.name}, {since_start / NS_PER_SECOND:.1f} s"))
    if legend:
        yield Text(" " * label_width + line, "bold", no_wrap=True, overflow="crop")
        yield Padding(Columns(legend, padding=(0, 2)), (0, 0, 0, label_width))


def _within(bins: Histogram, marks: Sequence[Mark]) -> list[Mark]:
    end_ns = bins.start_ns + len(bins.failed) * bins.bin_ns
    return sorted((mark for mark in marks if bins.start_ns <= mark.at_ns < end_ns), key=lambda mark: mark.at_ns)


def draw(answers: Answers, path: Path, *, title: str, marks: Sequence[Mark] = (), bin_ms: float = 100) -> None:
    """Writes a PNG of 1600 x 600 pixels to path.

    Args:
        answers: The responses of the run, at least one.
        title: Shown at the top left; the numbers of requests and failures are at the top right.
        marks: Vertical lines with their names; marks outside the run are left out.
        bin_ms: The length of a bin in milliseconds.

    Raises:
        ValueError: There are no responses.
        OSError: path cannot be written.
    """
    # Imported here because it takes longer than all other imports of a demo. Unlike pyplot, Figure needs no display and no
    # global state.
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    if not answers:
        raise ValueError(f"there are no responses to draw in {path}; did the load start?")
    bins = histogram(answers, bin_ms)
    with rc_context({"font.size": FONT_POINTS, "font.family": "sans-serif", "text.color": INK}):
        figure = Figure(figsize=FIGURE_INCHES, dpi=DOTS_PER_INCH, facecolor="white")
        shown = _within(bins, marks)
        axes = figure.add_axes((0.07, 0.14, _axes_width(bins, shown), 0.60))
        _draw_areas(axes, bins)
        _draw_failures(axes, bins)
        _draw_marks(axes, bins, shown)
        _draw_frame(axes, title, totals(answers))
        figure.savefig(path)


def _draw_areas(axes: Axes, bins: Histogram) -> None:
    from matplotlib.patheffects import withStroke

    # The last bin is incomplete; drawn as a rate it would look like a drop in traffic.
    whole = max(1, len(bins.failed) - 1)
    seconds = bins.bin_ns / NS_PER_SECOND
    rates = [[count / seconds for count in counts[:whole]] for counts in [*bins.succeeded.values(), bins.failed]]
    paint = [*(PAINT.get(color, OTHER_PAINT) for color in bins.succeeded), FAILED_PAINT]
    edges = [edge * seconds for edge in range(whole + 1)]
    axes.stackplot(edges, [[*rate, rate[-1]] for rate in rates], colors=paint, step="post", linewidth=0)
    sums = [sum(rate) for rate in zip(*rates, strict=True)]
    usual = median(sums) or max(sums) or 1
    # Bursts after a pause of a busy machine are cut off at the top; otherwise they would flatten the rest.
    axes.set(xlim=(0, edges[-1]), ylim=(0, min(max(sums) or 1, 1.5 * usual) * 1.08))
    for color, first, length in _reigns(bins):
        if length * 12 > len(bins.failed):  # room for the color's name
            ink, ground = LABEL_PAINT.get(color, INK), PAINT.get(color, OTHER_PAINT)
            name = axes.text((first + length / 2) * seconds, usual / 2, color, color=ink, weight="bold", size=10)
            name.set(ha="center", va="center", zorder=3)
            name.set_path_effects([withStroke(linewidth=5, foreground=ground)])  # hides a mark's line behind the name


def _reigns(bins: Histogram) -> Iterator[tuple[str, int, int]]:
    """Yields the stretches of bins in which one color has most responses: color, first bin, number of bins."""
    leaders = [max(zip(counts, bins.succeeded, strict=True)) for counts in zip(*bins.succeeded.values(), strict=True)]
    first = 0
    for color, stretch in groupby(color if count else "" for count, color in leaders):
        length = len(list(stretch))
        yield color, first, length
        first += length


def _draw_failures(axes: Axes, bins: Histogram) -> None:
    """Marks every bin with a failure, because one failure among a thousand responses is too thin to see in the area."""
    at = [(index + 0.5) * bins.bin_ns / NS_PER_SECOND for index, count in enumerate(bins.failed) if count]
    axes.plot(at, [axes.get_ylim()[1]] * len(at), "v", color=FAILED_PAINT, markersize=4, clip_on=False)


def _axes_width(bins: Histogram, marks: Sequence[Mark]) -> float:
    """The width of the axes as a share of the figure's, with room for the names of late marks at the right edge."""
    span_ns = len(bins.failed) * bins.bin_ns
    widths = [
        (0.92 - _length_points(mark) / (72 * FIGURE_INCHES[0])) / max(0.1, (mark.at_ns - bins.start_ns) / span_ns)
        for mark in marks
    ]
    return min([0.91, *widths])


def _length_points(mark: Mark) -> float:
    return (len(mark.name) + 1) * 0.58 * FONT_POINTS  # 0.58: the average character of the font


def _draw_marks(axes: Axes, bins: Histogram, marks: Sequence[Mark]) -> None:
    """Writes the name of every mark to the right of its line, in the lowest free row.

    From right to left, so that of two overlapping names the earlier one is above the later, and no line crosses a name.
    """
    box = axes.get_position()
    seconds_a_point = axes.get_xlim()[1] / (FIGURE_INCHES[0] * 72 * box.width)
    height_points = FIGURE_INCHES[1] * 72 * box.height
    ends = [inf] * LABEL_ROWS  # where the next name in each row must end
    for mark in reversed(marks):
        at = (mark.at_ns - bins.start_ns) / NS_PER_SECOND
        end = at + _length_points(mark) * seconds_a_point
        row = next((row for row, limit in enumerate(ends) if end <= limit), LABEL_ROWS - 1)
        ends[: row + 1] = [at] * (row + 1)
        rise = 3 + row * LABEL_ROW_POINTS
        axes.axvline(at, ymax=1 + (rise + FONT_POINTS) / height_points, color=INK, linewidth=0.8, clip_on=False)
        place = axes.get_xaxis_transform()
        axes.annotate(mark.name, (at, 1), (3, rise), place, textcoords="offset points", annotation_clip=False)


def _draw_frame(axes: Axes, title: str, counted: Totals) -> None:
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT_INK)
    axes.tick_params(colors=FAINT_INK, length=0)
    axes.locator_params(axis="y", nbins=4)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("seconds", color=FAINT_INK)
    axes.set_ylabel("responses a second", color=FAINT_INK)
    figure = axes.get_figure()
    assert figure is not None
    figure.text(0.012, 0.93, title, weight="bold", size=10)
    verdict = f"{counted.requests:,} requests, {counted.failed:,} failed"
    figure.text(0.98, 0.93, verdict, ha="right", size=9, color=FAILED_PAINT if counted.failed else FAINT_INK)
