"""Commands of one host that change the same config file take turns; the lock file is this user's alone, and does not stay."""

import os
import stat
from pathlib import Path

import pytest

from bluegreen.cli import lock
from bluegreen.cli.outcomes import Exit, ReleaseError


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the lock files."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path / "run" / "bluegreen"


def test_a_second_command_waits_and_says_for_whom(tmp_path: Path) -> None:
    shown: list[str] = []
    with lock.turn(tmp_path / "Pulumi.prod.yaml", 5, shown.append):
        with (
            pytest.raises(ReleaseError, match=f"process {os.getpid()}") as error,
            lock.turn(tmp_path / "Pulumi.prod.yaml", 0, shown.append),
        ):
            pass
        with lock.turn(tmp_path / "Pulumi.other.yaml", 0, shown.append):
            pass
    assert error.value.status is Exit.LOCKED


def test_the_lock_file_is_for_this_user_alone_and_is_removed_afterwards(runtime: Path, tmp_path: Path) -> None:
    with lock.turn(tmp_path / "Pulumi.prod.yaml", 0, lambda _: None):
        (file,) = runtime.iterdir()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
    assert [*runtime.iterdir()] == []


def test_a_symlink_in_the_place_of_the_lock_file_is_not_followed(runtime: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    with lock.turn(tmp_path / "Pulumi.prod.yaml", 0, lambda _: None):
        (file,) = runtime.iterdir()
    file.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"), lock.turn(tmp_path / "Pulumi.prod.yaml", 0, lambda _: None):
        pass
    assert victim.read_text() == "precious"


def test_a_lock_file_that_its_owner_removes_meanwhile_is_not_the_lock(runtime: Path) -> None:
    runtime.mkdir(parents=True)
    path = runtime / "any.lock"
    first = lock._locked(path)
    path.unlink()
    second = lock._locked(path)
    assert first
    assert second
    assert lock._locked(path) == 0
    os.close(first)
    os.close(second)


def test_without_a_runtime_folder_the_cache_of_the_user_has_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert lock._folder() == tmp_path / "cache" / "bluegreen"
