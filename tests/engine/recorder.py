"""A server before the API server: it notes each request, and passes it on as the user of a kubeconfig, or does not."""

import contextlib
import http.client
import ssl
import tempfile
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml

# What happens to a request; a number is the status of a response that the API server has not sent. STALLS: no response, and the
# API server does not get the request. IS_LOST: it gets the request, and its response is lost with the connection.
PASSES, STALLS, IS_LOST = "", "stalls", "is lost"
_HEADERS = {"429": {"Retry-After": "1"}, "302": {"Location": "https://login.example/"}}

# As long as nothing is sent on a connection that stalls; a client that waits for 10 s has gone by then.
STALL_SECONDS = 12

# What concerns one connection only, or is replaced here.
_NOT_PASSED_ON = ("connection", "transfer-encoding", "content-length", "host", "authorization")


@dataclass(kw_only=True)
class Request:
    """One request: its method, its path with the query, who sent it, and the status of the response, 0 while there is none."""

    method: str
    path: str
    agent: str
    status: int = 0

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


class _Server:
    """The API server of a kubeconfig, and the credentials of its user: a certificate or a token."""

    def __init__(self, kubeconfig: Path) -> None:
        content = yaml.safe_load(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self._address = urlsplit(cluster["server"])
        self._tls = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        self.headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        if not self.headers:
            with tempfile.NamedTemporaryFile() as file:
                file.write(b"\n".join(b64decode(user[f"client-{part}-data"]) for part in ("certificate", "key")))
                file.flush()
                self._tls.load_cert_chain(file.name)

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._address.hostname or "", self._address.port or 443, context=self._tls)


@contextlib.contextmanager
def recording(
    kubeconfig: Path, on_request: Callable[[Request], str | None] = lambda _: PASSES
) -> Iterator[tuple[str, list[Request]]]:
    """The URL of a server that passes everything on, and the requests so far.

    `on_request` gets each request before it is passed on, and may return what happens to it instead.
    """
    server, asked, over = _Server(kubeconfig), [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            self.upstream = server.connect()

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # a client that has gone, or has seen enough of a watch
                super().handle()

        def finish(self) -> None:
            self.upstream.close()
            with contextlib.suppress(OSError):
                super().finish()

        def receive(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(method=self.command, path=self.path, agent=self.headers.get("User-Agent", ""))
            asked.append(request)
            what = on_request(request) or PASSES
            if what == STALLS:
                over.wait(STALL_SECONDS)
            elif what in (PASSES, IS_LOST):
                self.pass_on(request, body, is_lost=what == IS_LOST)
            else:
                self.refuse(what)
            self.close_connection = self.close_connection or what in (STALLS, IS_LOST)

        def refuse(self, status: str) -> None:
            self.send_response_only(int(status))
            for name, value in (_HEADERS.get(status, {}) | {"Content-Length": "0"}).items():
                self.send_header(name, value)
            self.end_headers()

        def pass_on(self, request: Request, body: bytes, *, is_lost: bool) -> None:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
            self.upstream.request(request.method, request.path, body or None, headers | server.headers)
            response = self.upstream.getresponse()
            request.status = response.status
            if is_lost:
                response.read()
                return
            self.send_response_only(response.status)
            for name, value in response.getheaders():
                if name.lower() not in _NOT_PASSED_ON:
                    self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while chunk := response.read1(65536):  # a watch sends an event when there is one
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
            response.close()  # a response with a length is not closed by its last byte

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = receive  # noqa: N815 - the names that the base class looks for

        def log_message(self, *_: object) -> None:
            """Says nothing: what matters is recorded."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_port}", asked
        finally:
            over.set()
            running.shutdown()


def recorder(
    variables: Mapping[str, str], on_request: Callable[[Request], None] = lambda _: None
) -> contextlib.AbstractContextManager[tuple[str, list[Request]]]:
    """`recording` for the cluster of a shell's variables."""
    return recording(Path(variables["KUBECONFIG"]), on_request)
