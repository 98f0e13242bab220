"""Starts the sandbox's long-running processes, and checks whether they run and are healthy.

A process is *alive* if its program runs in the sandbox's pid namespace, and *healthy* if its health check also succeeds. No pid
is recorded, so a crash cannot lose one, and no other process can be mistaken for it. Only processes that are not alive are
started, so a start can be repeated.
"""

import contextlib
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dev.sandbox import namespaces
from dev.sandbox.errors import SandboxError
from dev.sandbox.layout import LOOPBACK, PORTS_BY_PROCESS, Layout

START_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """A process of the sandbox: its name, command line, additional environment and health check.

    `launcher` is put in front of `command` and must exec it. `health_check` returns whether the process is healthy, or raises
    OSError if it is not reachable.
    """

    name: str
    command: list[str]
    health_check: Callable[[], bool]
    launcher: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


class Processes:
    """Starts and watches services in the namespaces of `reaper`, for the sandbox at `layout`."""

    def __init__(self, layout: Layout, reaper: int) -> None:
        self._layout = layout
        self._reaper = reaper

    def start(self, service: Service) -> bool:
        """Starts `service` unless it is alive; returns whether it did. Does not wait until it is healthy."""
        if self.is_alive(service):
            return False
        _refuse_taken_ports(service.name)
        environment = {"PATH": f"{self._layout.bin}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"}
        environment |= {"HOME": str(self._layout.home)} | service.environment
        namespaces.spawn(self._reaper, service.command, self._log(service), environment, service.launcher)
        return True

    def wait(self, service: Service, seconds: float = START_SECONDS) -> None:
        """Waits until `service` is healthy. Raises SandboxError with the end of its log if it exits or takes too long."""
        started = time.monotonic()
        while not is_healthy(service):
            elapsed = time.monotonic() - started
            if not self.is_alive(service):
                raise SandboxError(self._failure(service, f"exited after {elapsed:.1f} s"))
            if elapsed > seconds:
                raise SandboxError(self._failure(service, f"is not healthy after {elapsed:.0f} s"))
            time.sleep(0.05)

    def is_alive(self, service: Service) -> bool:
        return service.command[0] in namespaces.programs(self._reaper)

    def run_inside(self, command: list[str]) -> list[str]:
        """The command line that runs `command` in the sandbox's mount namespace."""
        return namespaces.inside(self._reaper, command)

    def _log(self, service: Service) -> Path:
        return self._layout.logs / f"{service.name}.log"

    def _failure(self, service: Service, problem: str) -> str:
        log = self._log(service)
        end = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        return f"{service.name} {problem}. The end of {log}:\n{end}\nRemove the sandbox (make sandbox-down) and try again."


def _refuse_taken_ports(name: str) -> None:
    for port in PORTS_BY_PROCESS.get(name, ()):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError as error:
                raise SandboxError(
                    f"Port {port} on {LOOPBACK}, which {name} needs, is in use by {_owner_of(port)}. "
                    "Stop that process, or change the port in dev/sandbox/layout.py."
                ) from error


def _owner_of(port: int) -> str:
    """The pid and the name of the process that listens on `port`, for messages."""
    listening = f":{port:04X}"
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(listening) and row[3] == "0A"}
    for entry in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(entry.readlink()) in sockets:
                process = entry.parent.parent
                return f"process {process.name} ({(process / 'comm').read_text().strip()})"
    return "another program"


def is_healthy(service: Service) -> bool:
    """Whether the health check of `service` succeeds now; false if it is unreachable."""
    with contextlib.suppress(OSError):
        return service.health_check()
    return False


def over_http(url: str, tls: Callable[[], ssl.SSLContext] | None = None) -> Callable[[], bool]:
    """A health check: `url` responds with 200 within two seconds. `tls` makes the TLS context on first use."""

    def check() -> bool:
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if tls:
            handlers.append(urllib.request.HTTPSHandler(context=tls()))
        with urllib.request.build_opener(*handlers).open(url, timeout=2) as response:
            return bool(response.status == 200)

    return check
