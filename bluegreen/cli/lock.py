"""Waiting for a turn: for the lock of the stack, and for other commands of this host that change the same config file.

Pulumi's lock is no queue: an update that meets it fails at once. So the command tries again until `--wait` is over.
"""

import contextlib
import fcntl
import getpass
import hashlib
import os
import random
import socket
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bluegreen.cli import lock_holder
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.process import LockedError
from bluegreen.cli.pulumi_sentences import LOCK_MAY_HAVE_VANISHED, LOCK_VANISHED, STATE_MAY_BE_WRITTEN
from bluegreen.cli.updates import Record, UpdateError

# How often in a row an update may fail at what another one is about to write or has just removed, until that counts as lost.
PASSING_TIMES = 5


def update(run: Callable[[], Record], stack: str, wait_seconds: float, show: Callable[[str], None]) -> Record:
    """Runs an update of `stack`, again and again while it is locked, for `wait_seconds`; `show` gets who holds the lock.

    Raises `ReleaseError` with status 12 if it stays locked, or if it is certain that nobody will give the lock back.
    """
    until = time.monotonic() + wait_seconds
    pause_seconds, shown, passing = 0.5, "", 0
    while True:
        try:
            return run()
        except LockedError as error:
            text = str(error)
        except UpdateError as error:
            text = str(error)
            passing = passing + 1 if LOCK_MAY_HAVE_VANISHED.search(text) or STATE_MAY_BE_WRITTEN.search(text) else 0
            if error.record.began or not (LOCK_VANISHED.search(text) or 0 < passing <= PASSING_TIMES):
                raise
        _refuse_to_wait(text, stack, wait_seconds, until)
        holder = lock_holder.who(text)
        if holder != shown:
            show(f"waiting for {holder}")
            shown = holder
        # Jitter, so that those who wait do not all come back at once.
        time.sleep(min(pause_seconds * random.uniform(0.5, 1.5), max(0.0, until - time.monotonic())))
        pause_seconds = min(pause_seconds * 1.5, 5)


def _refuse_to_wait(text: str, stack: str, wait_seconds: float, until: float) -> None:
    """Raises `ReleaseError` if waiting is over, or vain."""
    if reason := lock_holder.abandoned(text, stack):
        raise ReleaseError(Exit.LOCKED, reason)
    if time.monotonic() >= until:
        raise ReleaseError(
            Exit.LOCKED,
            f"The stack {stack} was locked for all of the {wait_seconds:.0f} s that this command may wait: "
            f"{lock_holder.who(text)}.\nNothing was changed.\n{lock_holder.known(text)}"
            "  next: the same command later, or with a longer --wait. If you know that nobody works on the stack: "
            f"pulumi cancel {stack}, then this command again.",
        )


@contextlib.contextmanager
def turn(file: Path, wait_seconds: float, show: Callable[[str], None]) -> Iterator[None]:
    """Lets commands of one host and user that change the same config file run one after the other.

    Raises `ReleaseError` with status 12 after `wait_seconds`.
    """
    path = _path(file)
    until, is_shown = time.monotonic() + wait_seconds, False
    while not (descriptor := _locked(path)):
        holder = _holder(path)
        if time.monotonic() > until:
            raise ReleaseError(
                Exit.LOCKED,
                f"{file} was being changed by {holder} for all of the {wait_seconds:.0f} s that this command may wait.\n"
                "Nothing was changed.\n  next: the same command later, or with a longer --wait.",
            )
        if not is_shown:
            show(f"waiting for {holder}")
            is_shown = True
        time.sleep(random.uniform(0.05, 0.25))
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"bluegreen of {who()} (process {os.getpid()}) since {time.strftime('%F %T')}".encode())
        yield
    finally:
        path.unlink(missing_ok=True)  # before the lock is given back: a command that has opened the file sees that it is gone
        os.close(descriptor)


def who() -> str:
    """Who runs this, for the history and for those who wait: the CI's actor where there is one."""
    actor = os.environ.get("GITHUB_ACTOR") or os.environ.get("SEMAPHORE_PIPELINE_PROMOTED_BY")
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return actor or f"{user}@{socket.gethostname()}"


def _path(file: Path) -> Path:
    name = hashlib.sha256(str(file.resolve()).encode()).hexdigest()[:16]
    return _folder() / f"{name}.lock"


def _folder() -> Path:
    """A folder of this user alone: in $XDG_RUNTIME_DIR, else in the cache folder, else (no home) beside temporary files."""
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    for place in (os.environ.get("XDG_RUNTIME_DIR"), caches):
        if place:
            with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: there is no home
                return _own_folder(Path(place, "bluegreen").expanduser())
    return _own_folder(Path(tempfile.gettempdir(), f"bluegreen-{os.getuid()}"))


def _own_folder(folder: Path) -> Path:
    """Makes a folder that nobody else can enter. Raises `OSError` if it cannot be made, or belongs to somebody else."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} is not a folder of this user")
    return folder


def _locked(path: Path) -> int:
    """The descriptor of the lock file with its lock taken; 0 if another command has it.

    The file is this user's alone. A symlink is not followed: `OSError`.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The command before has removed the file if this one had opened it by then: another one may have made a new file.
        if os.fstat(descriptor).st_ino == path.stat().st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return 0


def _holder(path: Path) -> str:
    try:
        return path.read_text().strip() or "another command"
    except OSError:
        return "another command"
