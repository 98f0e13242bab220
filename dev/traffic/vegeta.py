"""Runs vegeta, the load generator, and reads its output.

The pipeline: vegeta attack (one or several) | vegeta encode --to csv | rows
"""

import csv
import os
import shutil
import subprocess
import time
from base64 import b64decode
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import IO

REQUEST_TIMEOUT_SECONDS = 5
MAX_WORKERS = 5_000  # limits the memory if there are no responses: 5,000 requests in flight take about 150 MB
READ_INTERVAL_SECONDS = 0.1
PIPE_BYTES = 1 << 20  # far more than the rows of one interval


class LoadError(Exception):
    """The load cannot be sent. The message says why and what to do."""


def find() -> str:
    """The path of vegeta. Raises LoadError if it is not on PATH."""
    path = shutil.which("vegeta")
    if path is None:
        raise LoadError(
            "vegeta, the load generator, is not on PATH. Run `make sandbox`, which builds it, and then `. .sandbox/env` "
            "(or: cd dev/tools/vegeta && go build -o <a directory on PATH>/ github.com/tsenart/vegeta/v12)"
        )
    return path


def attack_arguments(
    *, rate: int, seconds: float, keep_alive: bool, source: str | None, host: str | None, cookie: str | None
) -> list[str]:
    """The arguments of one `vegeta attack`. `source` is the source address of its connections, None for any."""
    options = {
        "rate": f"{rate}/1s",
        "duration": f"{seconds}s",
        "keepalive": str(keep_alive).lower(),
        "timeout": f"{REQUEST_TIMEOUT_SECONDS}s",
        "max-workers": MAX_WORKERS,
        "max-body": 0,  # bodies are read completely, but not stored
        "redirects": -1,
        "dns-ttl": -1,  # vegeta's DNS cache uses one random source in several threads without a lock
    }
    if source:
        options["laddr"] = source
    headers = {"Host": host, "Cookie": cookie}
    return [
        *(f"-{name}={value}" for name, value in options.items()),
        *(f"-header={name}: {value}" for name, value in headers.items() if value),
    ]


def start_attack(vegeta: str, arguments: Sequence[str], url: str, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts sending GET requests to url. Its stdout has the results in vegeta's own encoding."""
    attack = subprocess.Popen(
        [vegeta, "attack", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        pipesize=PIPE_BYTES,
        env={**os.environ, "NO_PROXY": "*", "no_proxy": "*"},
        # A process group of its own keeps Ctrl-C of the terminal away, so that results are not lost. So would a session, but
        # the kernel's autogroups share CPU time by session: every attack would get as much as the whole engine.
        process_group=0,
    )
    assert attack.stdin
    with attack.stdin as targets:
        targets.write(f"GET {url}\n".encode())
    return attack


def start_encode(vegeta: str, attacks: Sequence[subprocess.Popen[bytes]], stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts converting the results of all attacks to one stream of CSV."""
    outputs = [attack.stdout for attack in attacks if attack.stdout]
    encode = subprocess.Popen(
        [vegeta, "encode", "--to", "csv", *(f"/dev/fd/{output.fileno()}" for output in outputs)],
        pass_fds=[output.fileno() for output in outputs],
        stdout=subprocess.PIPE,
        stderr=stderr,
        pipesize=PIPE_BYTES,
        process_group=0,
    )
    for output in outputs:
        output.close()  # only encode reads the pipes now, so an attack gets SIGPIPE when encode dies
    return encode


def rows(stream: IO[bytes], color_header: str | None) -> Iterator[tuple[int, int, int, str, str]]:
    """Yields the arguments of `Answers.append` for every request: started, ended (ns), status, color, error.

    vegeta's latency includes the last byte of the body, so the end of a request is its start plus its latency.
    """
    for started, status, latency, _, _, error, _, _, _, _, _, headers in csv.reader(_lines(stream)):
        color = _color(headers, color_header) if color_header else ""
        failure = error or _failure(int(status), color, color_header)
        yield int(started), int(started) + int(latency), int(status), color, failure


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """Yields the lines of a pipe, read in batches: waking up for every line costs more than reading it."""
    rest = b""
    with stream:
        while chunk := os.read(stream.fileno(), PIPE_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace") + "\n"
            time.sleep(READ_INTERVAL_SECONDS)


@lru_cache(maxsize=4096)  # the responses of a second have equal headers, except for a proxy's time in milliseconds
def _color(headers: str, name: str) -> str:
    for line in b64decode(headers).decode("latin-1").splitlines():
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return ""


def _failure(status: int, color: str, color_header: str | None) -> str:
    if not 200 <= status < 300:
        return f"status {status}"
    if color_header and not color:
        return f"status {status} without the header {color_header}"
    return ""
