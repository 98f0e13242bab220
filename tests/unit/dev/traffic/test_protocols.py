"""A load by several protocols goes only to allowed targets, within its limits, and its reports are those of the client."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from dev.traffic.protocols import ProtocolLoad, Report
from dev.traffic.vegeta import LoadError

HERE = "127.0.0.1:8080"
REPORT = {
    "requests": 9,
    "failed": 1,
    "served": {"blue": 5, "green": 3},
    "connections": 3,
    "ended": 1,
    "slowest": 0.5,
    "errors": {"status 503": 1},
    "turns": [["blue", "green"], ["blue"]],
    "done": False,
}


def client(directory: Path, script: str) -> Path:
    """A client that leaves its arguments in a file beside it, and then runs `script`."""
    command = directory / "protocols"
    command.write_text(f'#!/bin/sh\necho "$@" >{directory}/arguments\n{script}\n')
    command.chmod(0o755)
    return command


@pytest.mark.parametrize("address", [HERE, "localhost:1", "127.8.9.10:80", "10.1.2.3:30080"])
def test_this_machine_and_named_hosts_may_be_loaded(address: str) -> None:
    ProtocolLoad(Path("protocols"), address, protocol="tcp", allowed=["10.1.2.3"])


@pytest.mark.parametrize(
    ("address", "settings", "words"),
    [
        pytest.param("10.1.2.4:80", {"allowed": ["10.1.2.3"]}, "10.1.2.4 is not this machine", id="another host"),
        pytest.param("127.0.0.1.example:80", {}, "is not this machine", id="a name like an address"),
        pytest.param("127.0.0.1", {}, "is not an address", id="no port"),
        pytest.param("http://127.0.0.1", {}, "is not an address", id="a URL"),
        pytest.param(HERE, {"protocol": "udp"}, "protocol='udp'", id="another protocol"),
        pytest.param(HERE, {"connections": 0}, "connections=0", id="no connection"),
        pytest.param(HERE, {"connections": 101}, "connections=101", id="too many connections"),
        pytest.param(HERE, {"seconds": 0}, "seconds=0", id="no time"),
        pytest.param(HERE, {"seconds": 601}, "seconds=601", id="too long"),
    ],
)
def test_other_hosts_and_numbers_are_refused_with_the_reason(address: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError, match=words):
        ProtocolLoad(Path("protocols"), address, **{"protocol": "tcp", **settings})


def test_the_last_report_is_the_result_and_earlier_ones_are_live(tmp_path: Path) -> None:
    done = json.dumps({**REPORT, "requests": 12, "done": True})
    script = f"end() {{ echo '{done}'; exit; }}\ntrap end INT\necho '{json.dumps(REPORT)}'\nwhile :; do sleep 0.01; done"
    settings: dict[str, Any] = {"host": "app.example", "cookie": "test=true", "keep_alive": False}
    load = ProtocolLoad(client(tmp_path, script), HERE, protocol="grpc", connections=2, seconds=30, **settings)
    with load:
        assert load.live() == Report.read(json.dumps(REPORT))
    assert (load.stop().requests, load.stop().done) == (12, True)
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments == [
        "-protocol=grpc",
        f"-address={HERE}",
        "-connections=2",
        "-seconds=30",
        "-pause=20ms",
        "-new",
        "-host=app.example",
        "-cookie=test=true",
    ]


@pytest.mark.parametrize("script", ["echo broken >&2; exit 2", f"echo '{json.dumps(REPORT)}'; echo broken >&2; exit 2"])
def test_a_client_that_fails_is_an_error_with_its_words(tmp_path: Path, script: str) -> None:
    with (
        pytest.raises(LoadError, match=r"-protocol=tcp .*failed: broken"),
        ProtocolLoad(client(tmp_path, script), HERE, protocol="tcp"),
    ):
        time.sleep(0)


@pytest.mark.parametrize(
    ("turns", "colors"),
    [
        ([["blue", "green"], ["green"]], {"green"}),
        ([["blue", "green"], ["blue"]], {"green", "blue"}),
        ([["blue"], []], set()),
    ],
    ids=["one color", "two colors", "a connection without an answer"],
)
def test_colors_are_those_that_answered_last(turns: list[list[str]], colors: set[str]) -> None:
    assert Report.read(json.dumps(REPORT | {"turns": turns})).colors == colors
