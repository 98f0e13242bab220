"""A way to the API server on which requests are answered by something else, or not at all, once each."""

import contextlib
import http.client
import ssl
import tempfile
import threading
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml

# What happens to a request. `redirects`: something in between wants a login. `stalls`: no response, and the server does not get
# it. `is lost`: the server gets it, and its response is lost with the connection.
REDIRECTS, BUSY, ERROR, UNAVAILABLE, STALLS, IS_LOST = "302", "429", "500", "503", "stalls", "is lost"

_HEADERS = {BUSY: {"Retry-After": "1"}, REDIRECTS: {"Location": "https://login.example/"}}

# As long as nothing is sent on a connection that stalls; a client that waits for 10 s has gone by then.
STALL_SECONDS = 12

# What concerns one connection only.
_HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "host")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Happens once, to the first request of this project's own client that it is for, after `skipped` such requests."""

    what: str
    method: str
    path: str
    skipped: int = 0


class Way:
    """Leads to the API server of a kubeconfig as its user, over plain HTTP at `url`."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._server = urlsplit(cluster["server"])
        self._tls = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"\n".join(b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key")))
            file.flush()
            self._tls.load_cert_chain(file.name)
        self._faults: list[Fault] = []
        self._seen: dict[Fault, int] = {}
        self._lock = threading.Lock()
        self.happened: list[str] = []
        self.url = ""

    def expect(self, *faults: Fault) -> None:
        """Makes these happen from now on, each once."""
        with self._lock:
            self._faults = list(faults)
            self._seen = {}
            self.happened = []

    def fault_for(self, method: str, path: str) -> str:
        """What happens to this request; usually nothing."""
        with self._lock:
            for fault in self._faults:
                if method != fault.method or fault.path not in path:
                    continue
                self._seen[fault] = self._seen.get(fault, 0) + 1
                if self._seen[fault] > fault.skipped:
                    self._faults.remove(fault)
                    self.happened.append(fault.what)
                    return fault.what
                return ""
        return ""

    def connect(self) -> http.client.HTTPSConnection:
        """A connection to the API server itself."""
        port = self._server.port or 443
        return http.client.HTTPSConnection(self._server.hostname or "", port, context=self._tls)


@contextlib.contextmanager
def unsteady(kubeconfig: Path) -> Iterator[Way]:
    """A way to the cluster of a kubeconfig, while this lasts."""
    way = Way(kubeconfig)
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_ours = self.headers.get("User-Agent") == "bluegreen"
            what = way.fault_for(self.command, self.path) if is_ours else ""
            if what == STALLS:
                over.wait(STALL_SECONDS)
            if what in ("", IS_LOST):
                self.forward(body, is_lost=what == IS_LOST)
            elif what != STALLS:
                self.refuse(int(what), _HEADERS.get(what, {}))
            self.close_connection = self.close_connection or what in (STALLS, IS_LOST)

        def refuse(self, status: int, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def forward(self, body: bytes, *, is_lost: bool) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            connection = way.connect()
            connection.request(self.command, self.path, body or None, headers)
            response = connection.getresponse()
            if is_lost:
                response.read()
                return
            self.send_response_only(response.status)
            for name, value in response.getheaders():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while chunk := response.read1(65536):  # a watch sends an event when there is one
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
            connection.close()

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # a client that has gone
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.pass_on)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        way.url = f"http://127.0.0.1:{running.server_address[1]}"
        try:
            yield way
        finally:
            over.set()
            running.shutdown()
