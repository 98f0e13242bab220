"""What the CLI says of a lock, read."""

import os
import socket
import subprocess
import sys

import pytest

from automation.lock import abandoned, holders, who


def said(*locks: tuple[str, int]) -> str:
    lines = [
        f"  file:///s/.pulumi/locks/x.json: created by ada@{host} (pid {pid}) at 2026-11-21T02:30:38Z" for host, pid in locks
    ]
    return "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) ...\n" + "\n".join(lines)


@pytest.fixture
def gone() -> int:
    """The id of a process that was."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_holder_is_named_with_its_host_its_process_and_since_when() -> None:
    assert who(said(("build-7", 123))) == "ada@build-7 (process 123) since 2026-11-21 02:30:38 UTC"


def test_a_backend_that_names_nobody_is_said_to() -> None:
    assert who("[409] Conflict: Another update is currently in progress.").startswith("another update")


def test_a_lock_of_a_killed_process_of_this_host_is_explained(gone: int) -> None:
    reason = abandoned(said((socket.gethostname(), gone)))
    assert "pulumi cancel" in reason
    assert "is gone" in reason


@pytest.mark.parametrize("host", ["another-host", socket.gethostname()], ids=["on another host", "alive here"])
def test_a_lock_whose_holder_may_live_is_waited_for(host: str) -> None:
    assert abandoned(said((host, os.getpid()))) == ""


def test_one_living_holder_among_two_is_waited_for(gone: int) -> None:
    text = said((socket.gethostname(), gone), (socket.gethostname(), os.getpid()))
    assert len(holders(text)) == 2
    assert abandoned(text) == ""
