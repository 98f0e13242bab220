"""Sends single requests to an API server over one connection, with valid credentials. Never retries; `kube.client` does.

The one exception: after a 401 it renews the credentials and sends the request again.
"""

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

# Limit for reading the body of a response, even if data keeps arriving.
LONGEST_BODY_SECONDS = 30

_CHUNK_BYTES = 1 << 16

# Transient: the server restarts, closes the connection or does not respond in time; the network is briefly unreachable.
_TRANSIENT = (ConnectionError, TimeoutError, ssl.SSLEOFError, ssl.SSLZeroReturnError, http.client.IncompleteRead)
_TRANSIENT_NUMBERS = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, socket.EAI_AGAIN)
_TRANSIENT_STATUSES = (
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_SERVER_ERROR = 500


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The monotonic time in seconds, and sleep. Tests replace both."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


SYSTEM = Clock()


@dataclass(frozen=True, kw_only=True)
class Request:
    """`path` is relative to the server's URL and contains the query. `content_type` is used only with a `body`."""

    method: str
    path: str
    body: bytes | None = None
    content_type: str = ""


@dataclass(frozen=True, kw_only=True)
class Response:
    """The result of one attempt. `status` is the HTTP status, 0 without a response; then `failure` is the reason.

    `retry_after` is in seconds, None without that header. `location` is the target of a redirect. `was_sent` is true if the
    server may have received the request. `is_interrupted`: the connection failed in a way that a retry may cure.
    """

    status: int
    body: bytes = b""
    retry_after: float | None = None
    location: str = ""
    failure: str = ""
    was_sent: bool = True
    is_interrupted: bool = False

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def is_transient(self) -> bool:
        """Whether a retry of the same request may succeed."""
        is_busy = self.status == HTTPStatus.TOO_MANY_REQUESTS or self.status in _TRANSIENT_STATUSES
        return self.is_interrupted or is_busy or (self.status >= _SERVER_ERROR and self.retry_after is not None)

    @property
    def may_be_done(self) -> bool:
        """Whether a write may have been carried out although this is not a success. With Retry-After it has not been."""
        is_unclear = self.status >= _SERVER_ERROR and self.retry_after is None
        return is_unclear or (self.status == 0 and self.was_sent)


def _failed(error: Exception, *, was_sent: bool) -> Response:
    is_transient = isinstance(error, _TRANSIENT) or getattr(error, "errno", None) in _TRANSIENT_NUMBERS
    return Response(status=0, failure=str(error) or type(error).__name__, was_sent=was_sent, is_interrupted=is_transient)


class Transport:
    """Connects on first use, and keeps the connection and the credentials. Thread-safe: one request at a time.

    Raises `KubeconfigError` if the URL of the server is invalid.
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
        """The URL of the API server."""
        return self._server.geturl()

    def now(self) -> datetime | None:
        """The current time of the API server (UTC, to the second); None before the first response with a Date header."""
        if self._date is None:
            return None
        date, at = self._date
        return date + timedelta(seconds=self._clock.now() - at)

    def send(self, request: Request) -> Response:
        """One attempt; after a 401 a second one, if renewing gives other credentials. Raises `KubeconfigError`."""
        with self._lock:
            before = self._credentials
            response = self._send(request, self._valid_credentials())
            # Credentials that were renewed for this very request are not renewed again.
            if response.status == HTTPStatus.UNAUTHORIZED and before is self._credentials:
                self._renew()
                if before != self._credentials:
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
        body, deadline = b"", self._clock.now() + LONGEST_BODY_SECONDS
        while chunk := response.read1(_CHUNK_BYTES):
            body += chunk
            if self._clock.now() > deadline:
                raise TimeoutError(f"the response was not complete after {LONGEST_BODY_SECONDS} s")
        if response.length:  # read1 reports a broken connection as the end of the body
            raise http.client.IncompleteRead(body, response.length)
        response.read()  # marks the response as read, so that the connection can be reused
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
    """Whether the server, or http.client, has closed an idle connection.

    Checked before a request is sent: afterwards nobody could say whether a write was carried out.
    """
    if connection.sock is None:
        return True
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def _seconds(header: str) -> float | None:
    """Retry-After in seconds; None for a date, which client-go does not support either."""
    return float(header) if header.isascii() and header.isdigit() and len(header) < 9 else None
