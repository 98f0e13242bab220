"""Where users or testers of an environment come in, and what they are answered."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dev.traffic.load import Load
from tests import work
from tests.cluster import eventually


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request was answered: the color that served is empty when nobody said so."""

    status: int
    color: str
    body: str
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One way in. `host` and `cookie` are sent when they are not empty; `color_header` is the answer's that says who served."""

    url: str
    color_header: str
    host: str = ""
    cookie: str = ""
    keep_alive: bool = True

    def ask(self, path: str = "/", **headers: str) -> Answer:
        """Sends one request on a new connection; any status is an answer. Raises `OSError` when there is none."""
        sent = {"Host": self.host, "Cookie": self.cookie} | headers
        request = urllib.request.Request(self.url + path, headers={name: value for name, value in sent.items() if value})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                status, text, said = answer.status, answer.read().decode(), dict(answer.headers.items())
        except urllib.error.HTTPError as error:
            with error:
                status, text, said = error.code, error.read().decode(), dict(error.headers.items())
        said = {name.lower(): value for name, value in said.items()}
        return Answer(status=status, color=said.get(self.color_header, ""), body=text, headers=said)

    def served_by(self) -> str:
        """The color that serves now, or what is answered instead."""
        try:
            answer = self.ask()
        except OSError as error:
            return f"nobody ({error})"
        return answer.color if answer.status == 200 else f"nobody (status {answer.status})"

    def wait_for(self, color: str) -> None:
        """Waits until `color` serves twenty requests in a row: every worker of the proxy has taken the route up."""
        eventually(lambda: {self.served_by() for _ in range(20)}, {color})

    def load(self, rate: int, seconds: float) -> Load:
        """Real requests, to be started."""
        work.done["loads"] += 1
        return Load(
            f"{self.url}/",
            rate=rate,
            seconds=seconds,
            keep_alive=self.keep_alive,
            host=self.host or None,
            cookie=self.cookie or None,
            color_header=self.color_header,
            allowed={urlsplit(self.url).hostname or ""},
        )
