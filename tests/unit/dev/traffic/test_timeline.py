"""The pictures are complete at every width, and never hide a failure."""

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from dev.traffic.answers import Answers
from dev.traffic.timeline import Mark, Timeline, draw, sparkline
from tests.unit.dev.traffic.made_up import NS_PER_MS, ROWS, Made, answers

SWITCH = [Made(at, "blue" if at < 1_000 else "green") for at in range(0, 2_000, 5)]


def printed(run: Answers, marks: list[Mark], width: int, encoding: str = "utf-8") -> list[str]:
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=output, width=width, color_system=None).print(Timeline(run, marks))
    output.flush()
    output.seek(0)
    return output.read().splitlines()


@pytest.mark.parametrize(
    ("values", "line"),
    [
        pytest.param([0, 4, 8], " ▄█", id="in proportion"),
        pytest.param([0, 0.001], " ▁", id="a little is not nothing"),
        pytest.param([9], "█", id="above the highest"),
        pytest.param([], "", id="nothing"),
    ],
)
def test_sparkline(values: list[float], line: str) -> None:
    assert sparkline(values, 8) == line


@given(ROWS, st.lists(st.integers(-100, 6_000), max_size=12), st.integers(40, 200))
def test_the_terminal_picture_fits_its_width_and_shows_any_failure(rows: list[Made], marks_ms: list[int], width: int) -> None:
    marks = [Mark(f"step {at}", at * NS_PER_MS) for at in marks_ms]
    lines = printed(answers(rows), marks, width)
    assert max(map(len, lines)) <= width
    failures = [line for line in lines if line.startswith("failed") and "█" in line]
    assert bool(failures) == any(row.error for row in rows)


def test_the_terminal_picture_shows_the_switch_where_it_was() -> None:
    blue, green, failed, ruler, legend = printed(answers(SWITCH), [Mark("activate", 1_000 * NS_PER_MS)], 60)
    assert blue.index("█") < green.index("█")
    assert abs(green.index("█") - ruler.index("1")) <= 1
    assert failed.split() == ["failed", "0"]
    assert legend.strip() == "1 activate, 1.0 s"


def test_the_terminal_picture_is_ascii_on_an_ascii_terminal() -> None:
    assert "\n".join(printed(answers(SWITCH), [], 60, encoding="ascii")).isascii()


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(SWITCH, id="a switch"),
        pytest.param([*SWITCH, Made(1_500, "", "timeout")], id="a failure"),
        pytest.param([Made(1)], id="one answer"),
        pytest.param([Made(1, "", "refused"), Made(500, "", "refused")], id="failures alone"),
        pytest.param([Made(1), Made(5_000)], id="a gap"),
        pytest.param([Made(at, "") for at in range(1_000)], id="no colors"),
    ],
)
def test_the_drawing_has_the_requested_size(rows: list[Made], tmp_path: Path) -> None:
    marks = [Mark("deploy", 0), Mark("activate green", 1_000 * NS_PER_MS), Mark("the end", 1_990 * NS_PER_MS)]
    draw(answers(rows), tmp_path / "run.png", title="A run", marks=marks)
    picture = (tmp_path / "run.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (1600, 600)


def test_nothing_is_drawn_without_responses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no responses to draw"):
        draw(answers([]), tmp_path / "run.png", title="A run")
