"""Real requests show which color serves."""

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


def test_a_color_serves_when_it_has_answered_twenty_requests_in_a_row() -> None:
    with server(lambda request: by("green" if request.before > 5 else "blue")) as url:
        waited = wait_for(Endpoint(url=url, color_header="x-color"), "green")
    assert waited.is_served
    assert waited.requests == 26


def test_a_response_of_another_color_restarts_the_count() -> None:
    with server(lambda request: by("blue" if request.before == 10 else "green")) as url:
        assert wait_for(Endpoint(url=url, color_header="x-color"), "green").requests == 31


@pytest.mark.parametrize(
    "reply", [by("blue"), by("green", 503), Reply()], ids=["another color", "an error", "a response without a color"]
)
def test_the_wait_returns_the_last_response_of_another_color(reply: Reply) -> None:
    with server(lambda _: reply) as url:
        waited = wait_for(Endpoint(url=url, color_header="x-color"), "green", seconds=0.2)
    assert not waited.is_served
    assert waited.last_other is not None
    assert waited.last_other.status == reply.status


def test_without_a_color_header_every_good_response_counts() -> None:
    with server(lambda _: Reply()) as url:
        assert wait_for(Endpoint(url=url, color_header=""), "green").is_served


def test_an_unreachable_server_is_a_response_with_an_error() -> None:
    response = get(Endpoint(url="http://127.0.0.1:9", color_header="x-color"))
    assert not response.is_served
    assert "refused" in response.error


def test_host_and_cookie_are_sent_and_the_path_of_the_url_is_kept() -> None:
    requests: list[Asked] = []

    def reply(request: Asked) -> Reply:
        requests.append(request)
        return Reply()

    with server(reply) as url:
        get(Endpoint(url=f"{url}/shop/", host="shop.example", cookie="test=true"), "/ping")
    assert (requests[0].path, requests[0].host, requests[0].cookie) == ("/shop/ping", "shop.example", "test=true")


def test_a_tls_gateway_at_an_ip_address_gets_the_host_as_server_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Authority(tmp_path, ["shop.example"]).issue("gateway", "gateway", "any")
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(tmp_path / "gateway.crt", tmp_path / "gateway.key")
    names: list[str | None] = []
    theirs.sni_callback = lambda _, name, __: names.append(name)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))
    probe._tls.cache_clear()
    with api_server(tls=theirs) as (url, _):
        response = get(Endpoint(url=url, host="shop.example"))
        refused = get(Endpoint(url=url, host="other.example"))
    probe._tls.cache_clear()
    assert (response.status, response.error) == (200, "")
    assert "CERTIFICATE_VERIFY_FAILED" in refused.error
    assert names == ["shop.example", "other.example"]
