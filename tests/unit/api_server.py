"""An API server in this process, which records its requests and responds as a test wants, and a kubeconfig for it."""

import contextlib
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from bluegreen.kube.client import Client, Clock
from bluegreen.kube.kubeconfig import ClusterConfig
from bluegreen.routing import istio

Response = tuple[int, Any] | tuple[int, Any, Mapping[str, str]]
"""Status, body (text as it is, everything else as JSON), and headers."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request; `certificate` is the common name that the client's certificate shows, `connection` the client's port."""

    method: str
    path: str
    headers: Mapping[str, list[str]]
    body: str
    certificate: str
    connection: int


class FakeTime:
    """A monotonic clock that only `sleep`, and a test that adds to `seconds`, advance."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Returns at once."""
        self.slept.append(round(seconds, 3))
        self.seconds += seconds

    @property
    def clock(self) -> Clock:
        """The clock for a client."""
        return Clock(now=lambda: self.seconds, sleep=self.sleep)


def client(
    url: str, cluster: Mapping[str, Any] | None = None, *, user: Mapping[str, Any] | None = None, time: FakeTime | None = None
) -> Client:
    """A client of the namespace `prod` that does not really sleep."""
    config = ClusterConfig(cluster={"server": url, **(cluster or {})}, user=user or {})
    return Client(config, "prod", (time or FakeTime()).clock, istio.APIS)


def status(code: int, reason: str, message: str = "", **details: str) -> Response:
    """The Status with which an API server reports a failure."""
    return code, {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": details, "code": code}


def exists(_: Request) -> Response:
    """Responds that the object exists, or with an empty list."""
    return 200, {"metadata": {"name": "any"}, "items": []}


@contextlib.contextmanager
def api_server(
    respond: Callable[[Request], Response] = exists, *, tls: ssl.SSLContext | None = None, hangs_up: bool = False
) -> Iterator[tuple[str, list[Request]]]:
    """The URL of a server and its requests. With `hangs_up` it closes every connection after a response, without a header."""
    requests: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            peer = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
            subject: Any = (peer or {}).get("subject", ())
            names = dict(pair for entry in subject for pair in entry)
            requests.append(
                Request(
                    method=self.command,
                    path=self.path,
                    headers={name: self.headers.get_all(name) or [] for name in self.headers},
                    body=self.rfile.read(int(self.headers.get("Content-Length", 0))).decode(),
                    certificate=str(names.get("commonName", "")),
                    connection=self.client_address[1],
                )
            )
            status, content, *more = respond(requests[-1])
            headers = {"Date": self.date_time_string(), **(more[0] if more else {})}
            body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response_only(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if hangs_up and not tls:
                # FIN goes out with the last byte, so a client that has read the body has received FIN too.
                self.connection.send(body, socket.MSG_MORE)
                self.connection.shutdown(socket.SHUT_WR)
            else:
                self.wfile.write(body)
            self.close_connection = hangs_up

        def do_GET(self) -> None:
            self.respond()

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # the client has closed the connection
                super().handle()

        def do_PATCH(self) -> None:
            self.respond()

        def do_POST(self) -> None:
            self.respond()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        if tls:
            running.socket = tls.wrap_socket(running.socket, server_side=True)
        Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{running.server_address[1]}", requests
        finally:  # stops the thread: polling a closed socket would be a busy loop
            running.shutdown()


def kubeconfig(name: str, server: str, *, current: str = "", **user: Any) -> dict[str, Any]:
    """A kubeconfig with one context; context, cluster and user are called `name`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": current,
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": user}],
    }
