"""The route of Istio: the VirtualService `<app>-blue-green`, whose rules choose between the subsets of one Service.

The first rule that matches a request decides. The program writes two: `<app>-test`, for requests with the test cookie, and
`<app>-default`, for all others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.release.colors import COLORS
from bluegreen.release.objects import Object, Ref, as_items, as_mapping, as_text
from bluegreen.release.traffic import Traffic
from bluegreen.routing.base import Operations, Reading

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


def objects(app: str) -> tuple[Ref, ...]:
    """The VirtualService."""
    return (Ref("networking.istio.io/v1", "VirtualService", f"{app}-blue-green"),)


def read(app: str, found: Sequence[Object | None]) -> Reading:
    """Who gets which color by the VirtualService. Never raises, whatever it holds."""
    if not found or found[0] is None:
        return Reading()
    rules = list(_rules(app, found[0]))
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
        foreign=f"in VirtualService {app}-blue-green, {foreign}" if foreign else "",
    )


def move(app: str, found: Sequence[Object | None], users: str, testers: str) -> list[Operations]:
    """Sends users, and testers if there are any, to a color: the destinations of the program's own rules.

    The rule of the users is added if it is gone, and moved before a rule of somebody else that sends all requests to a color.
    """
    if not found or found[0] is None:
        return [[]]
    http = as_mapping(found[0].get("spec")).get("http")
    present = as_items(http)
    rules = list(_rules(app, found[0]))
    operations: Operations = [] if present else [{"op": "add", "path": "/spec/http", "value": []}]
    for known in rules:
        if known.is_test and testers:
            operations += _replaced(known.place - 1, present, app, testers)
    own = next((known for known in rules if known.is_users), None)
    hidden_by = next((known for known in rules if known.is_for_all and known.shares and not known.is_users), None)
    place = hidden_by.place - 1 if hidden_by else len(present)
    if own is None:
        added = {"op": "add", "path": f"/spec/http/{place}", "value": rule(app, "default", users)}
        return [[*operations, added]]
    if own.place - 1 <= place:
        return [operations + _replaced(own.place - 1, present, app, users)]
    value = _sent_to(present[own.place - 1], app, users)
    removed = {"op": "remove", "path": f"/spec/http/{own.place - 1}"}
    return [[*operations, removed, {"op": "add", "path": f"/spec/http/{place}", "value": value}]]


def _replaced(index: int, rules: Sequence[Mapping[str, Any]], app: str, color: str) -> Operations:
    value = _sent_to(rules[index], app, color)
    return [] if value == rules[index] else [{"op": "replace", "path": f"/spec/http/{index}", "value": value}]


def _sent_to(found: Mapping[str, Any], app: str, color: str) -> dict[str, Any]:
    """A rule of the program, sent to one color. It keeps all that does not decide where a request goes."""
    kept = {key: value for key, value in found.items() if key not in _ENDS}
    targets = as_items(found.get("route"))
    target = dict(targets[0]) if len(targets) == 1 else {}
    target.pop("weight", None)
    headers = as_mapping(target.get("headers"))
    response = as_mapping(headers.get("response"))
    named = {**as_mapping(response.get("set")), "x-color": color}
    target["destination"] = {**as_mapping(target.get("destination")), "host": app, "subset": color}
    target["headers"] = {**headers, "response": {**response, "set": named}}
    return {**kept, "route": [target]}


def parts(app: str) -> tuple[Ref, ...]:
    """The subsets of the colors, the Service they are of, and the Gateway."""
    networking = "networking.istio.io/v1"
    return (
        Ref(networking, "DestinationRule", f"{app}-blue-green"),
        Ref("v1", "Service", app),
        Ref(networking, "Gateway", f"{app}-gateway"),
    )


# Only failures before a request has left for a pod: Istio's own default also repeats what a pod may have begun to do.
_RETRIES = {"attempts": 2, "retryOn": "connect-failure,refused-stream"}


def rule(app: str, role: str, color: str) -> dict[str, Any]:
    """The rule that the program writes for a role: `default` for users, `test` for testers."""
    destination = {"destination": {"host": app, "subset": color}, "headers": {"response": {"set": {"x-color": color}}}}
    return {"name": f"{app}-{role}", "route": [destination], "retries": _RETRIES}


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


def _rules(app: str, route: Object) -> Iterator[_Rule]:
    seen: set[str] = set()
    for place, rule in enumerate(as_items(as_mapping(route.get("spec")).get("http")), start=1):
        name, is_for_all = as_text(rule.get("name")), not rule.get("match")
        is_first = name not in seen
        seen.add(name)
        shares, colors = _destinations(app, rule)
        yield _Rule(
            place=place,
            name=name,
            is_users=is_first and name == f"{app}-default",
            is_test=is_first and name == f"{app}-test" and not is_for_all,
            is_for_all=is_for_all,
            shares=shares,
            colors=colors,
            oddity=_oddity(rule, shares),
        )


def _destinations(app: str, rule: Mapping[str, Any]) -> tuple[Mapping[str, float], frozenset[str] | None]:
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
        named = _colors(app, target)
        colors = _together([colors, named])
        for color in named or ():
            shares[color] = shares.get(color, 0) + (100 * weight / total / len(named or "1") if total else 0)
    return shares, colors


def _weight(target: Mapping[str, Any]) -> float:
    weight = target.get("weight")
    return float(weight) if isinstance(weight, int | float) and 0 < weight <= 1_000_000 else 0.0


def _colors(app: str, target: Mapping[str, Any]) -> frozenset[str] | None:
    """The colors behind a destination: none behind another Service, both behind the application's without a subset."""
    destination = as_mapping(target.get("destination"))
    host, subset = as_text(destination.get("host")), destination.get("subset")
    if host != app and not host.startswith(f"{app}."):
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
