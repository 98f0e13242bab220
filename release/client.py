"""The API server of one cluster: objects are read and applied as plain data.

A client library brings types for every kind, and takes longer to import than everything that is asked here takes to be
answered. `rollback --now` waits for it, so this is HTTP of the standard library, one connection, and nothing that is not used.
"""

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from release.connection import connection_to
from release.kubeconfig import Access
from release.login import login

# The media types of writes.
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"

# How a connection ends that the server has closed while nothing was asked.
_CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class ApiError(Exception):
    """The API server cannot be reached, or refuses. `status` is that of HTTP, 0 when there was no answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Clock:
    """The monotonic time in seconds, and how to wait. Tests replace both."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Client:
    """Reads and applies objects of one namespace.

    Connects on first use, and keeps the connection. Threads may share it: they take turns. Every method raises `ApiError`, or
    `KubeconfigError` when the login fails.
    """

    def __init__(self, access: Access, namespace: str, clock: Clock = Clock()) -> None:
        self._clock = clock
        self._date: tuple[datetime, float] | None = None
        self._access = access
        self._namespace = namespace
        self._server = urlsplit(access.cluster.get("server") or "http://localhost:8080")
        self._turn = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._headers: tuple[tuple[str, str], ...] = ()

    def get(self, api_version: str, kind: str, name: str) -> Mapping[str, Any] | None:
        """One object, or None when it does not exist, or its kind does not."""
        try:
            found: Mapping[str, Any] = json.loads(self._ask("GET", self._path(api_version, kind, name)))
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND:
                return None
            raise
        return found

    def find(self, api_version: str, kind: str, **selectors: str) -> list[Mapping[str, Any]]:
        """The objects that the selectors of the API (`labelSelector`, `fieldSelector`) choose, without their kind."""
        found: list[Mapping[str, Any]] = json.loads(self._ask("GET", self._path(api_version, kind), selectors))["items"]
        return found

    def log(self, pod: str, last: int) -> list[str]:
        """The `last` lines that the newest container of a pod wrote."""
        text = self._ask("GET", self._path("v1", "Pod", pod) + "/log", {"tailLines": str(last)})
        return text.decode(errors="replace").splitlines()

    def apply(self, item: Mapping[str, Any], manager: str) -> None:
        """Server-side apply of an object in the name of `manager`, by force: what others hold of it becomes the manager's."""
        path = self._path(item["apiVersion"], item["kind"], item["metadata"]["name"])
        self._ask("PATCH", path, {"fieldManager": manager, "force": "true"}, json.dumps(item).encode(), APPLY)

    def patch(
        self, api_version: str, kind: str, name: str, operations: Sequence[Mapping[str, Any]], manager: str
    ) -> Mapping[str, Any]:
        """Apply a JSON Patch (RFC 6902) as the field manager `manager`; returns the object as written.

        A `test` operation that fails (for example on /metadata/resourceVersion) is an `ApiError` with status 422.
        """
        body = json.dumps(operations).encode()
        path = self._path(api_version, kind, name)
        written: Mapping[str, Any] = json.loads(self._ask("PATCH", path, {"fieldManager": manager}, body, JSON_PATCH))
        return written

    def now(self) -> datetime:
        """The present time of the API server (UTC, to the second), by the Date header of its latest response."""
        if self._date is None:
            self._ask("GET", "/version")
        if self._date is None:  # something between us and the API server removes the header
            return datetime.now(UTC)
        date, at = self._date
        return date + timedelta(seconds=self._clock.now() - at)

    def _path(self, api_version: str, kind: str, name: str = "") -> str:
        """Of a kind whose plural has an "s", as that of all kinds here."""
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        kinds = f"{root}/namespaces/{self._namespace}/{kind.lower()}s"
        return f"{kinds}/{name}" if name else kinds

    def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "",
    ) -> bytes:
        path = self._server.path.rstrip("/") + path + (f"?{urlencode(query)}" if query else "")
        with self._turn:
            try:
                status, answer = self._answer(method, path, body, content_type)
            except (OSError, http.client.HTTPException) as error:
                reason = str(error) or type(error).__name__
                raise ApiError(f"{self._server.geturl()} cannot be asked: {reason}") from error
        if not 200 <= status < 300:
            raise ApiError(_reason(status, answer), status)
        return answer

    def _answer(self, method: str, path: str, body: bytes | None, content_type: str) -> tuple[int, bytes]:
        if self._connection:
            # Meanwhile the server may have closed it, or the login may have run out; then both are made anew, once.
            try:
                status, answer = self._exchange(self._connection, method, path, body, content_type)
            except _CLOSED:
                pass
            else:
                if status != http.HTTPStatus.UNAUTHORIZED:
                    return status, answer
                self._close()
        return self._exchange(self._connect(), method, path, body, content_type)

    def _exchange(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None, content_type: str
    ) -> tuple[int, bytes]:
        try:
            connection.putrequest(method, path)
            for name, value in (("User-Agent", "bluegreen"), *self._headers):
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Type", content_type)
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            self._remember(response.headers.get("Date", ""))
            return response.status, response.read()
        except BaseException:
            self._close()
            raise

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

    def _connect(self) -> http.client.HTTPConnection:
        shown = login(self._access)
        self._headers = shown.headers
        self._connection = connection_to(self._server, self._access.cluster, shown.certificate)
        return self._connection


def _reason(status: int, answer: bytes) -> str:
    """Why the API server refuses: the message of its Status, or what it said instead."""
    text = answer.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {status}{f': {text[:200]}' if text else ''}"
