"""Who serves is told by real requests."""

import ssl
from pathlib import Path

import pytest

from bluegreen import probe
from bluegreen.probe import get, wait_for
from bluegreen.release.endpoint import Endpoint
from dev.sandbox.authority import Authority
from tests.unit.api_server import api_server
from tests.unit.cli.served import Asked, Reply, server


def by(color: str, status: int = 200) -> Reply:
    return Reply(status=status, headers={"X-Color": color})


def test_a_color_has_arrived_when_it_serves_twenty_requests_in_a_row() -> None:
    with server(lambda asked: by("green" if asked.before > 5 else "blue")) as url:
        waited = wait_for(Endpoint(url=url, color_header="x-color"), "green")
    assert waited.is_served
    assert waited.requests == 26


def test_one_answer_of_another_color_in_between_begins_the_row_anew() -> None:
    with server(lambda asked: by("blue" if asked.before == 10 else "green")) as url:
        assert wait_for(Endpoint(url=url, color_header="x-color"), "green").requests == 31


@pytest.mark.parametrize(
    "reply", [by("blue"), by("green", 503), Reply()], ids=["another color", "an error", "an answer that names no color"]
)
def test_waiting_ends_with_what_was_seen_instead(reply: Reply) -> None:
    with server(lambda _: reply) as url:
        waited = wait_for(Endpoint(url=url, color_header="x-color"), "green", seconds=0.2)
    assert not waited.is_served
    assert waited.last_other is not None
    assert waited.last_other.status == reply.status


def test_without_a_header_that_names_the_color_any_good_answer_counts() -> None:
    with server(lambda _: Reply()) as url:
        assert wait_for(Endpoint(url=url, color_header=""), "green").is_served


def test_nobody_there_is_an_answer_too() -> None:
    answer = get(Endpoint(url="http://127.0.0.1:9", color_header="x-color"))
    assert not answer.is_served
    assert "refused" in answer.error


def test_host_and_cookie_are_sent_and_a_path_in_the_address_stays() -> None:
    asked: list[Asked] = []

    def answer(each: Asked) -> Reply:
        asked.append(each)
        return Reply()

    with server(answer) as url:
        get(Endpoint(url=f"{url}/shop/", host="shop.example", cookie="test=true"), "/ping")
    assert (asked[0].path, asked[0].host, asked[0].cookie) == ("/shop/ping", "shop.example", "test=true")


def test_a_tls_gateway_is_asked_by_the_name_of_the_host_also_at_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Authority(tmp_path, ["shop.example"]).issue("gateway", "gateway", "any")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(tmp_path / "gateway.crt", tmp_path / "gateway.key")
    names: list[str | None] = []
    theirs.sni_callback = lambda _, name, __: names.append(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    probe._tls.cache_clear()
    with api_server(tls=theirs) as (url, _):
        answer = get(Endpoint(url=url, host="shop.example"))
        refused = get(Endpoint(url=url, host="other.example"))
    probe._tls.cache_clear()
    assert (answer.status, answer.error) == (200, "")
    assert "CERTIFICATE_VERIFY_FAILED" in refused.error
    assert names == ["shop.example", "other.example"]
