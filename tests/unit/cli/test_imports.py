"""What must answer at once imports little: Pulumi alone takes longer to import than `status` may take."""

import subprocess
import sys

import pytest

from tests.cluster import ROOT


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("bluegreen.cli.main, bluegreen.cli.status", ["pulumi", "pulumi_kubernetes", "rich"]),
        ("bluegreen.cli.emergency", ["pulumi", "click", "rich"]),
        ("bluegreen.release.live", ["http.client", "ssl", "yaml"]),
    ],
    ids=["status and --help", "the first half of rollback --now", "the program, before it has asked for the provider"],
)
def test_what_answers_at_once_imports_little(modules: str, absent: list[str]) -> None:
    script = f"import sys, {modules}; print([name for name in {absent} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
