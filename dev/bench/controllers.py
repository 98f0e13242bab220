"""The controller of a peer as a process on the host, in the place of the pod that it is elsewhere.

Each has a session of its own, a log file, and a file with its pid, by which the next run finds one that was left behind.
A pid alone proves nothing, so a process is only stopped while it still runs the recorded program.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from dev.bench.cluster import HOME, ROOT, BenchError

# Not in HOME, which a run empties: a controller that was left behind must be found.
RECORDS = ROOT / ".sandbox" / "bench-controllers"


class Controller:
    """One running controller."""

    def __init__(self, name: str, command: list[str]) -> None:
        """Starts it. `command` begins with the absolute path of the program."""
        RECORDS.mkdir(parents=True, exist_ok=True)
        self._name = name
        self._log = HOME / f"{name}.log"
        with self._log.open("w") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._process = process
        record = {"pid": process.pid, "program": str(Path(command[0]).resolve())}
        (RECORDS / f"{name}.json").write_text(json.dumps(record))

    def resident_bytes(self) -> int:
        """How much memory it holds now. Raises BenchError with the end of its log when it has ended."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        end = "\n".join(self._log.read_text(errors="replace").splitlines()[-8:])
        raise BenchError(f"{self._name} has ended by itself. The end of its log:\n{end}")

    def stop(self) -> None:
        stop_recorded()
        self._process.wait()


def stop_recorded() -> None:
    """Stops every controller that a run has started and not stopped."""
    for file in RECORDS.glob("*.json") if RECORDS.exists() else ():
        record = json.loads(file.read_text())
        _stop(record["pid"], record["program"])
        file.unlink()


def _stop(pid: int, program: str) -> None:
    for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
        if not _runs(pid, program):
            return
        os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while _runs(pid, program) and time.monotonic() < deadline:
            time.sleep(0.1)


def _runs(pid: int, program: str) -> bool:
    with contextlib.suppress(OSError):
        # A process that has ended and was not waited for has no program any more.
        return str(Path(f"/proc/{pid}/exe").readlink()) == program
    return False
