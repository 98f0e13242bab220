"""What the CLI says of a lock, read; and a process is called gone only where that is certain."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bluegreen.cli import lock_holder
from bluegreen.cli.lock_holder import abandoned, holders, known, who
from bluegreen.cli.pulumi_sentences import LOCK_MAY_HAVE_VANISHED, LOCK_VANISHED

HERE = socket.gethostname()

INITIAL = "pid:[4026531836]"


def said(*locks: tuple[str, int], url: str = "file:///s/.pulumi/locks/x.json") -> str:
    lines = [f"  {url}: created by ada@{host} (pid {pid}) at 2026-11-21T02:30:38Z" for host, pid in locks]
    return "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) ...\n" + "\n".join(lines)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the processes 1 and 50, and 60 that is process 7 in a container; see `described`."""
    described(tmp_path)
    monkeypatch.setattr(lock_holder, "_PROC", tmp_path / "proc")
    return tmp_path


def described(
    folder: Path, *, namespace: str = INITIAL, mounts: str = "1 0 8:1 / / rw - ext4 /dev/sda rw", hidden: bool = False
) -> None:
    """Writes what /proc says of a machine, and makes the folder of a state on it."""
    (folder / "state/.pulumi/locks").mkdir(parents=True, exist_ok=True)
    of = folder / "proc"
    (of / "self/ns").mkdir(parents=True, exist_ok=True)
    (of / "self/ns/pid").unlink(missing_ok=True)
    (of / "self/ns/pid").symlink_to(namespace)
    (of / "self/mountinfo").write_text(mounts + "\n")
    for pid, numbers in {"1": "1", "50": "50", "60": "60\t7"}.items():
        (of / pid).mkdir(exist_ok=True)
        (of / pid / "status").write_text(f"Name:\tany\nNSpid:\t{numbers}\n")
    if hidden:
        (of / "1/status").unlink()


def a_lock(machine: Path, pid: int, host: str = HERE) -> str:
    """What the CLI says of a lock in the state on that machine."""
    return said((host, pid), url=f"file://{machine}/state/.pulumi/locks/x.json?no_tmp_dir=true")


def test_the_holder_is_named_with_its_host_its_process_and_since_when() -> None:
    assert who(said(("build-7", 123))) == "ada@build-7 (process 123) since 2026-11-21 02:30:38 UTC"


def test_a_backend_that_names_nobody_is_said_to() -> None:
    assert who("[409] Conflict: Another update is currently in progress.").startswith("another update")
    assert known("[409] Conflict: Another update is currently in progress.") == ""


def test_a_lock_of_a_killed_process_of_this_host_is_explained(machine: Path) -> None:
    reason = abandoned(a_lock(machine, 99), "prod")
    assert "that process is gone" in reason
    assert "pulumi cancel prod, then this command again" in reason
    assert known(a_lock(machine, 99)) == "  known: process 99 is gone\n"


@pytest.mark.skipif(not Path("/proc/self/ns/pid").is_symlink(), reason="not on Linux nobody can be sure")
def test_the_processes_of_this_very_machine_are_told_apart(tmp_path: Path) -> None:
    """Against the real /proc: one that runs is never called gone."""
    (tmp_path / "state/.pulumi/locks").mkdir(parents=True)
    assert abandoned(a_lock(tmp_path, os.getpid()), "prod") == ""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    reason = abandoned(a_lock(tmp_path, process.pid), "prod")
    assert bool(reason) == (known(a_lock(tmp_path, process.pid)) == f"  known: process {process.pid} is gone\n")


DISK = "1 0 8:1 / / rw - ext4 /dev/sda rw"

DOUBTS: Mapping[str, tuple[int, str, Callable[[Path], None], str]] = {
    "it runs": (50, HERE, described, "process 50 runs on this host, or in a container on it"),
    "it runs in a container": (7, HERE, described, "process 7 runs on this host, or in a container on it"),
    "another host": (99, "build-7", described, "process 99 runs, or ran, on another host: build-7"),
    "we are in a container": (
        99,
        HERE,
        lambda at: described(at, namespace="pid:[4026532000]"),
        "does not see all processes of this host",
    ),
    "processes of others are hidden": (
        99,
        HERE,
        lambda at: described(at, hidden=True),
        "does not see all processes of this host",
    ),
    "NFS": (99, HERE, lambda at: described(at, mounts="1 0 8:1 / / rw - nfs4 server:/x rw"), f"called {HERE} may hold it"),
    "a folder that the host of a virtual machine lends it": (
        99,
        HERE,
        lambda at: described(at, mounts=f"{DISK}\n2 1 0:9 / {at} rw shared:1 - virtiofs host rw"),
        f"called {HERE} may hold it",
    ),
    "a disk that something else is mounted over": (
        99,
        HERE,
        lambda at: described(at, mounts=f"2 1 8:1 / {at} rw - ext4 /dev/sda rw\n3 1 0:9 / {at} rw - 9p host rw"),
        f"called {HERE} may hold it",
    ),
}


@pytest.mark.parametrize("case", DOUBTS)
def test_a_lock_whose_holder_may_live_is_waited_for_and_what_is_known_is_said(case: str, machine: Path) -> None:
    pid, host, describe, doubt = DOUBTS[case]
    describe(machine)
    assert abandoned(a_lock(machine, pid, host), "prod") == ""
    assert doubt in known(a_lock(machine, pid, host))


@pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/.pulumi/locks/x.json?region=us-east-1",
        "gs://bucket/.pulumi/locks/x.json",
        "azblob://container/.pulumi/locks/x.json",
        "file:///no/such/folder/.pulumi/locks/x.json",
        "file://~nobody/.pulumi/locks/x.json",
    ],
)
@pytest.mark.usefixtures("machine")
def test_a_lock_that_is_not_on_a_disk_of_this_host_is_waited_for_whoever_holds_it(url: str) -> None:
    text = said((HERE, 99), url=url)
    assert abandoned(text, "prod") == ""
    assert known(text) == f"  known: the lock is not on a disk of this host, so another machine called {HERE} may hold it\n"


@pytest.mark.usefixtures("machine")
def test_where_there_is_no_proc_nobody_is_called_gone(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_holder, "_PROC", machine / "nothing")
    assert abandoned(a_lock(machine, 99), "prod") == ""


def test_one_living_holder_among_two_is_waited_for(machine: Path) -> None:
    text = a_lock(machine, 99) + a_lock(machine, 50).partition("\n")[2]
    assert [holder.pid for holder in holders(text)] == [99, 50]
    assert abandoned(text, "prod") == ""
    assert known(text).splitlines() == [
        "  known: process 99 is gone",
        "  known: process 50 runs on this host, or in a container on it",
    ]


# As Pulumi 3.274.1 printed them when a lock was listed and its object was gone: on files, and on the APIs of three stores.
FILE = """error: 2 errors occurred:
    1) open /s/.pulumi/locks/organization/p/x/1-2.json: no such file or directory
    2) NotFound"""
AZURE = """error: 2 errors occurred:
    1) GET http://127.0.0.1:10000/devstoreaccount1/c/.pulumi%2Flocks%2Forganization%2Fp%2Fx%2Fgone.json
--------------------------------------------------------------------------------
RESPONSE 404: 404 Not Found
ERROR CODE: BlobNotFound
--------------------------------------------------------------------------------
<?xml version="1.0" encoding="utf-8"?><Error><Code>BlobNotFound</Code></Error>
--------------------------------------------------------------------------------

    2) NotFound"""
S3 = """error: 2 errors occurred:
    1) operation error S3: GetObject, https response error StatusCode: 404, RequestID: X1, HostID: H, NoSuchKey: It is away.
    2) NotFound"""
GCS = """error: 2 errors occurred:
    1) storage: object doesn't exist
    2) NotFound"""
WHOLE = """error: blob (key ".pulumi/locks/organization/p/x/gone.json") (code=NotFound): anything"""


@pytest.mark.parametrize("text", [FILE, AZURE, WHOLE], ids=["files", "Azure", "the whole error"])
def test_a_lock_that_is_given_back_while_the_cli_looks_at_it_is_recognized_by_its_name(text: str) -> None:
    assert LOCK_VANISHED.search(text)
    assert not LOCK_MAY_HAVE_VANISHED.search(text)


@pytest.mark.parametrize("text", [S3, GCS], ids=["S3", "Google Cloud"])
def test_where_the_name_is_not_said_a_missing_object_may_be_such_a_lock(text: str) -> None:
    assert LOCK_MAY_HAVE_VANISHED.search(text)
    assert not LOCK_VANISHED.search(text)


@pytest.mark.parametrize(
    "text",
    [
        FILE.replace("locks", "stacks"),
        AZURE.replace("locks", "stacks"),
        AZURE.replace("BlobNotFound", "AuthorizationFailure"),
        WHOLE.replace("NotFound", "PermissionDenied"),
        S3.replace("NoSuchKey", "NoSuchBucket"),
        S3.replace("NoSuchKey", "AccessDenied"),
        "error: no stack named 'x' found",
    ],
)
def test_any_other_failure_is_no_lock(text: str) -> None:
    assert not LOCK_VANISHED.search(text)
    assert not LOCK_MAY_HAVE_VANISHED.search(text)
