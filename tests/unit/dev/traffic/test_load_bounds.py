"""A load goes only to allowed targets, and only within its limits."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from dev.traffic.load import Load
from dev.traffic.vegeta import LoadError

HERE = "http://127.0.0.1:8080/ping"


@pytest.mark.parametrize(
    "url", [HERE, "http://localhost/", "https://[::1]:8443/", "http://127.8.9.10/", "http://10.1.2.3:30080/"]
)
def test_this_machine_and_named_hosts_may_be_loaded(url: str) -> None:
    Load(url, rate=1, seconds=1, allowed=["10.1.2.3"])


@pytest.mark.parametrize(
    ("url", "settings", "words"),
    [
        pytest.param("http://10.1.2.4/", {"allowed": ["10.1.2.3"]}, "10.1.2.4 is not this machine", id="another host"),
        pytest.param("http://127.0.0.1.example/", {}, "is not this machine", id="a name like an address"),
        pytest.param("http://127.0.0.1@example/", {}, "example is not this machine", id="a host behind a user"),
        pytest.param("127.0.0.1:8080", {}, "is not an http or https URL", id="no scheme"),
        pytest.param("http://127.0.0.1/\nGET http://example/", {}, "is not an http", id="two targets"),
        pytest.param(HERE, {"rate": 0}, "rate=0", id="no rate"),
        pytest.param(HERE, {"rate": 10_001}, "rate=10001", id="too high a rate"),
        pytest.param(HERE, {"seconds": 0}, "seconds=0", id="no time"),
        pytest.param(HERE, {"seconds": 601}, "seconds=601", id="too long"),
    ],
)
def test_other_hosts_and_rates_are_refused_with_the_reason(url: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(LoadError, match=words):
        Load(url, **{"rate": 1, "seconds": 1, **settings})


def test_without_vegeta_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoadError, match=r"vegeta.*not on PATH.*\. .sandbox/env"):
        Load(HERE, rate=1, seconds=1).start()


@pytest.fixture
def attacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The arguments of every attack, one line per attack, written by a fake vegeta."""
    generator, attacks = tmp_path / "vegeta", tmp_path / "attacks"
    encode = '[ "$1" = encode ] && shift 3 && exec cat "$@"'  # ends when the attacks have ended
    generator.write_text(f'#!/bin/sh\n{encode}\ncat >/dev/null\necho "$@" >>{attacks}\n')
    generator.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return attacks


def test_a_long_load_does_not_run_out_of_ports(attacks: Path) -> None:
    Load(HERE, rate=2000, seconds=600, keep_alive=False).start()

    rates = re.findall(r"-rate=(\d+)/1s .*-laddr=(\S+)", attacks.read_text())
    assert len({address for _, address in rates}) == len(rates)
    assert sum(int(rate) for rate, _ in rates) == 2000
    # A port that has been used is kept for a minute, and the search for a free one is long when half of 28,000 are.
    assert max(int(rate) * 60 for rate, _ in rates) <= 14_000


def test_two_loads_use_different_source_addresses(attacks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = 3
    for second in range(loads):
        monkeypatch.setattr("time.time", lambda now=1_800_000_249 + second: now)
        Load(HERE, rate=400, seconds=1, keep_alive=False).start()
    sources = re.findall(r"-laddr=(127\.\S+)", attacks.read_text())
    assert len(set(sources)) == len(sources) == 2 * loads
