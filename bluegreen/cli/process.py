"""Runs the Pulumi CLI: with a deadline, and so that an update ends well if this process is killed.

Not by the Automation API: importing it takes as long as a small update, it has no deadline, and it connects the engine to
this process by pipes. Were this process killed, the next line of the engine would kill the engine, too, in the middle of an
update and with the lock taken. Here it writes into files, which this process follows; without this process it ends what it has
begun, and gives the lock back.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.pulumi_sentences import LOCKED, NOT_LOGGED_IN, STACK_NOT_FOUND

POLL_SECONDS = 0.03

# How long an update may take to end once it is asked to: it waits for the step that it is at.
GRACE_SECONDS = 30

Event = Mapping[str, Any]
"""One event of the engine, as it stands in its event log."""


class CliError(ReleaseError):
    """The CLI failed. The message is what it printed."""


class LockedError(CliError):
    """The stack is locked by another update."""


class Pulumi:
    """The `pulumi` on PATH. `on_event` gets the events of an update or a preview while it runs."""

    def __init__(self, on_event: Callable[[Event], None], timeout_seconds: float) -> None:
        self._on_event = on_event
        self._deadline = time.monotonic() + timeout_seconds
        self._timeout_seconds = timeout_seconds

    def run(self, arguments: Sequence[str], directory: Path, variables: Mapping[str, str] | None = None) -> str:
        """What a command of the CLI printed. Raises `CliError`, and `ReleaseError` at the deadline."""
        with tempfile.TemporaryDirectory(prefix="bluegreen-") as temporary:
            log, out, err = (Path(temporary, name) for name in ("events", "out", "err"))
            log.touch()
            followed = ["--event-log", str(log)] if arguments[0] in ("up", "preview", "destroy") else []
            with out.open("w") as stdout, err.open("w") as stderr, log.open() as events:
                command = ["pulumi", "--non-interactive", *arguments, *followed]
                process = _start(command, directory, variables or {}, stdout, stderr)
                self._follow(process, events)
            if process.returncode:
                raise failure(out.read_text(), err.read_text(), process.returncode)
            return out.read_text()

    def _follow(self, process: subprocess.Popen[bytes], events: TextIO) -> None:
        reader = _lines(events)
        try:
            while process.poll() is None:
                self._tell(reader)
                if time.monotonic() > self._deadline:
                    _stop(process)
                    raise ReleaseError(
                        Exit.TIMEOUT,
                        f"pulumi has not ended in {self._timeout_seconds:.0f} s and was told to stop.\n"
                        "  next: bluegreen status tells what is live; the same command goes on where this one ended.",
                    )
                time.sleep(POLL_SECONDS)
        except KeyboardInterrupt:
            _stop(process)
            raise
        self._tell(reader)

    def _tell(self, reader: Iterator[str | None]) -> None:
        while (line := next(reader)) is not None:
            self._on_event(json.loads(line))


def failure(out: str, err: str, code: int) -> CliError:
    """The error for a CLI that has printed this and ended with the status `code`."""
    text = (err.strip() or out.strip()).removeprefix("error: ")
    if any(sentence in err for sentence in LOCKED):
        return LockedError(Exit.LOCKED, text)
    if STACK_NOT_FOUND.search(err):
        return CliError(Exit.STACK_NOT_FOUND, text)
    if NOT_LOGGED_IN.search(err):
        return CliError(Exit.AUTHENTICATION, text)
    return CliError(Exit(code) if Exit.ERROR <= code <= Exit.TIMEOUT else Exit.ERROR, text)


def _start(
    command: list[str], directory: Path, environment: Mapping[str, str], stdout: TextIO, stderr: TextIO
) -> subprocess.Popen[bytes]:
    # The engine finds the program's Python on PATH. A session of its own: Ctrl-C reaches it once, by way of us.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    variables = {**os.environ, **environment, "PATH": path, "PULUMI_AUTOMATION_API": "true", "NO_COLOR": "1"}
    try:
        return subprocess.Popen(
            command,
            cwd=directory,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise ReleaseError(
            Exit.ERROR,
            "There is no pulumi on PATH, so nothing was done.\n  next: install the Pulumi CLI; on the sandbox: . .sandbox/env",
        ) from None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Asks the engine to end after the step that it is at, and makes it end when it does not."""
    for request in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process.send_signal(request)
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        return


def _lines(file: TextIO) -> Iterator[str | None]:
    """The whole lines that are in a growing file, and None whenever there is none yet."""
    begun = ""
    while True:
        begun += file.readline()
        if begun.endswith("\n"):
            yield begun
            begun = ""
        else:
            yield None
