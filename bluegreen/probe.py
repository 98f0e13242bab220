"""Real requests: who answers at an endpoint, and whether it is the expected color.

`wait_for` succeeds after `in_a_row` consecutive requests, each on its own connection, that the color answered with a status
from 200 to 499. Every worker of a proxy applies a new route by itself, so one answer proves nothing.
Every request is bounded in time (`LONGEST_SECONDS`) and in size (`MOST_BYTES`), whatever the other side sends.
"""

import functools
import http.client
import io
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bluegreen.release.endpoint import Endpoint

if TYPE_CHECKING:
    from ssl import SSLContext

IN_A_ROW = 20

# Begins the error of an update that wrote the route and did not see users served; the command knows it by this.
NOT_SERVED = "Users are not served by"

LONGEST_SECONDS = 5.0
PAUSE_SECONDS = 0.02
MOST_BYTES = 8 * 1024 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Response:
    """The answer to one request, and the `seconds` it took. `error` is not empty if there was no complete answer."""

    status: int = 0
    color: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = 0.0
    error: str = ""

    @property
    def is_served(self) -> bool:
        """Whether an application answered: a refused login is an answer, a gateway without a pod behind it is none."""
        return not self.error and 200 <= self.status < 500

    @property
    def is_late(self) -> bool:
        """Whether the time was over before the answer was complete."""
        return self.error.startswith("TimeoutError")

    def __str__(self) -> str:
        return self.error or f"status {self.status}" + (f" by {self.color}" if self.color else "")


def get(endpoint: Endpoint, path: str = "/", seconds: float = LONGEST_SECONDS) -> Response:
    """Sends one GET on its own connection and follows no redirect. Never raises.

    An answer that is not complete after `seconds`, or larger than `MOST_BYTES`, is an error. Only the lookup of the host
    name has its own limit, that of the system's resolver.
    """
    began = time.monotonic()
    try:
        status, headers, body = _get(endpoint, path, began + seconds)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: what cannot be sent, or is no HTTP
        return Response(error=f"{type(error).__name__}: {error}", seconds=time.monotonic() - began)
    color = headers.get(endpoint.color_header.lower(), "") if endpoint.color_header else ""
    return Response(status=status, color=color, body=body, headers=headers, seconds=time.monotonic() - began)


def _get(endpoint: Endpoint, path: str, until: float) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(endpoint.url)
    sent = {"Host": endpoint.host, "Cookie": endpoint.cookie, "Connection": "close"}
    with _connected(parts.scheme, parts.hostname or "", parts.port, endpoint.host, until) as connection:
        where = parts.path.rstrip("/") + path
        connection.request("GET", where, headers={name: value for name, value in sent.items() if value})
        response = connection.getresponse()
        body = _body(response)
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def serves(endpoint: Endpoint, answer: Response, color: str) -> bool:
    """Whether `color` gave this answer, as far as the endpoint shows it."""
    return answer.is_served and (not endpoint.color_header or answer.color == color)


@contextmanager
def _connected(scheme: str, name: str, port: int | None, host: str, until: float) -> Iterator[http.client.HTTPConnection]:
    """A connection on which every read and write ends at `until` (a time of `time.monotonic`)."""
    connection = http.client.HTTPConnection(name, port)
    if scheme == "https":
        connection = http.client.HTTPSConnection(name, port, context=_tls())
    plain = _opened(name, connection.port, until)
    try:
        plain.settimeout(_left(until))
        # A gateway chooses certificate and route by this name, also where the URL has an address.
        server = host.partition(":")[0] or name
        own = _tls().wrap_socket(plain, server_hostname=server) if scheme == "https" else plain
        try:
            connection.sock = _Bounded(own, until)
            yield connection
        finally:
            own.close()
    finally:
        plain.close()


def _opened(name: str, port: int, until: float) -> socket.socket:
    """A socket to the first address of `name` that accepts; `socket.create_connection` gives every address the whole time."""
    problem = OSError(f"{name} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
        own = socket.socket(family, kind, protocol)
        try:
            own.settimeout(_left(until))
            own.connect(address)
        except OSError as error:
            own.close()
            problem = error
        else:
            return own
    raise problem


@functools.cache
def _tls() -> "SSLContext":
    # Reading the system's certificates takes longer than a request.
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no complete answer in time")
    return left


class _Bounded:
    """What `http.client` needs of a socket, bounded in time and in size. The timeout of a socket alone bounds one read."""

    def __init__(self, own: socket.socket, until: float) -> None:
        self._own, self._until = own, until

    def sendall(self, data: Any) -> None:
        self._own.settimeout(_left(self._until))
        self._own.sendall(data)

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._own, self._until))

    def close(self) -> None:
        """Nothing: `http.client` closes its socket before it reads the body; `_connected` closes it afterwards."""


class _Reader(io.RawIOBase):
    def __init__(self, own: socket.socket, until: float) -> None:
        self._own, self._until, self._left = own, until, MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._own.settimeout(_left(self._until))
        count = self._own.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise OSError(f"the answer is larger than {MOST_BYTES // 1024**2} MiB")
        return count


def _body(response: http.client.HTTPResponse) -> str:
    """The whole body, piece by piece: the length that a response announces is not allocated before it has come."""
    pieces = []
    while piece := response.read(_PIECE):
        pieces.append(piece)
    if response.length:
        raise http.client.IncompleteRead(b"".join(pieces), response.length)
    return b"".join(pieces).decode(errors="replace")


@dataclass(frozen=True, kw_only=True)
class Wait:
    """The result of waiting for a color: how long it took, how many requests, and the last answer that was not its own."""

    is_served: bool
    seconds: float
    requests: int
    last_other: Response | None


def wait_for(endpoint: Endpoint, color: str, *, seconds: float = 20, in_a_row: int = IN_A_ROW) -> Wait:
    """Sends requests until `color` has answered `in_a_row` of them in a row, for `seconds` and at most one more."""
    began, row, requests, other = time.monotonic(), 0, 0, None
    while row < in_a_row and (left := seconds - (time.monotonic() - began)) > 0:
        # The last request gets a second: one that is cut short would hide what was seen before.
        answer = get(endpoint, seconds=min(max(left, 1.0), LONGEST_SECONDS))
        requests += 1
        if serves(endpoint, answer, color):
            row += 1
        else:
            row, other = 0, answer
            time.sleep(PAUSE_SECONDS)
    return Wait(is_served=row >= in_a_row, seconds=time.monotonic() - began, requests=requests, last_other=other)


def sample(endpoint: Endpoint, requests: int, seconds: float) -> Sequence[Response]:
    """The answers to `requests` that are sent at the same time; after `seconds` each missing one is an error."""
    answers: queue.SimpleQueue[Response] = queue.SimpleQueue()
    until = time.monotonic() + seconds
    for _ in range(requests):
        in_background(lambda: answers.put(get(endpoint, seconds=seconds)))
    found: list[Response] = []
    for _ in range(requests):
        try:
            found.append(answers.get(timeout=max(0.0, until - time.monotonic())))
        except queue.Empty:
            found.append(Response(error=f"TimeoutError: no complete answer in {seconds:g} s", seconds=seconds))
    return found


def in_background(work: Any) -> None:
    """Runs `work()` in a thread that does not keep the process alive: a name server that is silent holds one for a minute."""
    threading.Thread(target=work, daemon=True).start()
