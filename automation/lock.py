"""Who holds a stack's lock, read from what the CLI says, and what can be said about that."""

import os
import re
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_HOLDER = re.compile(r"created by (?P<user>\S*)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")

_VANISHED = re.compile(r"/\.pulumi/locks/\S+\.json: no such file or directory")


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The process that holds a lock, as a self-managed backend names it. `since` is its start, with its zone."""

    user: str
    host: str
    pid: int
    since: datetime

    @property
    def is_gone(self) -> bool:
        """Whether the process ran on this host and is no more: then nobody will ever give the lock back."""
        return self.host == socket.gethostname() and not Path(f"/proc/{self.pid}").exists() and os.name == "posix"

    def __str__(self) -> str:
        return f"{self.user}@{self.host} (process {self.pid}) since {self.since:%Y-%m-%d %H:%M:%S %Z}"


def holders(text: str) -> list[Holder]:
    """The holders that the CLI names in `text`; none where a backend does not name them."""
    return [
        Holder(user=found["user"], host=found["host"], pid=int(found["pid"]), since=datetime.fromisoformat(found["since"]))
        for found in _HOLDER.finditer(text)
    ]


def who(text: str) -> str:
    """Who holds the lock, for people."""
    return " and ".join(map(str, holders(text))) or "another update, which the backend does not name"


def vanished(text: str) -> bool:
    """Whether a lock was given back between two looks: the CLI lists the locks in a folder, then reads each, and fails when one
    is gone by then. It looks before it begins, so nothing was changed.
    """
    return bool(_VANISHED.search(text))


def abandoned(text: str) -> str:
    """Why waiting for the lock is vain and what to do, or nothing when it is not vain."""
    found = holders(text)
    if not found or not all(each.is_gone for each in found):
        return ""
    return (
        f"The stack is locked by {who(text)}, and on this host that process is gone: it was killed before it could give the "
        "lock back.\nThe lock is not removed by itself, because whoever wrote it may have left something half-done.\n"
        "  next: pulumi cancel, then this command again; it brings the environment to what the config says."
    )
