"""A steady stream of real requests, which keeps its rate however slowly the answers come.

It never outlives its time: vegeta ends by itself after `seconds`, and of the broken pipe when this process is gone.
It never aims at anything but this machine, or a host that the caller names as allowed.
"""

import ipaddress
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self
from urllib.parse import urlsplit

from dev.traffic import vegeta
from dev.traffic.answers import Answers
from dev.traffic.vegeta import LoadError

MAX_SECONDS = 600
MAX_RATE = 10_000

# Vegeta binds a port for each new connection, and a port is taken for another minute when the client was the first to
# close: in more than half of them where the kernel prefers it, and it may be in all. From 14,000 such ports on, half the usual
# range, the kernel spends all the time of both cores in search of a free one. An address bears 230 a second; each gets less.
NEW_CONNECTIONS_PER_SOURCE = 200


@dataclass(frozen=True, kw_only=True)
class Live:
    """The load at a glance, for a display: the requests so far, and the successes of the last second per color."""

    requests: int
    failed: int
    per_second: dict[str, int]
    running: bool


class Load:
    """Requests at a constant rate, from `start` (or `with`) until `stop` (or the end of `seconds`).

    Go's HTTP client, and so vegeta, sends a GET once more on a new connection when the kept-alive one it chose was
    closed before any of the answer came, as browsers do. Such a request has not failed; its latency holds both
    attempts. Without keep-alive nothing is sent twice.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: int,
        seconds: float,
        keep_alive: bool = True,
        host: str | None = None,
        cookie: str | None = None,
        color_header: str | None = "x-color",
        allowed: Collection[str] = (),
    ) -> None:
        """Describe the load; nothing is sent yet.

        Args:
            url: What every request GETs. Redirects are not followed.
            rate: Requests a second, 1 to 10,000.
            seconds: The longest the load may last, up to 600.
            keep_alive: False for a new connection with each request.
            host: The Host header, when the name in the URL is not the one to ask for.
            cookie: The Cookie header, such as "test=true".
            color_header: The answer's header that names the color: the route's "x-color", or the sample application's
                own "x-served-by". An answer without it counts as failed. None when no color is expected.
            allowed: Host names or addresses that may be loaded beside this machine's loopback.

        Raises:
            LoadError: The target is not allowed, or a bound is exceeded.
        """
        _check_target(url, allowed)
        if not 1 <= rate <= MAX_RATE:
            raise LoadError(f"rate={rate} is not between 1 and {MAX_RATE:,} requests a second; choose one that is")
        if not 0 < seconds <= MAX_SECONDS:
            raise LoadError(f"seconds={seconds} is not a duration of at most {MAX_SECONDS} seconds; choose one that is")
        self.url = url
        self._color_header = color_header
        sources = [None] if keep_alive else _sources(url, rate)
        self._arguments = [
            vegeta.attack_arguments(
                # Together exactly the rate, in shares as equal as can be.
                rate=rate * (index + 1) // len(sources) - rate * index // len(sources),
                seconds=seconds,
                keep_alive=keep_alive,
                source=source,
                host=host,
                cookie=cookie,
            )
            for index, source in enumerate(sources)
        ]

    def start(self) -> None:
        """Start sending, and return when the first request has come to an end, well or badly.

        Raises:
            LoadError: vegeta is not on PATH, or did not start.
        """
        path = vegeta.find()
        self._answers = Answers()
        self._failed = 0
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the processes
        self._attacks = [vegeta.start_attack(path, arguments, self.url, self._complaints) for arguments in self._arguments]
        self._encode = vegeta.start_encode(path, self._attacks, self._complaints)
        self._reader = threading.Thread(target=self._read, args=(self._encode.stdout,), daemon=True)
        self._reader.start()
        while not self._answers and self._reader.is_alive():
            time.sleep(0.01)
        if not self._answers:
            self.stop()

    def stop(self) -> Answers:
        """Send nothing more, wait for the requests in flight (5 s at most), and return what came of all of them.

        Stopping again returns the same.

        Raises:
            LoadError: vegeta failed; the message holds what it said.
        """
        for attack in self._attacks:
            attack.send_signal(signal.SIGINT)  # does nothing to one that has ended
        for attack in self._attacks:
            try:
                attack.wait(vegeta.REQUEST_TIMEOUT_SECONDS + 5)
            except subprocess.TimeoutExpired:
                attack.kill()
                attack.wait()
        self._encode.wait()
        self._reader.join()
        if not self._complaints.closed:
            self._raise_complaints()
        return self._answers

    def live(self) -> Live:
        """Return the counts so far; cheap enough to call several times a second."""
        requests = len(self._answers)
        # The last moment is not read yet: look at the second before it.
        until = time.time_ns() - round(2.5 * vegeta.READ_INTERVAL_SECONDS * 1e9)
        since = until - 1_000_000_000
        per_second: Counter[str] = Counter()
        for row in range(requests - 1, -1, -1):  # rows come nearly in the order of their ends
            ended = self._answers.ended[row]
            if ended < since:
                break
            if ended < until and not self._answers.error[row]:
                per_second[self._answers.color[row]] += 1
        return Live(requests=requests, failed=self._failed, per_second=dict(per_second), running=self._reader.is_alive())

    def answers(self) -> Answers:
        """Return a copy of what came so far, while the load goes on."""
        return self._answers.copy()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _read(self, stream: IO[bytes]) -> None:
        for row in vegeta.rows(stream, self._color_header):
            self._answers.append(*row)
            self._failed += bool(row[-1])

    def _raise_complaints(self) -> None:
        with self._complaints:
            self._complaints.seek(0)
            said = self._complaints.read().decode(errors="replace").strip()
        if any(process.returncode for process in [*self._attacks, self._encode]):
            command = f"vegeta attack {shlex.join(self._arguments[0])}"
            raise LoadError(f"{command} failed for {self.url}, saying: {said or 'nothing'}")


def _check_target(url: str, allowed: Collection[str]) -> None:
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host or any(character.isspace() for character in url):
        raise LoadError(f"{url!r} is not an http or https URL; give one such as http://127.0.0.1:8080/ping")
    if host not in allowed and host != "localhost" and not _is_loopback(host):
        raise LoadError(
            f"{host} is not this machine, so no load is sent to it; if it is yours to load, pass allowed={{{host!r}}}"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sources(url: str, rate: int) -> list[str | None]:
    """Return the addresses to open new connections from: as many of loopback's as the rate needs, elsewhere any one.

    Each load has addresses of its own, so that no load pays for an outage before it. While a Service has no ready pod, kube-
    proxy refuses connections to its node port. On the node itself the kernel records each of them first (conntrack: SYN_SENT,
    two minutes, no pod). The next connection from the same address and port follows that record although pods are ready by
    then, and is refused once more. A client on another machine leaves no record: there the kernel records a connection only
    after the packet filter has let it in.
    """
    host = urlsplit(url).hostname or ""
    if not (_is_loopback(host) and ipaddress.ip_address(host).version == 4):
        return [None]
    second = int(time.time())
    block = f"127.{1 + second // 250 % 250}.{second % 250}"  # comes back after 17 hours
    return [f"{block}.{index + 1}" for index in range(-(-rate // NEW_CONNECTIONS_PER_SOURCE))]
