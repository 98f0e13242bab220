"""vegeta's rows are read correctly, and failed requests are recognized."""

import csv
import io
import os
import threading
from base64 import b64encode

import pytest

from dev.traffic.vegeta import rows

HEADERS = "Content-Length: 2\r\nX-Color: green\r\nX-Envoy-Upstream-Service-Time: 1\r\n\r\n"


def row(status: int = 200, error: str = "", headers: str = HEADERS) -> list[object]:
    body, name, sequence = "", "", 7
    return [
        1_000,
        status,
        250,
        0,
        0,
        error,
        body,
        name,
        sequence,
        "GET",
        "http://x/",
        b64encode(headers.encode()).decode(),
    ]


def read(lines: list[list[object]], color_header: str | None = "x-color") -> list[tuple[int, int, int, str, str]]:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    reading, writing = os.pipe()

    def write_in_small_pieces() -> None:
        with open(writing, "wb", buffering=0) as pipe:  # noqa: PTH123 - a descriptor, not a path
            data = text.getvalue().encode()
            for start in range(0, len(data), 100):
                pipe.write(data[start : start + 100])

    writer = threading.Thread(target=write_in_small_pieces)
    writer.start()
    result = list(rows(open(reading, "rb"), color_header))  # noqa: PTH123, SIM115 - rows closes it
    writer.join()
    return result


def test_a_row_is_read_with_its_time_and_its_color() -> None:
    assert read([row(), row()]) == [(1_000, 1_250, 200, "green", "")] * 2


@pytest.mark.parametrize(
    ("line", "color_header", "color", "error"),
    [
        pytest.param(row(), None, "", "", id="no color expected"),
        pytest.param(row(), "X-Color", "green", "", id="header names have no case"),
        pytest.param(row(headers="A: b\r\n\r\n"), "x-color", "", "status 200 without the header x-color", id="no color"),
        pytest.param(row(204), "x-color", "green", "", id="any 2xx is success"),
        pytest.param(row(302), "x-color", "green", "status 302", id="a redirect is a failure"),
        pytest.param(row(404, "404 Not Found"), "x-color", "green", "404 Not Found", id="so is 4xx"),
        pytest.param(row(500, "500 Oh"), "x-color", "green", "500 Oh", id="an error of the app"),
        pytest.param(row(0, "EOF", ""), "x-color", "", "EOF", id="no answer"),
        pytest.param(row(0, 'Get "http://x/": a,\nb', ""), None, "", 'Get "http://x/": a,\nb', id="a quoted error"),
    ],
)
def test_failed_rows(line: list[object], color_header: str | None, color: str, error: str) -> None:
    assert [result[3:] for result in read([line], color_header)] == [(color, error)]
