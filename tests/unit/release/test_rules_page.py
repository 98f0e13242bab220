"""docs/reference/rules.md says what the program refuses, and names tests that exist."""

import re

import pytest

from bluegreen.release.refusals import EXCEPTIONS, Rule
from tests.unit.program import ROOT

PAGE = (ROOT / "docs" / "reference" / "rules.md").read_text()
TESTS = re.findall(r"`((?:\.\./unit/[\w/]*)?test_\w+\.py)::(test_\w+)`", PAGE)


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_is_on_the_page_in_its_own_words(rule: Rule) -> None:
    assert f"\n| `{rule}`: {rule.sentence} |" in PAGE


def test_every_exception_is_on_the_page_and_no_other() -> None:
    assert set(re.findall(r"\| `([a-z-]+)` \|", PAGE)) == set(EXCEPTIONS)


@pytest.mark.parametrize(("file", "name"), TESTS)
def test_a_test_that_the_page_names_exists(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / "tests" / "engine" / file).read_text()


def test_every_row_of_the_page_names_a_test() -> None:
    rows = [row for row in PAGE.partition("\n## The rules\n")[2].partition("\n## ")[0].splitlines() if row.startswith("| ")][1:]
    assert len(rows) == len(Rule) + 3  # the rules of the config and of a manifest, and a cluster that cannot be read
    assert [row for row in rows if not re.search(r"[`/]test_\w+\.py::test_\w+`", row)] == []
