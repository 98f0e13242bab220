"""The load is real: vegeta against a small server in this process. Needs vegeta on PATH, and nothing else."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from dev.traffic import vegeta
from dev.traffic.load import Load
from dev.traffic.report import cut_over, totals
from tests.cluster import eventually


class Server(ThreadingHTTPServer):
    """Answers with its status and color of the moment, and counts connections and what it was asked."""

    request_queue_size = 128
    daemon_threads = True
    status, color = 200, "blue"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.connections = 0
        self.asked: set[tuple[str | None, str | None]] = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/ping"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        self.server.asked.add((self.headers["Host"], self.headers["Cookie"]))
        self.send_response(self.server.status)
        if self.server.color:
            self.send_header("X-Color", self.server.color)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    vegeta.find()  # fails with the way to it, rather than skipping what cannot be tested
    with Server() as running:
        Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield running
        finally:  # a thread that polls a closed socket never sleeps again
            running.shutdown()


@pytest.mark.parametrize("keep_alive", [True, False], ids=["kept-alive connections", "new connections"])
def test_every_request_is_accounted_for_with_its_color(server: Server, keep_alive: bool) -> None:
    began_ns = time.time_ns()
    with Load(server.url, rate=200, seconds=30, keep_alive=keep_alive, host="app.example", cookie="test=true") as load:
        eventually(lambda: load.live().per_second.get("blue", 0) > 100, True)
        live = load.live()
    answers = load.stop()
    counted = totals(answers)
    assert counted.errors == ()
    assert counted.succeeded == {"blue": counted.requests}
    assert live.running
    assert 100 < live.requests <= counted.requests
    assert server.asked == {("app.example", "test=true")}
    assert (server.connections == counted.requests) is not keep_alive
    assert began_ns < min(answers.started) < max(answers.ended) < time.time_ns()


def test_a_switch_is_timed_by_the_clock_of_this_machine(server: Server) -> None:
    with Load(server.url, rate=200, seconds=30) as load:
        eventually(lambda: load.live().requests > 0, True)
        before_ns = time.time_ns()
        server.color = "green"
        eventually(lambda: "green" in load.answers().color, True)
        after_ns = time.time_ns()
    switch = cut_over(load.stop(), "blue", "green")
    assert switch is not None
    assert before_ns < switch.first_new_ns < after_ns


@pytest.mark.parametrize(
    ("status", "color", "error"),
    [
        pytest.param(503, "blue", "503 Service Unavailable", id="an error"),
        pytest.param(404, "blue", "404 Not Found", id="not found"),
        pytest.param(200, "", "status 200 without the header x-color", id="no color"),
    ],
)
def test_answers_that_are_not_what_users_want_are_failures(server: Server, status: int, color: str, error: str) -> None:
    server.status, server.color = status, color
    with Load(server.url, rate=50, seconds=30) as load:
        eventually(lambda: load.live().failed > 0, True)
        live = load.live()
    counted = totals(load.stop())
    assert counted.failed == counted.requests >= live.failed > 0
    assert set(counted.errors) == {error}


def test_refused_connections_are_failures(server: Server) -> None:
    server.shutdown()
    server.server_close()
    with Load(server.url, rate=50, seconds=30) as load:
        eventually(lambda: load.live().failed > 0, True)
    answers = load.stop()
    assert set(answers.status) == {0}
    assert "connection refused" in totals(answers).errors[0]


def test_the_load_ends_by_itself(server: Server) -> None:
    with Load(server.url, rate=50, seconds=0.5) as load:
        eventually(lambda: load.live().running, False)
    assert 0 < len(load.stop()) <= 25


def test_what_vegeta_cannot_do_is_an_error_with_its_words() -> None:
    with (
        pytest.raises(vegeta.LoadError, match=r"vegeta attack -rate=1/1s .* invalid port"),
        Load("http://127.0.0.1:x/", rate=1, seconds=1),
    ):
        pass
