"""During an adoption, what already leads the host to the application is no claim of somebody else."""

from typing import Any

import pytest

from bluegreen.release.adoption import Adoption
from bluegreen.release.objects import Ref
from bluegreen.release.settings import ServiceSettings, Settings
from bluegreen.routing import istio
from bluegreen.routing.base import Claims

HOST = "shop.example"
ADOPTION = Adoption(deployment="web", services={"shop": {"app": "web"}})
RULE: dict[str, Any] = {"route": [{"destination": {"host": "shop"}}]}


def settings(**changes: Any) -> Settings:
    asked: dict[str, Any] = {"namespace": "prod", "host": HOST, "adopt": ADOPTION, **changes}
    return Settings(service=ServiceSettings(name="shop", colors={}), active_color="blue", **asked)


def theirs(*rules: Any, hosts: tuple[str, ...] = (HOST,), namespace: str = "prod") -> list[list[Any]]:
    """A Gateway and a VirtualService that are older than those of the environment."""
    described = {"name": "web", "namespace": namespace, "creationTimestamp": "2026-01-01T00:00:00Z"}
    servers = [{"port": {"number": 80, "protocol": "HTTP"}, "hosts": ["*"]}]
    gateway = {"metadata": described, "spec": {"selector": {"istio": "ingressgateway"}, "servers": servers}}
    route = {"metadata": described, "spec": {"hosts": [*hosts], "gateways": ["web"], "http": [*rules]}}
    return [[gateway], [route]]


def found(asked: Settings, listed: list[list[Any]]) -> Claims:
    seen: list[list[Any]] = []
    while istio.next_to_list(asked, seen):
        seen.append(listed[len(seen)])
    return istio.claims(asked, seen)


@pytest.mark.parametrize(
    "rules",
    [
        pytest.param([RULE], id="one rule"),
        pytest.param(
            [{**RULE, "match": [{"uri": {"prefix": "/a"}}]}, {**RULE, "name": "rest", "timeout": "5s"}], id="two rules"
        ),
        pytest.param([{"route": [{"destination": {"host": "shop.prod.svc.cluster.local", "subset": "v1"}}]}], id="a full name"),
    ],
)
def test_a_virtual_service_that_does_the_same_may_stay_until_the_end(rules: list[Any]) -> None:
    claims = found(settings(), theirs(*rules))
    assert claims.refusals == ()
    assert claims.others == (Ref("networking.istio.io/v1", "VirtualService", "web"),)


def test_at_the_end_it_must_be_gone() -> None:
    ended = found(settings(adopt=None), theirs(RULE))
    assert [str(refusal.rule) for refusal in ended.refusals] == ["OWN_HOST"]
    assert ended.others == ()


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param(theirs(RULE, hosts=("other.example",)), id="another host"),
        pytest.param(theirs(RULE, hosts=(HOST, "www.shop.example")), id="one more host"),
        pytest.param(theirs({**RULE, "match": [{"uri": {"prefix": "/a"}}]}), id="some requests only"),
        pytest.param(theirs({**RULE, "rewrite": {"uri": "/"}}), id="a rewrite"),
        pytest.param(theirs({**RULE, "fault": {}}, RULE), id="a fault"),
    ],
)
def test_a_virtual_service_that_would_be_missed_is_refused(listed: list[list[Any]]) -> None:
    claims = found(settings(), listed)
    assert claims.others == ()
    assert "VirtualService web leads" in " ".join(refusal.live for refusal in claims.refusals)


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param(
            theirs({"route": [{"destination": {"host": "cart"}}]}, hosts=("other.example",)), id="another application"
        ),
        pytest.param(theirs(RULE, hosts=("other.example",), namespace="test"), id="another namespace"),
    ],
)
def test_what_leads_elsewhere_does_not_matter(listed: list[list[Any]]) -> None:
    claims = found(settings(), listed)
    assert (claims.refusals, claims.others) == ((), ())
