"""The Linux namespaces of the sandbox's processes: their own pids and mounts, on the machine's network.

The first process (`reaper.py`) holds the namespaces. It is found by its command line, not by a recorded pid: it can be found
after a crash at any moment, and a reused pid cannot be mistaken for it.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from dev.sandbox.errors import SandboxError
from dev.sandbox.layout import HIDDEN_PATHS

CLONE_NEWPID = 0x20000000
REAPER = Path(__file__).resolve().with_name("reaper.py")

# Runs in the new mount namespace, before the reaper.
_SETUP = 'for path in {paths}; do mount -t tmpfs -o mode=755 sandbox "$path" || exit 1; done; exec "$@"'

_libc = ctypes.CDLL(None, use_errno=True)


def reapers() -> dict[Path, int]:
    """The pids of the first processes of all sandboxes that are up on this machine, by the sandbox's directory."""
    pids = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = _words(int(entry.name))
            if len(words) > 2 and words[-2].endswith("/sandbox/reaper.py") and _is_first_process(entry):
                pids[Path(words[-1])] = int(entry.name)
    return pids


def _is_first_process(process: Path) -> bool:
    status = (process / "status").read_text()
    return next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[-1] == "1"


def open_namespaces(home: Path) -> int:
    """Starts the first process of the sandbox in `home`; returns its pid. Raises SandboxError."""
    for path in HIDDEN_PATHS:
        path.mkdir(parents=True, exist_ok=True)
    setup = _SETUP.format(paths=" ".join(str(path) for path in HIDDEN_PATHS))
    command = ["unshare", "--mount", "--mount-proc", "sh", "-c", setup, "sh"]
    command += [sys.executable, "-I", "-S", str(REAPER), str(home)]
    devnull, pipe = subprocess.DEVNULL, subprocess.PIPE
    try:
        with _children_in(None):
            process = subprocess.Popen(command, start_new_session=True, stdin=devnull, stdout=devnull, stderr=pipe)
        _wait_until_ready(process)
    except OSError as error:
        raise SandboxError(
            f"The namespaces of the sandbox could not be created ({error}): root is not allowed to on this machine. "
            "Use a virtual machine, a privileged container, or your own cluster (CONTEXT=<kubeconfig context>)."
        ) from error
    return process.pid


def _wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise OSError(process.stderr.read().decode().strip() if process.stderr else "ended")
        if _words(process.pid)[:1] == [sys.executable]:
            return
        time.sleep(0.01)
    raise SandboxError("The sandbox's first process did not start within 10 s; is the machine overloaded?")


@contextlib.contextmanager
def _children_in(pid: int | None) -> Iterator[None]:
    """Processes started in the block belong to the pid namespace of `pid`, or to a new one if it is None."""
    if pid is None:
        _check(_libc.unshare(CLONE_NEWPID))
    else:
        _join(Path(f"/proc/{pid}/ns/pid"))
    try:
        yield
    finally:
        _join(Path("/proc/self/ns/pid"))


def _join(namespace: Path) -> None:
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        _check(_libc.setns(descriptor, CLONE_NEWPID))
    finally:
        os.close(descriptor)


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def spawn(reaper: int, command: list[str], log: Path, environment: dict[str, str], launcher: tuple[str, ...] = ()) -> None:
    """Starts `command` (by way of `launcher`) in the namespaces of `reaper`, in a new session; appends its output to `log`.

    When the caller exits, the first process of the namespaces becomes the parent.
    """
    with log.open("ab") as output, _children_in(reaper):
        process = subprocess.Popen(
            inside(reaper, [*launcher, *command]),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and process.poll() is None and _words(process.pid)[:1] != command[:1]:
        time.sleep(0.001)
    process.returncode = 0  # suppresses Popen's warning: the process is meant to outlive this object


def programs(reaper: int) -> set[str]:
    """The paths of the programs that run in the pid namespace of `reaper`, without those in its containers."""
    return {words[0] for pid in _members(_namespace_of(reaper)) if (words := _words(pid))}


def inside(reaper: int, command: list[str]) -> list[str]:
    """The command line that runs `command` in the sandbox's mount namespace."""
    return ["nsenter", f"--mount=/proc/{reaper}/ns/mnt", "--", *command]


def close_namespaces(reaper: int) -> None:
    """Kills the first process, and with it all processes in its namespaces. Waits up to 30 s until they are gone."""
    namespace = _namespace_of(reaper)
    os.kill(reaper, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while _members(namespace):
        if time.monotonic() > deadline:
            left = _members(namespace)
            raise SandboxError(f"Processes of the sandbox still run 30 s after SIGKILL: {left}. Reboot the machine.")
        time.sleep(0.02)


def _has_ended(process: Path) -> bool:
    return (process / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"


def _words(pid: int) -> list[str]:
    """The command line of `pid`; empty when it has ended."""
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
    except OSError:
        return []


def _namespace_of(pid: int) -> Path:
    return Path(f"/proc/{pid}/ns/pid").readlink()


def _members(namespace: Path) -> list[int]:
    """The pids of the processes in `namespace`, without zombies."""
    members = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if _namespace_of(int(entry.name)) == namespace and not _has_ended(entry):
                members.append(int(entry.name))
    return members
