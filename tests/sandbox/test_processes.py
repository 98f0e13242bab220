"""A recorded process is recognized for what it is, or not at all."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import processes
from sandbox.errors import SandboxError
from sandbox.layout import PORTS_BY_PROCESS, Layout
from sandbox.processes import Processes, Service, over_http

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    layout.processes.mkdir(parents=True)
    layout.logs.mkdir()
    return layout


def record(layout: Layout, pid: int, started: int) -> None:
    (layout.processes / "etcd.json").write_text(json.dumps({"pid": pid, "started": started}))


def test_process_is_alive_while_its_pid_belongs_to_it(layout: Layout) -> None:
    record(layout, os.getpid(), processes._start_time(os.getpid()))
    assert Processes(layout, reaper=1).is_alive("etcd")


def test_pid_that_was_given_to_another_process_is_not_the_recorded_one(layout: Layout) -> None:
    record(layout, os.getpid(), processes._start_time(os.getpid()) - 1)
    assert not Processes(layout, reaper=1).is_alive("etcd")


def test_process_that_waits_to_be_reaped_is_not_alive(layout: Layout) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    record(layout, child.pid, processes._start_time(child.pid))
    assert Processes(layout, reaper=1).is_alive("etcd")
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not Processes(layout, reaper=1).is_alive("etcd")
    child.communicate()


@pytest.mark.parametrize("content", ["", "{}", '{"pid": 1'], ids=["empty", "without fields", "half written"])
def test_damaged_record_means_not_alive(layout: Layout, content: str) -> None:
    (layout.processes / "etcd.json").write_text(content)
    assert not Processes(layout, reaper=1).is_alive("etcd")


def test_failure_to_start_quotes_the_end_of_the_log(layout: Layout) -> None:
    (layout.logs / "etcd.log").write_text("first\nno such flag\n")
    service = Service(name="etcd", command=[], is_answering=lambda: False)
    with pytest.raises(SandboxError, match=r"etcd ended by itself[\s\S]*no such flag[\s\S]*sandbox-down"):
        Processes(layout, reaper=1).wait(service)


def test_taken_port_names_who_has_it(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setitem(PORTS_BY_PROCESS, "etcd", (port,))
        service = Service(name="etcd", command=[], is_answering=lambda: False)
        with pytest.raises(SandboxError, match=rf"Port {port} .* process {os.getpid()} \("):
            Processes(layout, reaper=1).start(service)


def test_nobody_listening_is_not_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    service = Service(name="etcd", command=[], is_answering=over_http(f"http://127.0.0.1:{port}/health"))
    assert not processes.answers(service)
