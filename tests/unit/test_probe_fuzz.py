"""Whatever the server sends, a request ends with a response or an error, in bounded time and size."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bluegreen import probe
from bluegreen.probe import Response, get, sample
from bluegreen.release.endpoint import Endpoint

# Bounds a test that would hang.
HANG_SECONDS = 60


@contextlib.contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that calls `serve` with every connection and then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                serve(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def payloads() -> Iterator[tuple[str, list[bytes]]]:
    """The URL of a server that answers with the bytes in the list, and the list."""
    sent: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(sent[-1])

    with raw_server(serve) as url:
        yield url, sent


_NUMBERS = st.one_of(st.integers(-10, 10), st.integers(10**6, 10**30)).map(str)
_STATUS = st.one_of(
    st.builds("HTTP/1.{} {} OK".format, st.integers(0, 9), _NUMBERS),
    st.sampled_from(["HTTP/1.1 200 OK", "HTTP/1.1 100 Continue", "HTTP/1.1 204 No Content", "HTTP/2 200", "ICY 200 OK", ""]),
    st.text(max_size=30),
)
_HEADER = st.one_of(
    st.builds("Content-Length: {}".format, st.one_of(_NUMBERS, st.text(max_size=5))),
    st.sampled_from(
        ["Transfer-Encoding: chunked", "Connection: keep-alive", "x-color: green", "x-color:", " folded", ":", "a" * 70000]
    ),
    st.text(max_size=30),
)
_BODY = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda size, data: f"{size}\r\n".encode() + data, st.one_of(_NUMBERS, st.text(max_size=4)), st.binary(max_size=60)
    ),
)


def response(status: str, headers: list[str], body: bytes) -> bytes:
    return "\r\n".join([status, *headers, "", ""]).encode(errors="replace") + body


@given(st.one_of(st.binary(max_size=300), st.builds(response, _STATUS, st.lists(_HEADER, max_size=5), _BODY)))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999999999\r\n\r\nshort")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\nshort")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nshort")
@example(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_bytes_are_a_response_or_an_error_and_never_an_exception(payloads: tuple[str, list[bytes]], sent: bytes) -> None:
    url, answers = payloads
    answers.append(sent)
    answer = get(Endpoint(url=url, color_header="x-color"), seconds=HANG_SECONDS)
    assert isinstance(answer, Response)
    assert answer.error or 100 <= answer.status <= 999


@given(st.integers(0, 40))
@settings(deadline=None, derandomize=True)
def test_a_body_that_ends_too_early_is_an_error(payloads: tuple[str, list[bytes]], missing: int) -> None:
    url, answers = payloads
    answers.append(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nshort" % (len(b"short") + missing))
    answer = get(Endpoint(url=url, color_header=""))
    assert answer.is_served is (missing == 0), str(answer)


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n", b"HTTP/1.1 200 OK\r\nx: "],
    ids=["a body", "a chunk", "a header"],
)
def test_an_endless_response_is_an_error_of_bounded_size(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "MOST_BYTES", 2 * 1024**2)

    def serve(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x" * 0x10000)

    with raw_server(serve) as url:
        answer = get(Endpoint(url=url, color_header="x-color"), seconds=HANG_SECONDS)
    assert answer.error
    assert len(answer.body) <= probe.MOST_BYTES


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["nothing", "a status", "a head"]
)
def test_a_trickling_response_is_an_error_after_the_time_limit(sent: bytes) -> None:
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(sent)
        while not over.wait(0.01):  # every byte arrives in time, the whole response never does
            connection.sendall(b"x")

    with raw_server(serve) as url:
        answer = get(Endpoint(url=url, color_header="x-color"), seconds=0.3)
        over.set()
    assert "TimeoutError" in answer.error
    assert answer.seconds < HANG_SECONDS


def test_a_server_that_closes_without_a_response_is_an_error() -> None:
    with raw_server(lambda _: None) as url:
        assert get(Endpoint(url=url, color_header="x-color"), seconds=HANG_SECONDS).error


def test_a_server_that_accepts_and_never_responds_is_an_error_after_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert (
            "TimeoutError"
            in get(Endpoint(url=f"http://127.0.0.1:{silent.getsockname()[1]}", color_header="x-color"), seconds=0.1).error
        )


@given(
    st.builds(
        Endpoint,
        url=st.one_of(
            st.text(max_size=20).map("http://127.0.0.1:1/{}".format), st.text(max_size=20), st.just("http://[::1:99")
        ),
        host=st.text(max_size=10),
        cookie=st.text(max_size=10),
        color_header=st.text(max_size=5),
    ),
    st.text(max_size=10),
)
@settings(deadline=None, derandomize=True)
def test_an_invalid_request_is_an_error_and_never_an_exception(endpoint: Endpoint, path: str) -> None:
    assert get(endpoint, path, seconds=1).error


def test_one_request_that_hangs_does_not_stop_the_others() -> None:
    others, count = threading.Event(), iter(range(100))

    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        place = next(count)
        if place == 0:
            others.wait(HANG_SECONDS)  # until all others have a response
        connection.sendall(b"HTTP/1.1 200 OK\r\nx-color: green\r\nContent-Length: 0\r\n\r\n")
        if place == 7:
            others.set()

    with raw_server(serve) as url:
        answers = sample(Endpoint(url=url, color_header="x-color"), 8, HANG_SECONDS)
    assert [answer.color for answer in answers] == ["green"] * 8


def test_a_sample_ends_in_time_and_counts_missing_responses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answers = sample(Endpoint(url=f"http://127.0.0.1:{silent.getsockname()[1]}", color_header="x-color"), 5, 0.1)
    assert len(answers) == 5
    assert all(answer.error for answer in answers)
