"""Real requests: who serves at an entrance, and whether it is the color that it should be.

Success of `wait_for` is, in this order:
  1. `in_a_row` requests one after the other, each on a connection of its own,
  2. each answered with a status below 500,
  3. and, where an answer's header names the color, by that very color.
Every worker of a proxy takes a new route up by itself, so one answer proves nothing.
"""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

IN_A_ROW = 20
LONGEST_SECONDS = 5.0
PAUSE_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request was answered, in `seconds`. `error` is not empty when there was no whole answer."""

    status: int = 0
    color: str = ""
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    seconds: float = 0.0
    error: str = ""

    @property
    def is_served(self) -> bool:
        """Whether somebody was served: a refused login is an answer, a gateway without a pod behind it is none."""
        return not self.error and self.status < 500

    def __str__(self) -> str:
        return self.error or f"status {self.status}" + (f" by {self.color}" if self.color else "")


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """One way in. `host` and `cookie` are sent when not empty; `color_header` is the answer's that says who served."""

    url: str
    host: str = ""
    cookie: str = ""
    color_header: str = "x-color"

    def ask(self, path: str = "/") -> Answer:
        """Sends one GET, on a connection of its own; no redirect is followed. Never raises."""
        began = time.monotonic()
        try:
            status, headers, body = self._get(path)
        except (OSError, http.client.HTTPException) as error:
            return Answer(error=f"{type(error).__name__}: {error}", seconds=time.monotonic() - began)
        color = headers.get(self.color_header, "") if self.color_header else ""
        return Answer(status=status, color=color, body=body, headers=headers, seconds=time.monotonic() - began)

    def _get(self, path: str) -> tuple[int, dict[str, str], str]:
        parts = urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=LONGEST_SECONDS)
        sent = {"Host": self.host, "Cookie": self.cookie, "Connection": "close"}
        try:
            where = parts.path.rstrip("/") + path
            connection.request("GET", where, headers={name: value for name, value in sent.items() if value})
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
        finally:
            connection.close()

    def serves(self, answer: Answer, color: str) -> bool:
        """Whether `answer` is one of `color`, as far as the entrance can tell."""
        return answer.is_served and (not self.color_header or answer.color == color)


@dataclass(frozen=True, kw_only=True)
class Wait:
    """What came of waiting for a color: how long it took, how many requests, and the last answer that was not its."""

    is_served: bool
    seconds: float
    requests: int
    last_other: Answer | None


def wait_for(entrance: Entrance, color: str, *, seconds: float = 20, in_a_row: int = IN_A_ROW) -> Wait:
    """Asks until `color` has served `in_a_row` requests in a row, for at most `seconds`."""
    began, row, requests, other = time.monotonic(), 0, 0, None
    while row < in_a_row and time.monotonic() - began < seconds:
        answer = entrance.ask()
        requests += 1
        if entrance.serves(answer, color):
            row += 1
        else:
            row, other = 0, answer
            time.sleep(PAUSE_SECONDS)
    return Wait(is_served=row >= in_a_row, seconds=time.monotonic() - began, requests=requests, last_other=other)
