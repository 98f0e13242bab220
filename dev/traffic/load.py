"""Sends requests at a constant rate, however slow the responses are (an open-loop load).

A load never runs longer than its `seconds`: vegeta ends by itself, or by SIGPIPE if this process dies. It never targets another
host than this machine, unless the caller allows that host.
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

# Vegeta binds a port for every new connection. A port that the client closed first stays in TIME_WAIT for a minute. From 14,000
# such ports on, half of the usual range, the kernel spends all CPU time on the search for a free one. That is 230 connections a
# second per source address; we use less.
NEW_CONNECTIONS_PER_SOURCE = 200


@dataclass(frozen=True, kw_only=True)
class Live:
    """The load so far, for a live display; `per_second` counts the successful requests of the last second by color."""

    requests: int
    failed: int
    per_second: dict[str, int]
    running: bool


class Load:
    """Requests at a constant rate, from `start` (or `with`) until `stop` (or the end of `seconds`).

    Like browsers, Go's HTTP client (vegeta) retries a GET on a new connection if a kept-alive connection was closed before the
    first byte of the response. Such a request has not failed, and its latency covers both attempts. Without keep-alive nothing
    is retried.
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
        """Prepares the load; sends nothing yet.

        Args:
            url: The URL of every GET request. Redirects are not followed.
            rate: Requests a second, 1 to 10,000.
            seconds: Maximum duration, up to 600.
            keep_alive: False for a new connection per request.
            host: The Host header, if it differs from the URL's host.
            cookie: The Cookie header, such as "test=true".
            color_header: The response header with the color: the route's "x-color", or the sample application's
                "x-served-by". A response without it counts as failed. None if no color is expected.
            allowed: Host names or addresses that are allowed as targets in addition to loopback.

        Raises:
            LoadError: The target is not allowed, or rate or seconds is out of range.
        """
        _check_target(url, allowed)
        if not 1 <= rate <= MAX_RATE:
            raise LoadError(f"rate={rate} must be between 1 and {MAX_RATE:,} requests a second")
        if not 0 < seconds <= MAX_SECONDS:
            raise LoadError(f"seconds={seconds} must be more than 0 and at most {MAX_SECONDS}")
        self.url = url
        self._color_header = color_header
        sources = [None] if keep_alive else _sources(url, rate)
        self._arguments = [
            vegeta.attack_arguments(
                # Shares that are as equal as possible and add up to exactly the rate.
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
        """Starts sending; returns after the first request has ended, successfully or not.

        Raises LoadError if vegeta is not on PATH or does not start.
        """
        path = vegeta.find()
        self._answers = Answers()
        self._failed = 0
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the processes
        self._attacks = [vegeta.start_attack(path, arguments, self.url, self._stderr) for arguments in self._arguments]
        self._encode = vegeta.start_encode(path, self._attacks, self._stderr)
        self._reader = threading.Thread(target=self._read, args=(self._encode.stdout,), daemon=True)
        self._reader.start()
        while not self._answers and self._reader.is_alive():
            time.sleep(0.01)
        if not self._answers:
            self.stop()

    def stop(self) -> Answers:
        """Stops sending, waits for requests in flight (5 s at most), and returns all responses. Can be called again.

        Raises LoadError with vegeta's stderr if vegeta failed.
        """
        for attack in self._attacks:
            attack.send_signal(signal.SIGINT)  # without effect if it has ended
        for attack in self._attacks:
            try:
                attack.wait(vegeta.REQUEST_TIMEOUT_SECONDS + 5)
            except subprocess.TimeoutExpired:
                attack.kill()
                attack.wait()
        self._encode.wait()
        self._reader.join()
        if not self._stderr.closed:
            self._raise_if_failed()
        return self._answers

    def live(self) -> Live:
        """The counts so far. Cheap enough to call several times a second."""
        requests = len(self._answers)
        # The latest rows have not been read yet, so the second ends before them.
        until = time.time_ns() - round(2.5 * vegeta.READ_INTERVAL_SECONDS * 1e9)
        since = until - 1_000_000_000
        per_second: Counter[str] = Counter()
        for row in range(requests - 1, -1, -1):  # rows are nearly sorted by `ended`
            ended = self._answers.ended[row]
            if ended < since:
                break
            if ended < until and not self._answers.error[row]:
                per_second[self._answers.color[row]] += 1
        return Live(requests=requests, failed=self._failed, per_second=dict(per_second), running=self._reader.is_alive())

    def answers(self) -> Answers:
        """A copy of the responses so far, while the load continues."""
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

    def _raise_if_failed(self) -> None:
        with self._stderr:
            self._stderr.seek(0)
            stderr = self._stderr.read().decode(errors="replace").strip()
        if any(process.returncode for process in [*self._attacks, self._encode]):
            command = f"vegeta attack {shlex.join(self._arguments[0])}"
            raise LoadError(f"{command} failed for {self.url}: {stderr or 'it wrote nothing to stderr'}")


def _check_target(url: str, allowed: Collection[str]) -> None:
    parts = urlsplit(url)
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host or any(character.isspace() for character in url):
        raise LoadError(f"{url!r} is not an http or https URL; give one such as http://127.0.0.1:8080/ping")
    check_host(host, allowed)


def check_host(host: str, allowed: Collection[str]) -> None:
    """Raises LoadError unless `host` is this machine, or allowed."""
    if host not in allowed and host != "localhost" and not _is_loopback(host):
        raise LoadError(
            f"{host} is not this machine, so no load is sent to it. If you may load that host, pass allowed={{{host!r}}}"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sources(url: str, rate: int) -> list[str | None]:
    """The source addresses of new connections: as many loopback addresses as the rate needs; [None] for another host.

    Every load has its own addresses, so that an earlier outage does not affect it. While a Service has no ready pod, kube-proxy
    rejects connections to its node port, but on the node itself conntrack keeps an entry for each of them (SYN_SENT, two
    minutes, without a pod). A later connection from the same address and port uses this entry and is rejected too, although
    pods are ready by then. Clients on other machines are not affected: their connections are filtered before conntrack confirms
    the entry.
    """
    host = urlsplit(url).hostname or ""
    if not (_is_loopback(host) and ipaddress.ip_address(host).version == 4):
        return [None]
    second = int(time.time())
    block = f"127.{1 + second // 250 % 250}.{second % 250}"  # is reused after 17 hours
    return [f"{block}.{index + 1}" for index in range(-(-rate // NEW_CONNECTIONS_PER_SOURCE))]
