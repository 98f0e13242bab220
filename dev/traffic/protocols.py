"""Sends messages to the sample application by gRPC, HTTP/2 without TLS, WebSocket or plain TCP, on connections that it holds.

`dev/tools/protocols` is the client; it says what counts as failed. A load never runs longer than its `seconds`: the client
ends by itself, or by SIGPIPE if this process dies. It never targets another host than this machine, unless the caller allows
that host.
"""

import json
import signal
import subprocess
import tempfile
import threading
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dev.traffic.load import MAX_SECONDS, check_host
from dev.traffic.vegeta import LoadError

PROTOCOLS = ("grpc", "grpc-stream", "h2c", "websocket", "tcp")
MAX_CONNECTIONS = 100
_LONGEST_ANSWER_SECONDS = 150  # five attempts of 30 seconds each


@dataclass(frozen=True, kw_only=True)
class Report:
    """What has happened so far. `requests` counts those that have been answered or have failed."""

    requests: int
    failed: int
    served: dict[str, int]
    """Successful requests by color."""
    connections: int
    """How many were opened."""
    ended: int
    """How often the server ended a connection in the way of its protocol before an answer: the message was sent again."""
    slowest: float
    """The longest time until an answer, in seconds."""
    errors: dict[str, int]
    turns: list[list[str]]
    """For each of the connections held at a time: the colors that answered it, in their order."""
    done: bool

    @classmethod
    def read(cls, line: str | bytes) -> Self:
        """The report in a line of the client's output."""
        found: dict[str, Any] = json.loads(line)
        return cls(**{field.name: found[field.name] for field in fields(cls)})

    @property
    def colors(self) -> set[str]:
        """The colors that answered last; empty as long as a connection has no answer."""
        return {turns[-1] for turns in self.turns} if all(self.turns) else set()


class ProtocolLoad:
    """Messages on several connections, one after the other on each, from `start` (or `with`) until `stop`."""

    def __init__(
        self,
        client: Path,
        address: str,
        *,
        protocol: str,
        connections: int = 4,
        seconds: int = MAX_SECONDS,
        pause_seconds: float = 0.02,
        keep_alive: bool = True,
        host: str | None = None,
        cookie: str | None = None,
        allowed: Collection[str] = (),
    ) -> None:
        """Prepares the load; sends nothing yet.

        Args:
            client: The command built from dev/tools/protocols.
            address: `host:port`.
            protocol: One of `PROTOCOLS`.
            connections: How many send at the same time, 1 to 100.
            seconds: Maximum duration, up to 600.
            pause_seconds: The pause of a connection after each answer.
            keep_alive: False for a new connection per message.
            host: The Host header, or `:authority`, if it differs from the address.
            cookie: The Cookie header, such as "test=true".
            allowed: Host names or addresses that are allowed as targets in addition to loopback.

        Raises:
            LoadError: The target is not allowed, or a number is out of range.
        """
        target, colon, port = address.rpartition(":")
        if not colon or not port.isdecimal():
            raise LoadError(f"{address!r} is not an address; give one such as 127.0.0.1:8080")
        check_host(target, allowed)
        if protocol not in PROTOCOLS:
            raise LoadError(f"protocol={protocol!r} is not one of {', '.join(PROTOCOLS)}")
        if not 1 <= connections <= MAX_CONNECTIONS:
            raise LoadError(f"connections={connections} must be between 1 and {MAX_CONNECTIONS}")
        if not 1 <= seconds <= MAX_SECONDS:
            raise LoadError(f"seconds={seconds} must be between 1 and {MAX_SECONDS}")
        self._command = [
            str(client),
            f"-protocol={protocol}",
            f"-address={address}",
            f"-connections={connections}",
            f"-seconds={seconds}",
            f"-pause={round(1000 * pause_seconds)}ms",
            *([] if keep_alive else ["-new"]),
            *([f"-host={host}"] if host else []),
            *([f"-cookie={cookie}"] if cookie else []),
        ]

    def start(self) -> None:
        """Starts sending; returns after the first report."""
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        # A process group of its own keeps Ctrl-C of the terminal away, so that results are not lost.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._stderr, process_group=0
        )
        self._report: Report | None = None
        self._first = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._first.wait()
        if self._report is None:
            self.stop()

    def live(self) -> Report:
        """The latest report, at most a fraction of a second old."""
        assert self._report is not None  # since `start`
        return self._report

    def stop(self) -> Report:
        """Stops sending, waits for the last answers, and returns the final report. Can be called again.

        Raises LoadError with the client's stderr if it failed.
        """
        self._process.send_signal(signal.SIGINT)  # without effect if it has ended
        try:
            self._process.wait(_LONGEST_ANSWER_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._report is None or not self._report.done:
            self._stderr.seek(0)
            stderr = self._stderr.read().decode(errors="replace").strip()
            raise LoadError(f"{' '.join(self._command)} failed: {stderr or 'it wrote nothing to stderr'}")
        return self._report

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._process.stdout
        with self._process.stdout as output:
            for line in output:
                self._report = Report.read(line)
                self._first.set()
        self._first.set()
