"""Which other Gateways lead the host of an environment elsewhere."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.release.refusals import Rule
from bluegreen.routing.hosts import PLAIN, TLS, Claim, Edge, claims, refusal, warnings

ANY = Edge(namespace="shop", app="shop", host="*")
NAMED = Edge(namespace="shop", app="shop", host="shop.example")
SECURE = Edge(namespace="shop", app="shop", host="shop.example", has_tls=True)

Item = dict[str, Any]


def gateway(name: str, *hosts: str, created: int = 1, port: int = PLAIN, selector: Any = None) -> Item:
    """`name` is namespace/name; `created` is a second."""
    namespace, _, own = name.partition("/")
    return {
        "metadata": {"namespace": namespace, "name": own, "creationTimestamp": f"2026-01-01T00:00:{created:02}Z"},
        "spec": {
            "selector": {"istio": "ingressgateway"} if selector is None else selector,
            "servers": [{"port": {"number": port, "name": "http", "protocol": "HTTP"}, "hosts": list(hosts)}],
        },
    }


def service(name: str, host: str, *gateways: str) -> Item:
    namespace, _, own = name.partition("/")
    return {"metadata": {"namespace": namespace, "name": own}, "spec": {"hosts": [host], "gateways": list(gateways)}}


def own(host: str, created: int = 30) -> tuple[Item, Item]:
    return gateway("shop/shop-gateway", host, created=created), service("shop/shop-blue-green", host, "shop-gateway")


OLDER = Claim(gateway="other/g", service="other/v", port=PLAIN, is_older=True)
BY_TLS = Claim(gateway="other/g", service="", port=TLS, is_older=True)

# The environment, another Gateway, its VirtualServices, and what that comes to.
CLAIMED: dict[str, tuple[Edge, Item, Sequence[Item], list[Claim]]] = {
    "any host twice": (ANY, gateway("other/g", "*"), [service("other/v", "*", "g")], [OLDER]),
    "the same name twice": (NAMED, gateway("other/g", "shop.example"), [service("other/v", "shop.example", "g")], [OLDER]),
    "in other letters": (NAMED, gateway("other/g", "Shop.Example"), [service("other/v", "shop.EXAMPLE", "g")], [OLDER]),
    "a shared Gateway for all names": (NAMED, gateway("other/g", "*"), [service("other/v", "shop.example", "g")], [OLDER]),
    "a Gateway of a domain": (NAMED, gateway("other/g", "*.example"), [service("other/v", "shop.example", "g")], [OLDER]),
    "a VirtualService for all names": (NAMED, gateway("other/g", "shop.example"), [service("other/v", "*", "g")], [OLDER]),
    "a Gateway for one namespace": (ANY, gateway("other/g", "other/*"), [service("other/v", "*", "g")], [OLDER]),
    "a Gateway for its own namespace": (ANY, gateway("other/g", "./*"), [service("other/v", "*", "g")], [OLDER]),
    "a Gateway for any namespace": (ANY, gateway("other/g", "*/*"), [service("third/v", "*", "other/g")], [
        Claim(gateway="other/g", service="third/v", port=PLAIN, is_older=True)
    ]),
    "a selector with more labels": (
        ANY,
        gateway("other/g", "*", selector={"istio": "ingressgateway", "app": "edge"}),
        [service("other/v", "*", "g")],
        [OLDER],
    ),
    "a selector for all gateways": (ANY, gateway("other/g", "*", selector={}), [service("other/v", "*", "g")], [OLDER]),
    "in the same namespace": (ANY, gateway("shop/g", "*"), [service("shop/v", "*", "g")], [
        Claim(gateway="shop/g", service="shop/v", port=PLAIN, is_older=True)
    ]),
    "the same name with TLS": (SECURE, gateway("other/g", "ns/shop.example", port=TLS), [], [BY_TLS]),
    "a younger one": (ANY, gateway("other/g", "*", created=50), [service("other/v", "*", "g")], [
        Claim(gateway="other/g", service="other/v", port=PLAIN, is_older=False)
    ]),
    "one of the same second, later by name": (ANY, gateway("a/z", "*", created=30), [service("a/v", "*", "z")], [
        Claim(gateway="a/z", service="a/v", port=PLAIN, is_older=False)
    ]),
}  # fmt: skip

FREE: dict[str, tuple[Edge, Item, Sequence[Item]]] = {
    "a Gateway that leads nowhere": (ANY, gateway("other/g", "*"), []),
    "a VirtualService of another host": (ANY, gateway("other/g", "*"), [service("other/v", "else.example", "g")]),
    "a VirtualService of another Gateway": (ANY, gateway("other/g", "*"), [service("other/v", "*", "h")]),
    "a VirtualService of the mesh": (ANY, gateway("other/g", "*"), [service("other/v", "*", "mesh"), service("other/w", "*")]),
    "a VirtualService of a namespace that is not accepted": (
        ANY,
        gateway("other/g", "other/*"),
        [service("x/v", "*", "other/g")],
    ),
    "any host, and ours is more specific": (NAMED, gateway("other/g", "*"), [service("other/v", "*", "g")]),
    "a specific host, and ours is any": (ANY, gateway("other/g", "a.example"), [service("other/v", "a.example", "g")]),
    "another host": (NAMED, gateway("other/g", "shop.example.org"), [service("other/v", "shop.example.org", "g")]),
    "another port": (ANY, gateway("other/g", "*", port=8080), [service("other/v", "*", "g")]),
    "another gateway deployment": (ANY, gateway("other/g", "*", selector={"istio": "egress"}), [service("other/v", "*", "g")]),
    "other labels": (ANY, gateway("other/g", "*", selector={"app": "edge"}), [service("other/v", "*", "g")]),
    "TLS, and we have none": (NAMED, gateway("other/g", "shop.example", port=TLS), [service("other/v", "shop.example", "g")]),
    "TLS of another host": (SECURE, gateway("other/g", "*.example", port=TLS), []),
}


@pytest.mark.parametrize(("edge", "other", "services", "found"), CLAIMED.values(), ids=CLAIMED)
def test_a_host_that_another_gateway_leads_elsewhere_is_found(
    edge: Edge, other: Item, services: Sequence[Item], found: list[Claim]
) -> None:
    mine, route = own(edge.host)
    assert claims(edge, [other, mine], [route, *services]) == found


@pytest.mark.parametrize(("edge", "other", "services"), FREE.values(), ids=FREE)
def test_a_host_that_is_served_by_one_environment_alone_is_free(edge: Edge, other: Item, services: Sequence[Item]) -> None:
    mine, route = own(edge.host)
    assert claims(edge, [other, mine], [route, *services]) == []


def test_a_gateway_that_is_being_deleted_claims_nothing() -> None:
    leaving = gateway("other/g", "*")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert claims(ANY, [leaving], [service("other/v", "*", "g")]) == []


def test_an_environment_that_is_not_installed_yet_is_the_younger_one() -> None:
    (found,) = claims(ANY, [gateway("other/g", "*", created=59)], [service("other/v", "*", "g")])
    assert found.is_older


def test_an_older_claim_is_refused_and_a_younger_one_is_a_warning() -> None:
    younger = Claim(gateway="other/g", service="other/v", port=PLAIN, is_older=False)
    (refused,) = refusal(ANY, [OLDER, younger])
    assert (refused.rule, refused.exception) == (Rule.OWN_HOST, "share-host")
    assert "Gateway other/g with VirtualService other/v on port 80" in refused.live
    assert "pulumi config set host" in refused.remedy
    assert [*refusal(ANY, [younger])] == []
    (warned,) = warnings(ANY, [OLDER, younger])
    assert "is younger" in warned


_HOSTS = st.sampled_from(["*", "shop.example", "*.example", "./*", "*/shop.example", "shop/*", "a.example", "", "/", 7, None])
_NAMES = st.sampled_from(["shop", "shop-gateway", "shop-blue-green", "g", "shop/g", "mesh", None, 3])
_NONSENSE = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none(), max_size=1)
_METADATA = st.fixed_dictionaries({}, optional={"namespace": _NAMES, "name": _NAMES, "creationTimestamp": _NAMES}) | _NONSENSE
_SERVERS = st.fixed_dictionaries(
    {},
    optional={
        "port": st.fixed_dictionaries({}, optional={"number": st.sampled_from([80, 443, "80", None, True])}) | _NONSENSE,
        "hosts": st.lists(_HOSTS, max_size=3) | _NONSENSE,
    },
)
_SPECS = st.fixed_dictionaries(
    {},
    optional={
        "selector": st.dictionaries(st.sampled_from(["istio", "app"]), _NAMES | st.just("ingressgateway"), max_size=2)
        | _NONSENSE,
        "servers": st.lists(_SERVERS | _NONSENSE, max_size=3) | _NONSENSE,
        "hosts": st.lists(_HOSTS, max_size=3) | _NONSENSE,
        "gateways": st.lists(_NAMES, max_size=3) | _NONSENSE,
    },
)
_ITEMS = st.fixed_dictionaries({}, optional={"metadata": _METADATA, "spec": _SPECS | _NONSENSE})


@given(st.sampled_from([ANY, NAMED, SECURE]), st.lists(_ITEMS, max_size=4), st.lists(_ITEMS, max_size=4))
def test_gateways_of_any_shape_are_read(edge: Edge, gateways: list[Item], services: list[Item]) -> None:
    found = claims(edge, gateways, services)
    assert all(isinstance(claim, Claim) for claim in found)
    assert all(str(each) for each in refusal(edge, found))


@given(
    st.permutations([("a", 1), ("b", 2)]),
    st.sampled_from(["*", "shop.example"]),
    st.sampled_from(["*", "*.example", "shop.example", "*/*", "*/shop.example"]),
)
def test_of_two_environments_for_one_host_only_the_younger_is_refused(
    order: list[tuple[str, int]], host: str, accepts: str
) -> None:
    gateways = [gateway(f"{name}/shop-gateway", accepts, created=second) for name, second in order]
    services = [service(f"{name}/shop-blue-green", host, "shop-gateway") for name, _ in order]
    edges = {name: Edge(namespace=name, app="shop", host=host) for name, _ in order}
    refused = {name: bool([*refusal(edge, claims(edge, gateways, services))]) for name, edge in edges.items()}
    assert refused["a"] is False
    assert refused["b"] is any(claims(edge, gateways, services) for edge in edges.values())
