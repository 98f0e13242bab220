"""Users who send one request after the other, and remember in which order the colors served them."""

import http.client
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.cluster import eventually
from tests.entrance import Endpoint

COUNT, PAUSE_SECONDS = 4, 0.02
# A visitor ends by itself if nobody stops it.
LONGEST_SECONDS, MOST_REQUESTS = 30, 50_000


class Visitors:
    """`COUNT` users at one entrance, each on a connection of its own; without keep-alive on a new one for each request.

    `colors` has a list for each of them, with the colors in the order in which they served, a color once for each of its turns.
    """

    def __init__(self, entrance: Endpoint) -> None:
        self.colors: list[list[str]] = [[] for _ in range(COUNT)]
        self.failures: list[str] = []
        self._entrance = entrance
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(seen,), daemon=True) for seen in self.colors]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(LONGEST_SECONDS)

    def wait_for(self, color: str) -> None:
        """Wait until `color` was the last to serve each of them."""
        eventually(lambda: {seen[-1] if seen else "" for seen in self.colors}, {color})

    def _visit(self, seen: list[str]) -> None:
        connection = http.client.HTTPConnection(urlsplit(self._entrance.url).netloc, timeout=LONGEST_SECONDS)
        for _ in range(MOST_REQUESTS):
            if self._stopped.wait(PAUSE_SECONDS):
                break
            color = self._ask(connection)
            if color and color not in seen[-1:]:
                seen.append(color)
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> str:
        headers = {"Host": self._entrance.host, "Cookie": self._entrance.cookie}
        try:
            connection.request("GET", "/", headers={name: value for name, value in headers.items() if value})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.failures.append(repr(error))
            return ""
        if not self._entrance.keep_alive:
            connection.close()
        if answer.status != 200:
            self.failures.append(f"status {answer.status}")
            return ""
        return answer.getheader(self._entrance.color_header, "")
