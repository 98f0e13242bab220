"""Sends real requests to an endpoint, to find out which color serves.

`wait_for` succeeds after `in_a_row` consecutive responses of the color with a status from 200 to 499, each on a new connection.
One response proves nothing, because every worker thread of a proxy applies a new route at its own time. Every request is
limited in time (`LONGEST_SECONDS`) and in size (`MOST_BYTES`), whatever the server sends. Nothing here raises because of what a
server does.
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

LONGEST_SECONDS = 5.0
PAUSE_SECONDS = 0.02
MOST_BYTES = 8 * 1024 * 1024
_PIECE = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Response:
    """The response to one request, and the `seconds` it took. `error` is not empty if there was no complete response.

    `status` is 0 with an error. `color` is empty if the response does not name one. The names of `headers` are in lower case.
    """

    status: int = 0
    color: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = 0.0
    error: str = ""

    @property
    def is_served(self) -> bool:
        """Whether an application responded: true for a status such as 401, false for a gateway's 503 without a pod."""
        return not self.error and 200 <= self.status < 500

    @property
    def is_late(self) -> bool:
        """Whether the time limit ended the request."""
        return self.error.startswith("TimeoutError")

    def __str__(self) -> str:
        return self.error or f"status {self.status}" + (f" by {self.color}" if self.color else "")


def get(endpoint: Endpoint, path: str = "/", seconds: float = LONGEST_SECONDS) -> Response:
    """Sends one GET on a new connection, and follows no redirect. Never raises.

    A response that is not complete after `seconds`, or is larger than `MOST_BYTES`, is an error. Only the DNS lookup has a
    limit of its own, that of the system's resolver.
    """
    started = time.monotonic()
    try:
        status, headers, body = _get(endpoint, path, started + seconds)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an invalid request, or not HTTP
        return Response(error=f"{type(error).__name__}: {error}", seconds=time.monotonic() - started)
    color = headers.get(endpoint.color_header.lower(), "") if endpoint.color_header else ""
    return Response(status=status, color=color, body=body, headers=headers, seconds=time.monotonic() - started)


def _get(endpoint: Endpoint, path: str, deadline: float) -> tuple[int, dict[str, str], str]:
    parts = urlsplit(endpoint.url)
    headers = {"Host": endpoint.host, "Cookie": endpoint.cookie, "Connection": "close"}
    with _connected(parts.scheme, parts.hostname or "", parts.port, endpoint.host, deadline) as connection:
        target = parts.path.rstrip("/") + path
        connection.request("GET", target, headers={name: value for name, value in headers.items() if value})
        response = connection.getresponse()
        body = _body(response)
        return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def serves(endpoint: Endpoint, response: Response, color: str) -> bool:
    """Whether `color` sent this response. If the endpoint has no color header, every served response counts."""
    return response.is_served and (not endpoint.color_header or response.color == color)


@contextmanager
def _connected(scheme: str, name: str, port: int | None, host: str, deadline: float) -> Iterator[http.client.HTTPConnection]:
    """A connection on which every read and write ends at `deadline` (a time of `time.monotonic`)."""
    connection = http.client.HTTPConnection(name, port)
    if scheme == "https":
        connection = http.client.HTTPSConnection(name, port, context=_tls())
    plain = _connect(name, connection.port, deadline)
    try:
        plain.settimeout(_remaining(deadline))
        # A gateway chooses certificate and route by the server name, which is the host even if the URL has an IP address.
        server_name = host.partition(":")[0] or name
        stream = _tls().wrap_socket(plain, server_hostname=server_name) if scheme == "https" else plain
        try:
            connection.sock = _BoundedSocket(stream, deadline)
            yield connection
        finally:
            stream.close()
    finally:
        plain.close()


def _connect(name: str, port: int, deadline: float) -> socket.socket:
    """A socket to the first address of `name` that accepts. `socket.create_connection` would apply the timeout per address."""
    problem = OSError(f"{name} has no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(name, port, type=socket.SOCK_STREAM):
        candidate = socket.socket(family, kind, protocol)
        try:
            candidate.settimeout(_remaining(deadline))
            candidate.connect(address)
        except OSError as error:
            candidate.close()
            problem = error
        else:
            return candidate
    raise problem


@functools.cache
def _tls() -> "SSLContext":
    # Cached, because reading the system's certificates takes longer than a request.
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _remaining(deadline: float) -> float:
    """The seconds until `deadline`. Raises TimeoutError after it."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("no complete response in time")
    return seconds


class _BoundedSocket:
    """The methods of a socket that `http.client` uses, with a deadline and a size limit. A socket's timeout is per read."""

    def __init__(self, stream: socket.socket, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def sendall(self, data: Any) -> None:
        self._stream.settimeout(_remaining(self._deadline))
        self._stream.sendall(data)

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_BoundedReader(self._stream, self._deadline))

    def close(self) -> None:
        """Does nothing: `http.client` closes its socket before it reads the body; `_connected` closes it afterwards."""


class _BoundedReader(io.RawIOBase):
    def __init__(self, stream: socket.socket, deadline: float) -> None:
        self._stream, self._deadline, self._bytes_left = stream, deadline, MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._stream.settimeout(_remaining(self._deadline))
        count = self._stream.recv_into(buffer)
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise OSError(f"the response is larger than {MOST_BYTES // 1024**2} MiB")
        return count


def _body(response: http.client.HTTPResponse) -> str:
    """The whole body, read in pieces, so that memory is not allocated for a Content-Length that may be false."""
    pieces = []
    while piece := response.read(_PIECE):
        pieces.append(piece)
    if response.length:
        raise http.client.IncompleteRead(b"".join(pieces), response.length)
    return b"".join(pieces).decode(errors="replace")


@dataclass(frozen=True, kw_only=True)
class Wait:
    """The result of waiting for a color. `last_other` is the last response that the color did not serve, None without one."""

    is_served: bool
    seconds: float
    requests: int
    last_other: Response | None


def wait_for(endpoint: Endpoint, color: str, *, seconds: float = 20, in_a_row: int = IN_A_ROW) -> Wait:
    """Sends requests until `color` has served `in_a_row` of them in a row, for `seconds` and at most one second more."""
    started, row, requests, other = time.monotonic(), 0, 0, None
    while row < in_a_row and (left := seconds - (time.monotonic() - started)) > 0:
        # The last request gets at least a second: its timeout would replace the response that explains the failure.
        response = get(endpoint, seconds=min(max(left, 1.0), LONGEST_SECONDS))
        requests += 1
        if serves(endpoint, response, color):
            row += 1
        else:
            row, other = 0, response
            time.sleep(PAUSE_SECONDS)
    return Wait(is_served=row >= in_a_row, seconds=time.monotonic() - started, requests=requests, last_other=other)


def sample(endpoint: Endpoint, requests: int, seconds: float) -> Sequence[Response]:
    """The responses to `requests` concurrent requests. One that is missing after `seconds` is an error."""
    arrived: queue.SimpleQueue[Response] = queue.SimpleQueue()
    deadline = time.monotonic() + seconds
    for _ in range(requests):
        in_background(lambda: arrived.put(get(endpoint, seconds=seconds)))
    responses: list[Response] = []
    for _ in range(requests):
        try:
            responses.append(arrived.get(timeout=max(0.0, deadline - time.monotonic())))
        except queue.Empty:
            responses.append(Response(error=f"TimeoutError: no complete response in {seconds:g} s", seconds=seconds))
    return responses


def in_background(work: Any) -> None:
    """Runs `work()` in a daemon thread: a DNS server that does not respond blocks it for up to a minute."""
    threading.Thread(target=work, daemon=True).start()
