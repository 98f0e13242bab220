"""The long-lived processes of the sandbox: how each is started, found again, and judged healthy.

A process is *alive* when the recorded pid still belongs to the process that was recorded (same start time), and
*healthy* when it also answers. Only what is not alive is ever started, so starting everything again is harmless.
"""

import contextlib
import json
import os
import signal
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import namespaces
from sandbox.errors import SandboxError
from sandbox.layout import LOOPBACK, PORTS_BY_PROCESS, Layout

START_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """A process of the sandbox: its name, command line, extra environment, and the question whether it answers."""

    name: str
    command: list[str]
    is_answering: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)


class Processes:
    """Starts and watches services in the namespaces of `reaper`, for the sandbox at `layout`."""

    def __init__(self, layout: Layout, reaper: int) -> None:
        self._layout = layout
        self.reaper = reaper

    def start(self, service: Service) -> bool:
        """Start `service` unless it is alive; returns whether it had to be started. Does not wait for it to answer."""
        if self.is_alive(service.name):
            return False
        _refuse_taken_ports(service.name)
        environment = {"PATH": f"{self._layout.bin}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"}
        environment |= {"HOME": str(self._layout.home)} | service.environment
        pid = namespaces.spawn(self.reaper, service.command, self.log(service.name), environment)
        self._write_record(service.name, pid)
        return True

    def wait(self, service: Service, seconds: float = START_SECONDS) -> None:
        """Wait until `service` answers. Raises SandboxError with the end of its log when it dies or takes too long."""
        began = time.monotonic()
        while not answers(service):
            elapsed = time.monotonic() - began
            if not self.is_alive(service.name):
                raise SandboxError(self._failure(service.name, f"ended by itself after {elapsed:.1f} s"))
            if elapsed > seconds:
                raise SandboxError(self._failure(service.name, f"does not answer after {elapsed:.0f} s"))
            time.sleep(0.05)

    def is_alive(self, name: str) -> bool:
        with contextlib.suppress(OSError, ValueError, KeyError):
            record = json.loads(self._record(name).read_text())
            return bool(record["started"] == _start_time(record["pid"]))
        return False

    def stop(self, name: str) -> None:
        """Kill the process recorded under `name`, if it is alive, and wait until it is gone."""
        if not self.is_alive(name):
            return
        os.kill(json.loads(self._record(name).read_text())["pid"], signal.SIGKILL)
        while self.is_alive(name):
            time.sleep(0.01)

    def run_inside(self, command: list[str]) -> list[str]:
        """The command line that runs `command` with the mounts that the sandbox's processes see."""
        return namespaces.inside(self.reaper, command)

    def log(self, name: str) -> Path:
        return self._layout.logs / f"{name}.log"

    def _record(self, name: str) -> Path:
        return self._layout.processes / f"{name}.json"

    def _write_record(self, name: str, pid: int) -> None:
        self._record(name).write_text(json.dumps({"pid": pid, "started": _start_time(pid)}))

    def _failure(self, name: str, what: str) -> str:
        end = "\n".join(self.log(name).read_text(errors="replace").splitlines()[-12:])
        return (
            f"{name} {what}. The end of {self.log(name)}:\n{end}\nRemove the sandbox (make sandbox-down) and try again."
        )


def _start_time(pid: int) -> int:
    """When `pid` started, in clock ticks since boot. Raises OSError or ValueError when it has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] == "Z":
        raise ValueError(f"process {pid} has ended")
    return int(fields[19])


def _refuse_taken_ports(name: str) -> None:
    for port in PORTS_BY_PROCESS.get(name, ()):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                raise SandboxError(
                    f"Port {port} on {LOOPBACK}, which {name} needs, is taken by {_owner_of(port)}. "
                    "Stop that process, or change the port in sandbox/layout.py."
                ) from error


def _owner_of(port: int) -> str:
    """The process that listens on `port`, in words."""
    listening = f":{port:04X}"
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(listening) and row[3] == "0A"}
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(entry.readlink()) in sockets:
                process = entry.parent.parent
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return "another program"


def answers(service: Service) -> bool:
    """Whether `service` answers right now; an unreachable one does not."""
    with contextlib.suppress(OSError):
        return service.is_answering()
    return False


def over_http(url: str, tls: Callable[[], ssl.SSLContext] | None = None) -> Callable[[], bool]:
    """The question whether `url` answers 200 within two seconds. `tls` makes the TLS context, when it is needed."""

    def is_answering() -> bool:
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if tls:
            handlers.append(urllib.request.HTTPSHandler(context=tls()))
        with urllib.request.build_opener(*handlers).open(url, timeout=2) as response:
            return bool(response.status == 200)

    return is_answering
