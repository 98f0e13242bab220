"""The long-lived processes of the sandbox: how each is started, found again, and judged healthy.

A process is *alive* when its program runs in the sandbox's own namespace, and *healthy* when it also answers. No pid is
recorded: there is no moment at which a crash could lose one, and no other process can be taken for it. Only what is not
alive is ever started, so starting everything again is harmless.
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
    """A process of the sandbox: its name, command line, extra environment, and the question whether it answers.

    `launcher` is a command line that becomes `command`, for a program that needs to be started in a way of its own.
    """

    name: str
    command: list[str]
    is_answering: Callable[[], bool]
    launcher: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


class Processes:
    """Starts and watches services in the namespaces of `reaper`, for the sandbox at `layout`."""

    def __init__(self, layout: Layout, reaper: int) -> None:
        self._layout = layout
        self._reaper = reaper

    def start(self, service: Service) -> bool:
        """Start `service` unless it is alive; returns whether it had to be started. Does not wait for it to answer."""
        if self.is_alive(service):
            return False
        _refuse_taken_ports(service.name)
        environment = {"PATH": f"{self._layout.bin}:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"}
        environment |= {"HOME": str(self._layout.home)} | service.environment
        namespaces.spawn(self._reaper, service.command, self._log(service), environment, service.launcher)
        return True

    def wait(self, service: Service, seconds: float = START_SECONDS) -> None:
        """Wait until `service` answers. Raises SandboxError with the end of its log when it dies or takes too long."""
        began = time.monotonic()
        while not answers(service):
            elapsed = time.monotonic() - began
            if not self.is_alive(service):
                raise SandboxError(self._failure(service, f"ended by itself after {elapsed:.1f} s"))
            if elapsed > seconds:
                raise SandboxError(self._failure(service, f"does not answer after {elapsed:.0f} s"))
            time.sleep(0.05)

    def is_alive(self, service: Service) -> bool:
        return service.command[0] in namespaces.programs(self._reaper)

    def run_inside(self, command: list[str]) -> list[str]:
        """The command line that runs `command` with the mounts that the sandbox's processes see."""
        return namespaces.inside(self._reaper, command)

    def _log(self, service: Service) -> Path:
        return self._layout.logs / f"{service.name}.log"

    def _failure(self, service: Service, what: str) -> str:
        log = self._log(service)
        end = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
        return f"{service.name} {what}. The end of {log}:\n{end}\nRemove the sandbox (make sandbox-down) and try again."


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
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
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
