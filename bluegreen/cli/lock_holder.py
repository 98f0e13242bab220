"""Who holds a stack's lock, read from what the CLI says, and what can be known about them. `lock` waits for it."""

import re
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bluegreen.cli.pulumi_sentences import LOCK_HOLDER

# File systems on a disk, or in the memory, of one machine alone.
_LOCAL = ("btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs")

# The namespace of the first process of a machine, from which all others are seen (include/linux/proc_ns.h).
_ALL_PROCESSES = "pid:[4026531836]"

_PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that holds a lock, as a self-managed backend names it. `since` is its start, with its zone."""

    url: str
    user: str
    host: str
    pid: int
    since: datetime

    def doubt(self) -> str:
        """Why the process may still run. Empty if it is certain that it does not: then nobody will give the lock back."""
        if self.host != socket.gethostname():
            return f"process {self.pid} runs, or ran, on another host: {self.host}"
        if not _is_on_this_machine(self.url):
            return f"the lock is not on a disk of this host, so another machine called {self.host} may hold it"
        if not _sees_all_processes():
            return "this command does not see all processes of this host: it runs in a container, or not on Linux"
        return f"process {self.pid} runs on this host, or in a container on it" if _may_run(self.pid) else ""

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}) since {self.since:%Y-%m-%d %H:%M:%S %Z}"


def holders(text: str) -> list[Holder]:
    """The holders that the CLI names in `text`; none where a backend does not name them."""
    return [
        Holder(
            url=found["url"],
            user=found["user"],
            host=found["host"],
            pid=int(found["pid"]),
            since=datetime.fromisoformat(found["since"]),
        )
        for found in LOCK_HOLDER.finditer(text)
    ]


def who(text: str) -> str:
    """Who holds the lock, for people."""
    return " and ".join(map(str, holders(text))) or "another update, which the backend does not name"


def known(text: str) -> str:
    """What is known about those who hold the lock: a line for each, empty if the backend does not name them."""
    return "".join(f"  known: {holder.doubt() or f'process {holder.pid} is gone'}\n" for holder in holders(text))


def abandoned(text: str, stack: str) -> str:
    """Why waiting for the lock is vain and what to do, or nothing if somebody may still give it back."""
    found = holders(text)
    if not found or any(holder.doubt() for holder in found):
        return ""
    return (
        f"The stack is locked by {who(text)}, and that process is gone: it was killed before it could give the lock back.\n"
        "The lock is not removed by itself, because its holder may have left something half-done.\n"
        f"  next: pulumi cancel {stack}, then this command again; it brings the environment to what the config says."
    )


def _is_on_this_machine(url: str) -> bool:
    """Whether a lock is a file on a disk that no other machine writes to."""
    scheme, _, path = url.partition("?")[0].partition("://")
    if scheme != "file":
        return False
    try:
        folder = Path(path).expanduser().parent.resolve(strict=True)
        mounts = (_PROC / "self/mountinfo").read_text().splitlines()
    except (OSError, RuntimeError):
        return False
    return _file_system(folder, mounts) in _LOCAL


def _file_system(folder: Path, mounts: list[str]) -> str:
    """The type of the file system of a folder; of two mounts at the same place the later one counts."""
    longest, found = -1, ""
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        at = Path(fields.split()[4].encode().decode("unicode_escape"))
        if folder.is_relative_to(at) and len(at.parts) >= longest:
            longest, found = len(at.parts), rest.split()[0]
    return found


def _sees_all_processes() -> bool:
    """Whether a process that is not seen here does not run on this machine at all."""
    try:
        # The status of the first process cannot be read where /proc hides the processes of other users.
        return str((_PROC / "self/ns/pid").readlink()) == _ALL_PROCESSES and bool((_PROC / "1/status").read_text())
    except OSError:
        return False


def _may_run(pid: int) -> bool:
    """Whether a process has this number, here or in the container that it runs in."""
    for status in _PROC.glob("[0-9]*/status"):
        try:
            numbers = re.search(r"^NSpid:(.*)$", status.read_text(errors="replace"), re.MULTILINE)
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
        except OSError:  # it is hidden from this user
            return True
        if not numbers or str(pid) in numbers[1].split():
            return True
    return False
