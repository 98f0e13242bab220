"""A small server in this process, which answers as a test wants it to."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int = 200
    body: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """One request, and how many came before it."""

    path: str
    host: str
    cookie: str
    before: int


@contextlib.contextmanager
def server(answer: Callable[[Asked], Reply]) -> Iterator[str]:
    """The address of a server that is there as long as the context lasts."""
    count = iter(range(1_000_000))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = answer(Asked(self.path, self.headers.get("Host", ""), self.headers.get("Cookie", ""), next(count)))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            with contextlib.suppress(ConnectionError):  # nobody waits for the answer any more
                self.end_headers()
                self.wfile.write(reply.body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}"
        finally:  # a thread that polls a closed socket never sleeps again
            running.shutdown()
