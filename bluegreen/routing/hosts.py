"""Which other Gateways of Istio lead the host of an environment elsewhere.

Gateways that select the same gateway pods are merged, the oldest first. If two of them end up with the same host on the same
port, requests follow the older one, and the younger one is never reached. A more specific host wins whatever its age.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bluegreen.release.objects import Object, as_items, as_mapping, as_text
from bluegreen.release.refusals import Refusal, Rule

# The pods of Istio's ingress gateway, which the program's Gateway selects.
SELECTOR = {"istio": "ingressgateway"}

PLAIN, TLS = 80, 443


@dataclass(frozen=True, kw_only=True)
class Edge:
    """Where users come in: the Gateway `<app>-gateway` and the VirtualService `<app>-blue-green` in `namespace`, for `host`."""

    namespace: str
    app: str
    host: str
    has_tls: bool = False


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Another Gateway that leads the host of an environment elsewhere. Both names are `namespace/name`.

    `service` is its VirtualService for that host, empty if the Gateway alone decides (TLS).
    """

    gateway: str
    service: str
    port: int
    is_older: bool

    def __str__(self) -> str:
        led = f" with VirtualService {self.service}" if self.service else ""
        return f"Gateway {self.gateway}{led} on port {self.port}"


def candidates(edge: Edge, gateways: Sequence[Object]) -> list[Object]:
    """The other Gateways that may claim the host: those that select the same gateway pods and are not being deleted."""
    return [
        gateway
        for gateway in gateways
        if _full_name(gateway) != f"{edge.namespace}/{edge.app}-gateway"
        and not as_mapping(gateway.get("metadata")).get("deletionTimestamp")
        and _selects_same(as_mapping(as_mapping(gateway.get("spec")).get("selector")))
        and any(_covers(host, edge.host) or _covers(edge.host, host) for _, _, host in _servers(gateway))
    ]


def claims(edge: Edge, gateways: Sequence[Object], services: Sequence[Object]) -> list[Claim]:
    """The claims on the host of `edge` by the Gateways and VirtualServices of the cluster. Never raises, whatever they hold."""
    own = next((gateway for gateway in gateways if _full_name(gateway) == f"{edge.namespace}/{edge.app}-gateway"), None)
    return [
        Claim(
            gateway=_full_name(gateway),
            service=service,
            port=port,
            is_older=own is None or _age(gateway) < _age(own),
        )
        for gateway in candidates(edge, gateways)
        for port, service in sorted(_claimed(edge, gateway, services))
    ]


def refusal(edge: Edge, found: Sequence[Claim]) -> Iterator[Refusal]:
    """Refuses an environment whose host an older Gateway leads elsewhere."""
    older = [str(claim) for claim in found if claim.is_older]
    if older:
        yield Refusal(
            rule=Rule.OWN_HOST,
            asked=f"{edge.app} in namespace {edge.namespace} for {_named(edge)}",
            live=f"{' and '.join(older)} serves {_named(edge)}, and is older, so requests never reach this environment",
            remedy="Give the environment a host of its own: pulumi config set host shop.example",
            exception="share-host",
        )


def warnings(edge: Edge, found: Sequence[Claim]) -> Iterator[str]:
    """Warnings about younger Gateways, from which this environment takes the requests."""
    for claim in found:
        if not claim.is_older:
            yield (
                f"{claim} also serves {_named(edge)}. It is younger, so this environment gets its requests. One of them needs "
                "a host of its own: pulumi config set host shop.example"
            )


def _named(edge: Edge) -> str:
    return "any host (*)" if edge.host == "*" else f"the host {edge.host}"


def _claimed(edge: Edge, gateway: Object, services: Sequence[Object]) -> set[tuple[int, str]]:
    """The ports on which a Gateway leads the host elsewhere, each with the VirtualService that does it."""
    found: set[tuple[int, str]] = set()
    for port, scope, host in _servers(gateway):
        if port == TLS and edge.has_tls and host == edge.host.lower():
            found.add((TLS, ""))
        if port == PLAIN:
            found |= {(PLAIN, service) for service in _led(edge, gateway, scope, host, services)}
    return found


def _led(edge: Edge, gateway: Object, scope: str, host: str, services: Sequence[Object]) -> Iterator[str]:
    for service in services:
        namespace, name = _namespace(service), _full_name(service)
        is_own = name == f"{edge.namespace}/{edge.app}-blue-green"
        if is_own or scope not in ("*", namespace) or not _is_attached(service, gateway):
            continue
        hosts = as_mapping(service.get("spec")).get("hosts")
        texts = [as_text(host).lower() for host in hosts] if isinstance(hosts, list) else []
        if any(_common(host, text) == edge.host.lower() for text in texts):
            yield name


def _servers(gateway: Object) -> Iterator[tuple[int, str, str]]:
    """The port, the namespace of the VirtualServices (`*` for any) and the host of each host that a Gateway accepts."""
    for server in as_items(as_mapping(gateway.get("spec")).get("servers")):
        port: object = as_mapping(server.get("port")).get("number")
        hosts = server.get("hosts")
        if not isinstance(port, int) or not isinstance(hosts, list):
            continue
        for text in hosts:
            scope, slash, host = as_text(text).partition("/")
            if not slash:
                scope, host = "*", scope
            yield port, _namespace(gateway) if scope == "." else scope, host.lower()


def _is_attached(service: Object, gateway: Object) -> bool:
    named = as_mapping(service.get("spec")).get("gateways")
    names = [as_text(name) for name in named] if isinstance(named, list) else []
    return _full_name(gateway) in {name if "/" in name else f"{_namespace(service)}/{name}" for name in names}


def _selects_same(selector: Object) -> bool:
    """Whether a selector may choose pods that ours chooses too. An empty one chooses all."""
    if any(SELECTOR.get(name, value) != value for name, value in selector.items()):
        return False
    return not selector or bool(SELECTOR.keys() & selector.keys())


def _common(one: str, other: str) -> str:
    """The hosts that two patterns have in common, as a pattern; empty if there are none."""
    return other if _covers(one, other) else one if _covers(other, one) else ""


def _covers(pattern: str, host: str) -> bool:
    """Whether every host of `host` (a name, `*.name` or `*`) is one of `pattern`."""
    pattern, host = pattern.lower(), host.lower()
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def _age(item: Object) -> tuple[str, str]:
    """What Istio sorts by: the time of creation, then the name and the namespace."""
    metadata = as_mapping(item.get("metadata"))
    return as_text(metadata.get("creationTimestamp")), f"{as_text(metadata.get('name'))}.{_namespace(item)}"


def _namespace(item: Object) -> str:
    return as_text(as_mapping(item.get("metadata")).get("namespace"))


def _full_name(item: Object) -> str:
    return f"{_namespace(item)}/{as_text(as_mapping(item.get('metadata')).get('name'))}"
