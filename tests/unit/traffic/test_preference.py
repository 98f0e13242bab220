"""The load generator sees an answer when it comes, whatever shares the cores."""

import tempfile
from pathlib import Path

import pytest

from traffic import vegeta

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/autogroup").exists(), reason="this kernel does not divide the processors among sessions"
)


def group_of_an_attack(folder: Path) -> str:
    """What the kernel says of the session of a stand-in for vegeta, once it has its targets."""
    generator = folder / "vegeta"
    generator.write_text("#!/bin/sh\ncat >/dev/null\ncat /proc/self/autogroup\n")
    generator.chmod(0o755)
    with tempfile.TemporaryFile() as complaints:
        attack = vegeta.start_attack(str(generator), [], "http://127.0.0.1/", complaints)
        assert attack.stdout
        with attack.stdout as output:
            said = output.read().decode()
    assert attack.wait() == 0
    return said


def test_the_generator_comes_before_whatever_shares_its_cores(tmp_path: Path) -> None:
    assert f"nice {vegeta.PREFERENCE}" in group_of_an_attack(tmp_path)


def test_the_generator_starts_where_it_may_not_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vegeta, "PREFERENCE", -100)  # the kernel refuses it, as it refuses any to those without the right
    assert "nice 0" in group_of_an_attack(tmp_path)
