"""What a command asks the API server, request by request: a cost that does not depend on how fast the host is."""

import contextlib
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from socketserver import BaseRequestHandler, ThreadingTCPServer

_HEAD = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (\S+) HTTP/1\.1\r\n(?:(?!\r\n)[^\n]*\n)*?[Uu]ser-[Aa]gent: ([^\r\n]*)")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request: its method, its path with the query, and who sent it."""

    method: str
    path: str
    agent: str

    @property
    def is_ours(self) -> bool:
        """Whether the rules or the command sent it, and not Pulumi's provider."""
        return self.agent.startswith("bluegreen")

    @property
    def is_write(self) -> bool:
        """Whether it writes an object. A review asks for rights, and keeps nothing."""
        return self.method != "GET" and "dryRun=All" not in self.path and not self.name.endswith("reviews")

    @property
    def name(self) -> str:
        """The last part of the path: of a write, the name of the object."""
        return self.path.partition("?")[0].rpartition("/")[2]


@contextlib.contextmanager
def recorder(
    variables: Mapping[str, str], on_request: Callable[[Request], None] = lambda _: None
) -> Iterator[tuple[str, list[Request]]]:
    """The URL of a server that passes everything on to the API server, with all rights, and what was asked of it so far."""
    asked: list[Request] = []

    def record(data: bytes) -> None:
        for method, path, agent in _HEAD.findall(data):
            request = Request(method=method.decode(), path=path.decode(), agent=agent.decode())
            on_request(request)
            asked.append(request)

    with _kubectl_proxy(variables) as target, _forwarder(target, record) as url:
        yield url, asked


@contextlib.contextmanager
def _kubectl_proxy(variables: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    command = ["kubectl", "proxy", "--port=0"]
    with subprocess.Popen(command, env=dict(variables), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            address, _, port = process.stdout.readline().strip().rpartition(" ")[2].rpartition(":")
            yield address, int(port)
        finally:
            process.terminate()


@contextlib.contextmanager
def _forwarder(target: tuple[str, int], record: Callable[[bytes], None]) -> Iterator[str]:
    class Connection(BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(target) as onward:
                back = threading.Thread(target=_pipe, args=(onward, self.request, lambda _: None), daemon=True)
                back.start()
                _pipe(self.request, onward, record)
                back.join()

    class Server(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Connection) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def _pipe(source: socket.socket, sink: socket.socket, see: Callable[[bytes], None]) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            see(data)
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
