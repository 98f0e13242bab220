"""Every figure that a page shows is that of a sample in the newest results."""

from pathlib import Path

import pytest

from dev.bench import quick, table
from dev.bench.__main__ import RESULTS
from dev.bench.cluster import BenchError
from dev.bench.results import Results
from tests.unit.dev.bench.made_up import results, sample

UP, ARGO = "`pulumi up`", "Argo Rollouts"


def test_a_cell_holds_the_median_of_its_kind_and_load_between_the_lowest_and_the_highest() -> None:
    switches = [sample(UP, seconds) for seconds in (1.0, 3.0, 1.5)]
    found = table.table(results(*switches, sample(UP, 9, load="loaded"), sample(ARGO, 0.2, failed=2), sample(ARGO, 0.2)))
    lines = found.splitlines()
    assert lines[0] == "|  | `pulumi up` | Argo Rollouts |"
    assert lines[2] == "| Switch, s | 1.50 (1.00–3.00) | 0.20 |"
    assert lines[3] == "| Whole release, s | – | – |"
    assert lines[-1] == "| Failed requests | 0 | 2 |"


def test_the_caption_names_date_setting_counts_and_failures() -> None:
    found = table.caption(results(sample(UP), sample(UP), sample(ARGO), failures=["one, switch: no pods"]))
    assert "Measured 2026-01-02 03:04 UTC (a machine)" in found
    assert "1–2 samples, with 300 requests" in found
    assert found.endswith("Failed attempt: one, switch: no pods.")


@pytest.mark.parametrize("page", table.PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_newest_results_and_there_are_no_others(page: Path) -> None:
    [newest] = RESULTS.iterdir()
    found = Results.read(newest)
    block = f"{table.BEGIN}\n\n{table.table(found)}\n\n{table.caption(found)}\n\n{table.END}"
    assert block in page.read_text(), "run `python -m dev.bench report`"


def test_only_the_lines_between_the_marks_are_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.replace_block(page, "new")
    table.replace_block(page, "newer")
    assert page.read_text() == f"before\n{table.BEGIN}\n\nnewer\n\n{table.END}\nafter\n"


def test_a_page_without_the_marks_is_not_touched(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n")
    with pytest.raises(BenchError, match="no place for the results"):
        table.replace_block(page, "new")
    assert page.read_text() == "before\n"


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    written = results(sample(UP, 1.5, errors=["gone"], failed=1), sample(ARGO), failures=["one, switch: no answer"])
    for taken in (written, results()):
        taken.write(tmp_path / "results.json")
        assert Results.read(tmp_path / "results.json") == taken


@pytest.mark.parametrize(
    ("ours", "failed", "may_pass"),
    [
        pytest.param(1.25, 0, True, id="at the limit"),
        pytest.param(1.26, 0, False, id="too slow"),
        pytest.param(1.0, 1, False, id="a failed request"),
    ],
)
def test_a_change_that_costs_too_much_or_loses_a_request_may_not_pass(ours: float, failed: int, may_pass: bool) -> None:
    turns = [
        (sample(UP, ours), sample("bare", 1.0)),
        (sample(UP, ours), sample("bare", 1.0, failed=failed)),
        (sample(UP, 9), sample("bare", 0.5)),
    ]
    said, passes = quick.verdict(turns)
    assert passes is may_pass
    assert f"{ours:.2f} times as long" in said
    assert f"{failed} requests failed" in said
