"""Routing by Istio: the rules of a VirtualService choose between two subsets of one Service.

A switch is one update of one object, the VirtualService `<app>-blue-green`. The first rule that matches a request decides. The
program writes two: `<app>-test`, for requests with the test cookie, and `<app>-default`, for all others. Every response says in
the header `x-color` which color served it.

The DestinationRule `<app>-blue-green` always declares the subsets of both colors: a proxy that received a route before its
subset would answer 503. The Service that users reach selects the pods of both colors, and the Gateway `<app>-gateway` accepts
the host. Every further Service selects both colors too, and has a DestinationRule of its own, `<service>-blue-green`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bluegreen.release.colors import COLORS
from bluegreen.release.config_keys import Key
from bluegreen.release.config_reader import Problem
from bluegreen.release.endpoint import NOTHING_GIVEN, Endpoint, Given
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Api, Object, Ref, as_items, as_mapping, as_text
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.settings import ServiceSettings, Settings, SharedService
from bluegreen.release.traffic import Traffic
from bluegreen.routing import hosts
from bluegreen.routing.base import Claims, Objects, Operations, Reading, cannot_verify, service_object

NAME = "istio"
KEYS: tuple[Key[Any], ...] = ()
HAS_TEST_ADDRESS = False

_NETWORKING = "networking.istio.io/v1"
APIS: Mapping[str, Api] = {
    _NETWORKING: Api(
        plurals={
            "DestinationRule": "destinationrules",
            "Gateway": "gateways",
            "VirtualService": "virtualservices",
        },
        if_absent="the CRDs of Istio are not installed. Install Istio, or set bluegreen:routing to selector",
    )
}

# The response header with the color.
_HEADER = "x-color"

# What a rule can do instead of sending a request to a destination, or beside it -> in words, for some requests or all.
_ACTIONS = {
    "redirect": "redirects {}",
    "directResponse": "answers {} itself",
    "delegate": "passes {} on to another VirtualService",
    "fault": "injects faults into {}",
    "mirror": "mirrors {}",
    "mirrors": "mirrors {}",
}
# Those after which a request reaches no destination of the rule, and no later rule.
_ENDS = ("redirect", "directResponse", "delegate")


# What a port says in its appProtocol, or in its name before a dash, if it does not speak HTTP.
_NOT_HTTP = ("mongo", "mysql", "redis", "sctp", "tcp", "tls", "udp")


def problems(settings: Settings) -> Iterator[Problem]:
    """`verify` without a URL and without a host that has one; a users' port that does not speak HTTP.

    Envoy could carry plain TCP, but not through a switch: a switch replaces the listener's filter chain, and 45 seconds later
    (the gateway's drain time) Envoy closes its connections, in the middle of whatever they carry. Each application would also
    need a port of its own at the gateway, and testers do not differ from users in a connection.
    """
    if settings.verify and not _url(settings):
        yield cannot_verify("Set bluegreen:url, or a bluegreen:host that is no wildcard.")
    users = settings.service.users
    port = next((port for port in as_items(users.spec.get("ports")) if port.get("port") == settings.service.port), {})
    if (protocol := _protocol(port)) in _NOT_HTTP:
        yield Problem(
            "bluegreen:routing",
            f"istio, and users come in by port {settings.service.port} of the Service {users.name}, which speaks {protocol}",
            "selector for this port: the gateway carries HTTP, HTTP/2, gRPC and WebSocket",
            "Run: pulumi config set routing selector. If the port speaks HTTP, set its appProtocol to http, http2 or grpc.",
        )


def _protocol(port: Mapping[str, Any]) -> str:
    """The protocol of a Service's port as Istio reads it, in lower case."""
    named = (as_text(port.get("appProtocol")) or as_text(port.get("name"))).partition("-")[0]
    transport = as_text(port.get("protocol")) or "TCP"
    return (named if transport == "TCP" else transport).lower()


def manifests(settings: Settings) -> Objects:
    """The Gateway, the Services of both colors, their subsets, and the VirtualService."""
    service = settings.service
    app = service.name
    http = {"hosts": [settings.host], "gateways": [_gateway_name(app)], "http": _http(settings)}
    return Objects(
        gateway=_manifest(app, _NETWORKING, "Gateway", _gateway_name(app), _gateway(settings)),
        # They select the pods of both colors, always: the subsets choose among them. They must never follow one color.
        services=tuple(service_object(service, shared, selector=service.pod_labels()) for shared in service.shared),
        parts=tuple(_subsets(service, shared) for shared in service.shared),
        route=(_manifest(app, _NETWORKING, "VirtualService", _name(app), http),),
    )


def _name(app: str) -> str:
    return f"{app}-blue-green"


def _gateway_name(app: str) -> str:
    return f"{app}-gateway"


def _manifest(
    app: str, api_version: str, kind: str, name: str, spec: Mapping[str, Any], *, resource_name: str = ""
) -> Manifest:
    return Manifest(
        api_version=api_version,
        kind=kind,
        name=name,
        body={"spec": spec},
        labels={"app": app},
        resource_name=resource_name,
    )


def _gateway(settings: Settings) -> Mapping[str, Any]:
    """Port 80 for the configured host; with a TLS Secret, port 443, and port 80 redirects to it.

    The Secret must stand in the namespace of the ingress gateway, where Istio looks for it.
    """
    plain: dict[str, Any] = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": [settings.host]}
    servers = [plain]
    if settings.tls_secret:
        plain["tls"] = {"httpsRedirect": True}
        tls = {"mode": "SIMPLE", "credentialName": settings.tls_secret}
        port = {"number": 443, "name": "https", "protocol": "HTTPS"}
        servers.append({"port": port, "hosts": [settings.host], "tls": tls})
    return {"selector": hosts.SELECTOR, "servers": servers}


def _subsets(service: ServiceSettings, shared: SharedService) -> Manifest:
    """The subsets of both colors behind one Service."""
    name = _rule_name(service, shared)
    subsets = [{"name": color, "labels": {"color": color}} for color in COLORS]
    spec = {"host": shared.name, "subsets": subsets}
    return _manifest(service.name, _NETWORKING, "DestinationRule", name, spec, resource_name=f"{name}-subsets")


def _rule_name(service: ServiceSettings, shared: SharedService) -> str:
    """The name of the DestinationRule of a Service."""
    return _name(service.name if shared is service.users else shared.name)


def _http(settings: Settings) -> list[dict[str, Any]]:
    """The rule of the testers, if any, before that of the users: the first match wins, and a diff goes by index."""
    service, traffic = settings.service, settings.traffic
    default = rule(service, "default", traffic.active)
    if not traffic.testers:
        return [default]
    match = [{"headers": {"cookie": {"regex": cookie_pattern(settings.test_cookie)}}}]
    return [rule(service, "test", traffic.testers) | {"match": match}, default]


def cookie_pattern(cookie: str) -> str:
    """The expression (RE2, matched from end to end) that finds `cookie` wherever it stands in a cookie header."""
    return rf"^(.*;\s*)?{re.escape(cookie)}\s*(;.*)?$"


def route(service: ServiceSettings) -> tuple[Ref, ...]:
    """The VirtualService."""
    return (Ref(_NETWORKING, "VirtualService", _name(service.name)),)


def read(service: ServiceSettings, found: Sequence[Object | None]) -> Reading:
    """Who gets which color by the VirtualService. Never raises, whatever it holds."""
    if not found or found[0] is None:
        return Reading()
    rules = list(_rules(service, found[0]))
    reached = list(_reached(rules))
    colors = _together(rule.colors for rule in reached if not rule.is_test)
    last = reached[-1] if reached and reached[-1].is_for_all else None
    own = next((rule for rule in rules if rule.is_users), None)
    shares = last.shares if last and last.shares else own.shares if own else {}
    if own and not last:
        colors = _together([colors, own.colors])
    foreign = "; ".join(_foreign(rules, own))
    traffic = Traffic.split(shares, next((_most(rule.shares) for rule in reached if rule.is_test), ""))
    return Reading(
        traffic=traffic,
        may_serve=_together([colors, frozenset({traffic.active})]) if traffic.active else None,
        foreign=f"in VirtualService {_name(service.name)}, {foreign}" if foreign else "",
    )


def move(service: ServiceSettings, found: Sequence[Object | None], traffic: Traffic) -> list[Operations]:
    """Sends users, and testers if there are any, to a color: the destinations of the program's own rules.

    The rule of the users is added if it is gone, and moved before a rule of somebody else that sends all requests to a color.
    """
    if not found or found[0] is None:
        return [[]]
    http = as_mapping(found[0].get("spec")).get("http")
    present = as_items(http)
    rules = list(_rules(service, found[0]))
    operations: Operations = [] if present else [{"op": "add", "path": "/spec/http", "value": []}]
    for known in rules:
        if known.is_test and traffic.testers:
            operations += _replaced(known.place - 1, present, service, traffic.testers)
    own = next((known for known in rules if known.is_users), None)
    hidden_by = next((known for known in rules if known.is_for_all and known.shares and not known.is_users), None)
    place = hidden_by.place - 1 if hidden_by else len(present)
    if own is None:
        added = {"op": "add", "path": f"/spec/http/{place}", "value": rule(service, "default", traffic.active)}
        return [[*operations, added]]
    if own.place - 1 <= place:
        return [operations + _replaced(own.place - 1, present, service, traffic.active)]
    value = _sent_to(present[own.place - 1], service, traffic.active)
    removed = {"op": "remove", "path": f"/spec/http/{own.place - 1}"}
    return [[*operations, removed, {"op": "add", "path": f"/spec/http/{place}", "value": value}]]


def _replaced(index: int, rules: Sequence[Mapping[str, Any]], service: ServiceSettings, color: str) -> Operations:
    value = _sent_to(rules[index], service, color)
    return [] if value == rules[index] else [{"op": "replace", "path": f"/spec/http/{index}", "value": value}]


def _sent_to(found: Mapping[str, Any], service: ServiceSettings, color: str) -> dict[str, Any]:
    """A rule of the program, sent to one color. It keeps all that does not decide where a request goes."""
    kept = {key: value for key, value in found.items() if key not in _ENDS}
    targets = as_items(found.get("route"))
    target = dict(targets[0]) if len(targets) == 1 else {}
    target.pop("weight", None)
    headers = as_mapping(target.get("headers"))
    response = as_mapping(headers.get("response"))
    named = {**as_mapping(response.get("set")), _HEADER: color}
    target["destination"] = {**as_mapping(target.get("destination")), **_destination(service, color)}
    target["headers"] = {**headers, "response": {**response, "set": named}}
    return {**kept, "route": [target]}


def parts(service: ServiceSettings) -> tuple[Ref, ...]:
    """The subsets of the colors, the Services that they belong to, and the Gateway."""
    return (
        *(Ref(_NETWORKING, "DestinationRule", _rule_name(service, shared)) for shared in service.shared),
        *(Ref("v1", "Service", shared.name) for shared in service.shared),
        Ref(_NETWORKING, "Gateway", _gateway_name(service.name)),
    )


def of_users(settings: Settings, given: Given = NOTHING_GIVEN) -> Endpoint | None:
    """The URL of the users, or that of a host without a wildcard."""
    url = given.url or _url(settings)
    host = "" if settings.host.startswith("*") else settings.host
    return Endpoint(url=url, host=host, color_header=given.color_header or _HEADER) if url else None


def of_testers(settings: Settings, given: Given = NOTHING_GIVEN) -> Endpoint | None:
    """Where users enter, with the test cookie."""
    endpoint = of_users(settings, given)
    return replace(endpoint, cookie=settings.test_cookie) if endpoint else None


def describe_testers(settings: Settings) -> str:
    """The test cookie."""
    return f"cookie {settings.test_cookie}"


def url(settings: Settings, _: Object | None) -> str:
    """The configured URL, or that of the host."""
    host = "<address of the ingress gateway>" if settings.host == "*" else settings.host
    return settings.url or f"{_scheme(settings)}://{host}"


def command_of_testers(settings: Settings, written: Object | None) -> str:
    """A request with the test cookie."""
    return f"curl --cookie {settings.test_cookie} {url(settings, written)}"


def _url(settings: Settings) -> str:
    """The URL of the users; empty if the settings do not say it."""
    if settings.url or settings.host.startswith("*"):
        return settings.url
    return f"{_scheme(settings)}://{settings.host}"


def _scheme(settings: Settings) -> str:
    return "https" if settings.tls_secret else "http"


def next_to_list(settings: Settings, found: Sequence[Sequence[Object]]) -> tuple[str, str] | None:
    """The Gateways, and if one of them may claim the host, the VirtualServices; during an adoption both."""
    if not found:
        return _NETWORKING, "Gateway"
    if len(found) == 1 and (settings.adopt or hosts.candidates(_edge(settings), found[0])):
        return _NETWORKING, "VirtualService"
    return None


def claims(settings: Settings, found: Sequence[Sequence[Object]]) -> Claims:
    """The other Gateways that lead the host elsewhere: an older one refuses the update, a younger one is a warning.

    During an adoption, a VirtualService that leads the host to the Services of this environment as its own one will do does not
    lead elsewhere. It must go before the adoption ends.
    """
    gateways, services = [*found, [], []][:2]
    edge = _edge(settings)
    others = [service for service in services if settings.adopt and _leads_here(settings, service)]
    services = [service for service in services if service not in others]
    claimed = hosts.claims(edge, gateways, services) if len(found) > 1 else []
    return Claims(
        refusals=(*hosts.refusal(edge, claimed), *_lost(settings, services)),
        warnings=tuple(hosts.warnings(edge, claimed)),
        others=tuple(
            Ref(_NETWORKING, "VirtualService", as_text(as_mapping(item.get("metadata")).get("name"))) for item in others
        ),
    )


def _leads_here(settings: Settings, service: Object) -> bool:
    """Whether a VirtualService does the same for the host as that of the environment: it sends all requests to its Services."""
    spec = as_mapping(service.get("spec"))
    rules = as_items(spec.get("http"))
    return (
        _leads_to(settings, service)
        and spec.get("hosts") == [settings.host]
        and all(rule.keys() <= _KEPT for rule in rules)
        and any(not rule.get("match") for rule in rules)
    )


# What a rule may say to be replaced by the environment's own.
_KEPT = {"name", "match", "route", "retries", "timeout"}


def _leads_to(settings: Settings, service: Object) -> bool:
    """Whether a VirtualService of the namespace, not the environment's own, sends requests from a gateway to its Services."""
    metadata, spec = as_mapping(service.get("metadata")), as_mapping(service.get("spec"))
    targets = [
        as_mapping(target.get("destination")) for rule in as_items(spec.get("http")) for target in as_items(rule.get("route"))
    ]
    names = [shared.name for shared in settings.service.shared]
    full = [f"{name}.{settings.namespace}{domain}" for name in names for domain in ("", ".svc", ".svc.cluster.local")]
    is_near = metadata.get("namespace") == settings.namespace and metadata.get("name") != _name(settings.service.name)
    return is_near and bool(spec.get("gateways")) and any(target.get("host") in (*names, *full) for target in targets)


def _lost(settings: Settings, services: Sequence[Object]) -> Iterator[Refusal]:
    """Refuses to adopt an application that a VirtualService leads to in another way: the next release would reach its users."""
    for service in services:
        if settings.adopt and _leads_to(settings, service):
            led = ", ".join(map(str, as_mapping(service.get("spec")).get("hosts") or ()))
            name = as_text(as_mapping(service.get("metadata")).get("name"))
            yield Refusal(
                rule=Rule.OWN_HOST,
                asked=f"to adopt Service {settings.service.users.name} for the host {settings.host}",
                live=f"VirtualService {name} leads {led} to it, or does more than to send all requests there",
                remedy="An environment has one host and sends all its requests to one color. Set the host of that "
                "VirtualService (pulumi config set host), and move what else it does elsewhere.",
                exception="share-host",
            )


def _edge(settings: Settings) -> hosts.Edge:
    return hosts.Edge(
        namespace=settings.namespace, app=settings.service.name, host=settings.host, has_tls=bool(settings.tls_secret)
    )


# Only failures before a request has left for a pod: Istio's own default also repeats what a pod may have begun to do.
_RETRIES = {"attempts": 2, "retryOn": "connect-failure,refused-stream"}


def rule(service: ServiceSettings, role: str, color: str) -> dict[str, Any]:
    """The rule that the program writes for a role: `default` for users, `test` for testers."""
    target = {"destination": _destination(service, color), "headers": {"response": {"set": {_HEADER: color}}}}
    return {"name": f"{service.name}-{role}", "route": [target], "retries": _RETRIES}


def _destination(service: ServiceSettings, color: str) -> dict[str, Any]:
    """One color of the Service that users reach.

    Istio needs the port where a Service has several. A Service gets another port before the route is written, so the route to a
    color from a manifest always names the port.
    """
    present = service.colors.get(color)
    port = {"port": {"number": service.port}} if present and present.snapshot else {}
    return {"host": service.users.name, "subset": color, **port}


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """One rule as it was read.

    `shares` are the percents of the colors it sends requests to, `colors` every color that may get any, None if that cannot
    be told. `oddity` says what the rule does that the program's own rules do not do, or is empty.
    """

    place: int
    name: str
    is_users: bool
    is_test: bool
    is_for_all: bool
    shares: Mapping[str, float]
    colors: frozenset[str] | None
    oddity: str

    @property
    def sends(self) -> str:
        """What the rule does if there is nothing odd about it."""
        return f"sends {'all' if self.is_for_all else 'some'} requests to {_most(self.shares)}"

    def __str__(self) -> str:
        return f"rule {self.place}" + (f" ({self.name})" if self.name else "")


def _rules(service: ServiceSettings, route: Object) -> Iterator[_Rule]:
    seen: set[str] = set()
    for place, rule in enumerate(as_items(as_mapping(route.get("spec")).get("http")), start=1):
        name, is_for_all = as_text(rule.get("name")), not rule.get("match")
        is_first = name not in seen
        seen.add(name)
        shares, colors = _destinations(service, rule)
        yield _Rule(
            place=place,
            name=name,
            is_users=is_first and name == f"{service.name}-default",
            is_test=is_first and name == f"{service.name}-test" and not is_for_all,
            is_for_all=is_for_all,
            shares=shares,
            colors=colors,
            oddity=_oddity(rule, shares),
        )


def _destinations(service: ServiceSettings, rule: Mapping[str, Any]) -> tuple[Mapping[str, float], frozenset[str] | None]:
    """The percents of the colors, and all colors that the rule may send a request to."""
    if rule.get("delegate"):
        return {}, None
    if any(rule.get(key) for key in _ENDS):
        return {}, frozenset()
    targets = as_items(rule.get("route"))
    weights = [_weight(target) for target in targets]
    if len(targets) == 1:
        weights = [1.0]
    total = sum(weights)
    shares: dict[str, float] = {}
    colors: frozenset[str] | None = frozenset()
    for target, weight in zip(targets, weights, strict=True):
        if total and not weight:
            continue
        named = _colors(service, target)
        colors = _together([colors, named])
        for color in named or ():
            shares[color] = shares.get(color, 0) + (100 * weight / total / len(named or "1") if total else 0)
    return shares, colors


def _weight(target: Mapping[str, Any]) -> float:
    weight = target.get("weight")
    return float(weight) if isinstance(weight, int | float) and 0 < weight <= 1_000_000 else 0.0


def _colors(service: ServiceSettings, target: Mapping[str, Any]) -> frozenset[str] | None:
    """The colors behind a destination: none behind another Service, both behind the application's without a subset."""
    destination = as_mapping(target.get("destination"))
    host, subset = as_text(destination.get("host")), destination.get("subset")
    if host.partition(".")[0] not in {shared.name for shared in service.shared}:
        return frozenset()
    if not subset:
        return frozenset(COLORS)
    return frozenset({subset}) if subset in COLORS else None


def _oddity(rule: Mapping[str, Any], shares: Mapping[str, float]) -> str:
    requests = "some requests" if rule.get("match") else "all requests"
    if actions := [words.format(requests) for key, words in _ACTIONS.items() if rule.get(key)]:
        return " and ".join(dict.fromkeys(actions))
    targets = as_items(rule.get("route"))
    if not targets:
        return f"sends {requests} nowhere"
    if len(targets) > 1:
        return f"splits {requests} ({', '.join(_target(target) for target in targets)})"
    return f"sends {requests} to {_target(targets[0])}" if len(shares) != 1 else ""


def _target(target: Mapping[str, Any]) -> str:
    destination = as_mapping(target.get("destination"))
    subset, host = as_text(destination.get("subset")), as_text(destination.get("host"))
    name = subset if subset in COLORS else f"{host or 'no host'}{f' (subset {subset})' if subset else ''}"
    weight = target.get("weight")
    return f"{name} {weight} %" if isinstance(weight, int | float) else name


def _reached(rules: Sequence[_Rule]) -> Iterator[_Rule]:
    """The rules that a request of a user can reach: up to the first one that takes every request."""
    for rule in rules:
        yield rule
        if rule.is_for_all:
            return


def _foreign(rules: Sequence[_Rule], own: _Rule | None) -> Iterator[str]:
    if not rules:
        yield "there is no rule that sends requests anywhere"
    elif own is None:
        yield "the rule that sends users to a color is gone"
    for rule in rules:
        if rule is own:
            limited = "" if rule.is_for_all else "takes some requests only"
            if said := " and ".join(filter(None, [limited, rule.oddity])):
                yield f"{rule} {said}"
        elif not rule.is_test:
            yield f"{rule} {rule.oddity or rule.sends}{_where(rule, own)}"


def _where(rule: _Rule, own: _Rule | None) -> str:
    if own is None:
        return ""
    return " before users reach a color" if rule.place < own.place else ", behind the rule of the users"


def _most(shares: Mapping[str, float]) -> str:
    """The color with the largest share; empty if there is none."""
    return Traffic.split(shares).active


def _together(sets: Iterator[frozenset[str] | None] | Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    """All colors of `sets`; None as soon as one of them cannot be told."""
    every = list(sets)
    return None if None in every else frozenset().union(*(found for found in every if found))
