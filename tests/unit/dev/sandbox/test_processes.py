"""The processes of the sandbox are recognized, and an error says what keeps one from starting."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.sandbox.errors import SandboxError
from dev.sandbox.layout import PORTS_BY_PROCESS, Layout
from dev.sandbox.processes import Processes, Service, is_healthy, over_http

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.logs.mkdir(parents=True)
    return layout


def service(program: str) -> Service:
    return Service(name="etcd", command=[program], health_check=lambda: False)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the namespace of this one, started by a path that no other process has."""
    program = tmp_path / "sleeper"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([str(program), "60"]) as process:
        yield process
        process.kill()


@pytest.mark.usefixtures("sleeper")
def test_process_is_alive_while_its_program_runs(layout: Layout) -> None:
    assert Processes(layout, reaper=os.getpid()).is_alive(service(str(layout.checkout / "sleeper")))


def test_zombie_is_not_alive(layout: Layout, sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not Processes(layout, reaper=os.getpid()).is_alive(service(str(layout.checkout / "sleeper")))


def test_program_that_never_ran_is_not_alive(layout: Layout) -> None:
    assert not Processes(layout, reaper=os.getpid()).is_alive(service("/nonexistent/etcd"))


def test_failure_to_start_quotes_the_end_of_the_log(layout: Layout) -> None:
    (layout.logs / "etcd.log").write_text("first\nno such flag\n")
    with pytest.raises(SandboxError, match=r"etcd exited after[\s\S]*no such flag[\s\S]*sandbox-down"):
        Processes(layout, reaper=os.getpid()).wait(service("/nonexistent/etcd"))


def test_port_in_use_is_an_error_that_names_the_process(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setitem(PORTS_BY_PROCESS, "etcd", (port,))
        with pytest.raises(SandboxError, match=rf"Port {port} .* process {os.getpid()} \("):
            Processes(layout, reaper=os.getpid()).start(service("/nonexistent/etcd"))


def test_unreachable_process_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    service = Service(name="etcd", command=[], health_check=over_http(f"http://127.0.0.1:{port}/health"))
    assert not is_healthy(service)
