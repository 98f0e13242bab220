"""No test passes or fails by the clock: it waits for what it wants to see, and counts what it wants to limit."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.chance import chance, seed
from tests.cluster import ROOT

LONGEST_PAUSE_SECONDS = 0.1
FOLDERS = ("tests/engine", "tests/traffic")

# Names of durations, and of the clocks that one reads to measure them.
DURATION = re.compile(r"seconds|milliseconds|elapsed|duration|took|cut_over_ms|monotonic|perf_counter")


def problems(text: str) -> Iterator[str]:
    """The lines of a test that sleep, or that assert how long something took."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "sleep":
            pause = node.args[0] if node.args else None
            value = pause.value if isinstance(pause, ast.Constant) else None
            if not (isinstance(value, float) and value <= LONGEST_PAUSE_SECONDS):
                yield f"line {node.lineno} sleeps: {ast.unparse(node)}"
        if isinstance(node, ast.Assert):
            for compared in (part for part in ast.walk(node.test) if isinstance(part, ast.Compare)):
                is_order = any(isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for operator in compared.ops)
                if is_order and DURATION.search(ast.unparse(compared)):
                    yield f"line {node.lineno} asserts a duration: {ast.unparse(compared)}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_test_on_the_cluster_sleeps_and_hopes_or_asserts_how_long_something_took(folder: str) -> None:
    files = sorted((ROOT / folder).glob("*.py"))
    assert files
    found = {file.name: list(problems(file.read_text())) for file in files}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("line", "is_problem"),
    [
        ("time.sleep(3)", True),
        ("sleep(0.2)", True),
        ("time.sleep(moment)", True),
        ("time.sleep(0.05)", False),
        ("assert ran.seconds < 5", True),
        ("assert time.monotonic() - began < 5", True),
        ("assert move.milliseconds <= 50, 'too long'", True),
        ("assert users.served_by() == 'blue'", False),
        ("assert len(requests) <= 12", False),
        ("assert before_ns < first_new_ns < after_ns", False),
        ("eventually(look, True, seconds=90)", False),
    ],
)
def test_the_check_finds_what_depends_on_seconds(line: str, is_problem: bool) -> None:
    assert bool(list(problems(line))) is is_problem


def test_one_seed_chooses_the_same_for_each_test_again(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = chance("a test").random()
    monkeypatch.setenv("BLUEGREEN_TEST_SEED", str(seed()))
    assert chance("a test").random() == chosen
    assert chance("another test").random() != chosen
    monkeypatch.setenv("BLUEGREEN_TEST_SEED", str(seed() + 1))
    assert chance("a test").random() != chosen
