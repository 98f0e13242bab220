"""One connection and one login to an API server, and single requests over it. `kube.client` repeats those that fail."""

import errno
import http.client
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from bluegreen.kube.connection import connection_to, server_of
from bluegreen.kube.credentials import Credentials, read_credentials
from bluegreen.kube.kubeconfig import ClusterConfig

# The longest that the body of a response may take, however steadily it comes.
LONGEST_BODY_SECONDS = 30

_CHUNK_BYTES = 1 << 16

# What passes: the server restarts, closes the connection, or does not respond in time; the network is away for a moment.
_PASSING = (ConnectionError, TimeoutError, ssl.SSLEOFError, ssl.SSLZeroReturnError, http.client.IncompleteRead)
_PASSING_NUMBERS = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, socket.EAI_AGAIN)
_PASSING_STATUSES = (
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The monotonic time in seconds, and how to wait. Tests replace both."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM = Clock()


@dataclass(frozen=True, kw_only=True)
class Request:
    """`path` is below the server's own, with the query; a request without a `body` has no `content_type`."""

    method: str
    path: str
    body: bytes | None = None
    content_type: str = ""


@dataclass(frozen=True, kw_only=True)
class Response:
    """What came of one attempt. `status` is that of HTTP, 0 when there was no response: then `failure` says why.

    `retry_after` is in seconds, None when the server does not say. `location` is where a redirect leads.
    """

    status: int
    body: bytes = b""
    retry_after: float | None = None
    location: str = ""
    failure: str = ""
    was_sent: bool = True
    is_broken_off: bool = False

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed a little later."""
        is_busy = self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status in _PASSING_STATUSES
        return self.is_broken_off or is_busy or (self.status >= _SERVER_ERROR and self.retry_after is not None)

    @property
    def may_be_done(self) -> bool:
        """Whether a write may have been carried out although this is no success. With Retry-After it has not been."""
        is_unclear = self.status >= _SERVER_ERROR and self.retry_after is None
        return is_unclear or (self.status == 0 and self.was_sent)


def _failed(error: Exception, *, was_sent: bool) -> Response:
    is_passing = isinstance(error, _PASSING) or getattr(error, "errno", None) in _PASSING_NUMBERS
    return Response(status=0, failure=str(error) or type(error).__name__, was_sent=was_sent, is_broken_off=is_passing)


class Transport:
    """Connects and logs in on first use, and keeps both. Threads may share it: they take turns.

    Raises `KubeconfigError` when the address of the server cannot be used.
    """

    def __init__(self, config: ClusterConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._server = server_of(config)
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._credentials: Credentials | None = None
        self._renewal = 0.0
        self._date: tuple[datetime, float] | None = None

    @property
    def server(self) -> str:
        """The address of the API server."""
        return self._server.geturl()

    def now(self) -> datetime | None:
        """The present time of the API server (UTC, to the second), None when no response has told it yet."""
        if self._date is None:
            return None
        date, at = self._date
        return date + timedelta(seconds=self._clock.now() - at)

    def send(self, request: Request) -> Response:
        """One attempt. Credentials that the server refuses are renewed once. Raises `KubeconfigError`."""
        with self._lock:
            used = self._credentials
            response = self._send(request, self._valid_credentials())
            if response.status == HTTPStatus.UNAUTHORIZED and used is self._credentials:
                self._renew()
                if used != self._credentials:
                    response = self._send(request, self._valid_credentials())
            return response

    def _valid_credentials(self) -> Credentials:
        if self._credentials is None or self._clock.now() >= self._renewal:
            self._renew()
        assert self._credentials is not None
        return self._credentials

    def _renew(self) -> None:
        before = self._credentials
        self._credentials = read_credentials(self._config, is_secure=self._server.scheme == "https")
        self._renewal = self._clock.now() + self._credentials.seconds
        if before is None or before.certificate != self._credentials.certificate:
            self._close()

    def _send(self, request: Request, credentials: Credentials) -> Response:
        was_sent = False
        try:
            connection = self._connected(credentials)
            was_sent = True
            self._write(connection, request, credentials)
            return self._read(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self._close()
            return _failed(error, was_sent=was_sent)
        except BaseException:
            self._close()
            raise

    def _connected(self, credentials: Credentials) -> http.client.HTTPConnection:
        if self._connection and _is_closed(self._connection):
            self._close()
        if self._connection is None:
            self._connection = connection_to(self._server, self._config.cluster, credentials.certificate)
            self._connection.connect()
        return self._connection

    def _write(self, connection: http.client.HTTPConnection, request: Request, credentials: Credentials) -> None:
        connection.putrequest(request.method, self._server.path + request.path, skip_host=True)
        headers = [("Host", self._server.netloc), ("User-Agent", "bluegreen"), *credentials.headers]
        if request.body is not None:
            headers += [("Content-Type", request.content_type), ("Content-Length", str(len(request.body)))]
        for name, value in headers:
            connection.putheader(name, value.encode())
        connection.endheaders(request.body)

    def _read(self, response: http.client.HTTPResponse) -> Response:
        self._remember(response.headers.get("Date", ""))
        body, until = b"", self._clock.now() + LONGEST_BODY_SECONDS
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if self._clock.now() > until:
                raise TimeoutError(f"the response was not complete after {LONGEST_BODY_SECONDS} s")
        if response.length:  # read1 takes a connection that breaks for the end
            raise http.client.IncompleteRead(body, response.length)
        response.read()  # ends the response, so that the connection can be used again
        return Response(
            status=response.status,
            body=body,
            retry_after=_seconds(response.headers.get("Retry-After", "")),
            location=response.headers.get("Location", ""),
        )

    def _remember(self, header: str) -> None:
        try:
            date = parsedate_to_datetime(header)
            self._date = date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC), self._clock.now()
        except (ValueError, OverflowError):
            return

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None


def _is_closed(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed a connection that waits, or http.client has: a write must not find that out."""
    if connection.sock is None:
        return True
    waiting = select.poll()
    waiting.register(connection.sock, select.POLLIN)
    return bool(waiting.poll(0))


def _seconds(header: str) -> float | None:
    """Retry-After as a number of seconds; a date is not understood, as in client-go."""
    return float(header) if header.isascii() and header.isdigit() and len(header) < 9 else None
