"""Where users and testers enter is read from the settings in one place."""

import pytest

from bluegreen.release.config_reader import read_settings
from bluegreen.release.endpoint import Endpoint, Given
from bluegreen.routing import find, istio, selector
from tests.unit.program import BOTH_COLORS


@pytest.mark.parametrize(
    ("config", "url", "host"),
    [
        ({}, "", ""),
        ({"bluegreen:host": "*.shop.example"}, "", ""),
        ({"bluegreen:host": "shop.example"}, "http://shop.example", "shop.example"),
        ({"bluegreen:host": "shop.example", "bluegreen:tlsSecret": "tls"}, "https://shop.example", "shop.example"),
        ({"bluegreen:host": "shop.example", "bluegreen:url": "http://10.0.0.1"}, "http://10.0.0.1", "shop.example"),
        ({"bluegreen:routing": "selector", "bluegreen:host": "shop.example"}, "", ""),
        ({"bluegreen:routing": "selector", "bluegreen:url": "http://10.0.0.1:30000"}, "http://10.0.0.1:30000", ""),
    ],
    ids=["nothing", "a wildcard", "a host", "a host with TLS", "an address", "a selector's host", "a selector's address"],
)
def test_users_enter_at_the_address_or_at_the_host_and_otherwise_nobody_knows(
    config: dict[str, str], url: str, host: str
) -> None:
    settings = read_settings(BOTH_COLORS | config)
    header = "" if settings.routing == "selector" else "x-color"
    assert find(settings.routing).of_users(settings) == (Endpoint(url=url, host=host, color_header=header) if url else None)


def test_testers_enter_with_the_cookie_or_at_an_address_of_their_own() -> None:
    by_cookie = read_settings(BOTH_COLORS | {"bluegreen:host": "shop.example"})
    by_port = read_settings(BOTH_COLORS | {"bluegreen:routing": "selector", "bluegreen:url": "http://10.0.0.1"})
    assert istio.of_testers(by_cookie) == Endpoint(
        url="http://shop.example", host="shop.example", cookie="test=true", color_header="x-color"
    )
    assert selector.of_testers(by_port) is None
    given = Given(test_url="http://10.0.0.1:1", color_header="x-served-by")
    assert selector.of_testers(by_port, given) == Endpoint(url="http://10.0.0.1:1", color_header="x-served-by")
