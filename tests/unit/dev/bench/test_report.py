"""The pages say what the results say, and never less favorable things about a peer."""

from pathlib import Path

import pytest

from dev.bench.cluster import BenchError
from dev.bench.judgement import BARE, OURS
from dev.bench.report import pictures, publish, table
from dev.bench.samples import Failure, Sample
from tests.unit.dev.bench.made_up import INSTALLED, LINE, NOTHING_INSTALLED, results, sample

UP, COMMAND = OURS
ARGO, FLAGGER = "Argo Rollouts", "Flagger"

RUN = results(
    *(sample(UP, end, timeline=LINE) for end in (1.2, 1.1, 1.4)),
    *(sample(UP, end, load="idle", new="", requests=0) for end in (1.1, 1.0, 1.2)),
    *(sample(BARE, end) for end in (1.1, 1.2, 1.3)),
    *(sample(ARGO, end, cut_over_ms=2.0) for end in (0.2, 0.3, 0.2)),
    sample(UP, 5, kind="release"),
    sample(FLAGGER, 68, kind="release", first_new=35.0, last_old=35.0, timeline=LINE),
    memory={ARGO: [92_000_000], FLAGGER: []},
    footprints={UP: NOTHING_INSTALLED, ARGO: INSTALLED},
)

GOLDEN = """\
|  | `pulumi up` | bare Pulumi | Argo Rollouts | Flagger | ahead |
| --- | --- | --- | --- | --- | --- |
| Switch: command to first new answer, s | 1.10 (1.00–1.30) | 1.10 (1.00–1.20) | 0.10 (0.10–0.20) | \
– | Argo Rollouts; `pulumi up`: 11.0 × |
| Switch: command to last old answer, s | 1.10 (1.00–1.30) | 1.10 (1.00–1.20) | 0.10 (0.10–0.20) | \
– | Argo Rollouts; `pulumi up`: 11.0 × |
| Switch: command to its end, s | 1.20 (1.10–1.40) | 1.20 (1.10–1.30) | 0.20 (0.20–0.30) | – | \
Argo Rollouts; `pulumi up`: 6.0 × |
| Whole release: first command to last old answer, s | 4.90 | – | – | 35.00 | `pulumi up`; Flagger: 7.1 × |
| Whole release: first command to the last one's end, s | 5.00 | – | – | 68.00 | `pulumi up`; Flagger: 13.6 × |
| With the sandbox to itself: a switch, s | 1.10 (1.00–1.20) | – | – | – | – |
| Failed requests, under the same loads | 0 | 0 | 0 | 0 | all even |
| Memory of what must keep running, MB | 0 | 0 | 92 | – | `pulumi up`, bare Pulumi: 0; Argo Rollouts: 92 |
| Installed into the cluster: objects | 0 | – | 17 | – | `pulumi up`: 0; Argo Rollouts: 17 |
| Installed into the cluster: size, kB | 0 | – | 900 | – | `pulumi up`: 0; Argo Rollouts: 900 |
| For each application: objects | 8 | – | 5 | – | Argo Rollouts; `pulumi up`: 1.6 × |
| For each application: size, kB | 6.2 | – | 3.1 | – | Argo Rollouts; `pulumi up`: 2.0 × |"""


def test_the_table_names_every_value_and_who_is_ahead() -> None:
    assert table.table(RUN) == GOLDEN


def test_a_lead_that_is_no_factor_is_told_by_its_values() -> None:
    found = results(*(sample(name, 1, load="loaded", cut_over_ms=ms) for name, ms in ((UP, 0.6), (BARE, 0.02), (ARGO, 4.8))))
    assert "| `pulumi up`, bare Pulumi: ≤ 0.6; Argo Rollouts: 4.8 |" in table.table(found)


def test_the_short_table_has_the_same_headlines_alone() -> None:
    short = table.table(RUN, is_short=True).splitlines()
    assert set(short) < set(GOLDEN.splitlines())
    assert [line.split(" |")[0] for line in short[2:]] == [
        "| Switch: command to last old answer, s",
        "| Whole release: first command to last old answer, s",
        "| Failed requests, under the same loads",
        "| Memory of what must keep running, MB",
        "| Installed into the cluster: objects",
    ]


def test_the_goals_say_which_are_not_met() -> None:
    assert "| Switch by `pulumi up`, idle sandbox | ≤ 1.2 s | 1.10 s | yes |" in table.goal_table(RUN)
    assert "0 failed | 4,000 over 4, 0 failed | **no** |" in table.goal_table(RUN)


def test_many_switches_are_told_with_their_failures_and_their_longest_cut_over() -> None:
    def many(load: str) -> list[Sample]:
        return [sample(UP, 1, load=load, failed=1, cut_over_ms=span) for span in (0.5, 61.23)]

    said = table.traffic(results(*many("steady"), sample(UP, 1), *many("full"), sample(ARGO, 1)))
    told = "2 switches, 2,000 requests, 2 failed, cut-over up to 61.2 ms"
    assert f"| {UP} | 5,000 | 4 | – | {told} | {told} |" in said
    assert f"| {ARGO} | 1,000 | 0 | – | – | – |" in said


def test_late_answers_are_summed_where_they_were_counted() -> None:
    said = table.traffic(results(sample(UP, 1, late=2), sample(UP, 1, late=1), sample(ARGO, 1)))
    assert f"| {UP} | 2,000 | 0 | 3 | – | – |" in said
    assert f"| {ARGO} | 1,000 | 0 | – | – | – |" in said


def test_the_provenance_names_the_cells_with_another_number_of_samples() -> None:
    said = table.provenance(RUN)
    assert "of 3 samples" in said
    assert "Flagger, whole release: 1" in said


def test_the_provenance_tells_how_much_of_the_machine_was_missing() -> None:
    quiet = results(sample(UP, 1))
    busy = results(sample(UP, 1), machine={**quiet.machine, "stolen_percent": 12.5})
    assert "(of whose time the host gave 12.5 % to others)" in table.provenance(busy)
    assert "others" not in table.provenance(quiet)


def test_a_page_names_the_runs_whose_spread_it_states() -> None:
    earlier = [results(sample(UP, 1), began=f"2026-01-01 0{hour}:00 UTC") for hour in (3, 2, 1)]
    said = table.provenance(results(sample(UP, 1)), earlier)
    assert "of the runs begun 2026-01-01 03:00 UTC and 2026-01-01 02:00 UTC as well" in said
    assert "runs" not in table.provenance(results(sample(UP, 1)))


def test_a_page_tells_which_figures_the_run_before_had_not_stated() -> None:
    slower = results(*(sample(UP, end) for end in (2.0, 2.1)))
    said = table.repeated(slower, [results(*(sample(UP, end) for end in (1.0, 1.1)))])
    assert "2 of 5 lie within" in said
    assert "Switch: command to its end (`pulumi up`)" in said
    assert table.repeated(slower, []) == ""


def test_a_run_that_was_not_finished_says_so() -> None:
    assert "The run was not finished." in table.provenance(results(sample(UP, 1), finished=""))


def test_failed_attempts_are_shown_with_their_first_line() -> None:
    found = results(sample(UP, 1), failures=[Failure(contestant=ARGO, kind="switch", round=0, reason="no pods\nand more")])
    assert "- Argo Rollouts, switch, round 1: no pods" in table.failures(found)
    assert table.failures(RUN) == ""


def test_the_timeline_of_a_contestant_is_that_of_its_median_switch() -> None:
    taken = [sample(UP, end, load="loaded", timeline=LINE) for end in (3.0, 1.0, 2.0)]
    assert [each.end for each in pictures.shown_switches(results(*taken))] == [2.0]


def test_a_contestant_without_a_switch_is_shown_by_its_release() -> None:
    assert [(each.contestant, each.kind) for each in pictures.shown_switches(RUN)] == [(UP, "switch"), (FLAGGER, "release")]


def test_everything_is_written_into_a_folder_when_one_is_given(tmp_path: Path) -> None:
    RUN.write(tmp_path / "results.json")
    publish.publish(tmp_path / "results.json", tmp_path / "pages")
    assert {each.name for each in (tmp_path / "pages").iterdir()} == {"table.md", publish.TIMELINE, publish.DURATIONS}
    assert GOLDEN in (tmp_path / "pages" / "table.md").read_text()


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{publish.BEGIN}\nold\n{publish.END}\nafter\n")
    publish.replace_block(page, "new")
    publish.replace_block(page, "newer")
    assert page.read_text() == f"before\n{publish.BEGIN}\n\nnewer\n\n{publish.END}\nafter\n"


def test_a_page_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n")
    with pytest.raises(BenchError, match="no place for the results"):
        publish.replace_block(page, "new")
    assert page.read_text() == "before\n"


@pytest.mark.parametrize("file", ["README.md", "docs/performance.md"])
def test_the_pages_of_the_project_have_a_place_for_the_results(file: str) -> None:
    text = (Path(__file__).parents[4] / file).read_text()
    assert text.index(publish.BEGIN) < text.index(publish.END)
