"""`make test` runs the tests of a module in one process, because they share what takes long to make."""

import re
import subprocess
import sys
from pathlib import Path

from tests.cluster import ROOT

TESTS = """
from pathlib import Path

import pytest

@pytest.fixture(scope="module")
def shared():
    made = Path(__file__).with_suffix(".made")
    made.write_text(made.read_text() + "once more " if made.exists() else "once ")

@pytest.mark.parametrize("number", range(8))
def test_any(shared, number):
    pass
"""


def test_what_the_tests_of_a_module_share_is_made_once(tmp_path: Path) -> None:
    [options] = re.findall(r"^PARALLEL := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name in ("first", "second"):
        (tmp_path / f"test_{name}.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        ".",
        *options.split(),
        "--numprocesses",
        "2",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert [file.read_text() for file in sorted(tmp_path.glob("*.made"))] == ["once ", "once "]
