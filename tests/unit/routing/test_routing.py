"""Who serves whom is read from whatever stands in the route, and what somebody else wrote there is said in words."""

import copy
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bluegreen.environment import LiveEnvironment
from bluegreen.release.colors import COLORS
from bluegreen.release.config_reader import SettingsError, read_settings
from bluegreen.release.live import Live
from bluegreen.release.modules import UnknownModuleError
from bluegreen.release.objects import Object
from bluegreen.release.traffic import Traffic
from bluegreen.routing import BUILT_IN, LAYERS, find
from tests.engine import toy_layer
from tests.unit.cli.cluster import apply_operation
from tests.unit.program import BOTH_COLORS, ROOT, SHOP

OWNER = "acme/bluegreen/prod"
TOY = toy_layer.__name__
EVERY = [*BUILT_IN, TOY]


def destination(subset: str = "", host: str = "shop", **more: Any) -> dict[str, Any]:
    return {"destination": {"host": host} | ({"subset": subset} if subset else {}), **more}


def rule(name: str, *targets: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "route": [destination(each) if isinstance(each, str) else each for each in targets], **more}


COOKIE = [{"headers": {"cookie": {"regex": "test=true"}}}]
PATH = [{"uri": {"prefix": "/pay"}}]
USERS = rule("shop-default", "blue")
TESTERS = rule("shop-test", "green", match=COOKIE)
REDIRECT = {"name": "maintenance", "redirect": {"uri": "/down"}}
SPLIT = rule("shop-default", destination("blue", weight=90), destination("green", weight=10))


def virtual_service(*rules: object) -> dict[str, Any]:
    return {"metadata": {"annotations": {"bluegreen/owner": OWNER}}, "spec": {"http": [*rules]}}


def service(selector: object, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": {"bluegreen/owner": OWNER}}, "spec": {"selector": selector, **spec}}


def config_map(traffic: object) -> dict[str, Any]:
    return {"metadata": {"annotations": {"bluegreen/owner": OWNER, "traffic": traffic}}}


def deployment(color: str, name: str = "", image: str = "shop:1", **metadata: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"image": image}]}}
    labels = {"app": "shop", "color": color}
    return {"metadata": {"name": name or f"shop-{color}", "labels": labels, **metadata}, "spec": {"template": template}}


BOTH = [deployment("blue"), deployment("green")]


class Served(LiveEnvironment):
    """A cluster that holds these Deployments and these objects of the route."""

    def __init__(self, routing: str, deployments: Sequence[Object], *route: Object | None) -> None:
        super().__init__(context="", namespace="any", service=SHOP, routing=routing)
        self._deployments = deployments
        self._found = dict(zip(find(routing).route(SHOP), route, strict=False))

    def list_objects(self, *_: str, **__: str | None) -> list[Object]:
        return [*self._deployments]

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        return next((found for ref, found in self._found.items() if ref == (api_version, kind, name)), None)


def live(routing: str, *route: Object | None, deployments: Sequence[Object] = BOTH) -> Live:
    return Served(routing, deployments, *route).live()


# The rules of the VirtualService -> the color of the users and of the testers, every color that users may get, and what is
# said of it.
ISTIO: dict[str, tuple[list[object], str, str, set[str], str]] = {
    "what the program writes": ([TESTERS, USERS], "blue", "green", {"blue"}, ""),
    "no test color": ([USERS], "blue", "", {"blue"}, ""),
    "a redirect of everything": (
        [REDIRECT, TESTERS, USERS],
        "blue",
        "",
        {"blue"},
        "rule 1 (maintenance) redirects all requests before users reach a color",
    ),
    "a redirect of some": (
        [REDIRECT | {"match": PATH}, TESTERS, USERS],
        "blue",
        "green",
        {"blue"},
        "rule 1 (maintenance) redirects some requests before users reach a color",
    ),
    "a direct response, without a name": (
        [{"directResponse": {"status": 503}}, USERS],
        "blue",
        "",
        {"blue"},
        "rule 1 answers all requests itself before users reach a color",
    ),
    "a delegate": (
        [{"name": "team", "delegate": {"name": "other"}, "match": PATH}, USERS],
        "blue",
        "",
        {"blue", "green"},
        "rule 1 (team) passes some requests on to another VirtualService before users reach a color",
    ),
    "users are split": (
        [TESTERS, SPLIT],
        "blue",
        "green",
        {"blue", "green"},
        "rule 2 (shop-default) splits all requests (blue 90 %, green 10 %)",
    ),
    "a color with 0 % is not live": (
        [rule("shop-default", destination("blue", weight=0), destination("green", weight=100))],
        "green",
        "",
        {"green"},
        "rule 1 (shop-default) splits all requests (blue 0 %, green 100 %)",
    ),
    "weights that do not add up": (
        [rule("shop-default", destination("blue", weight="?"), destination("green"))],
        "blue",
        "",
        {"blue", "green"},
        "rule 1 (shop-default) splits all requests (blue, green)",
    ),
    "a single destination gets everything, whatever its weight": (
        [rule("shop-default", destination("blue", weight=0))],
        "blue",
        "",
        {"blue"},
        "",
    ),
    "somebody else's rule takes everything": (
        [rule("mine", "green"), USERS],
        "green",
        "",
        {"green"},
        "rule 1 (mine) sends all requests to green before users reach a color",
    ),
    "somebody else's rule takes some": (
        [rule("mine", "green", match=PATH), USERS],
        "blue",
        "",
        {"blue", "green"},
        "rule 1 (mine) sends some requests to green before users reach a color",
    ),
    "somebody else's rule behind ours": (
        [USERS, rule("mine", "green")],
        "blue",
        "",
        {"blue"},
        "rule 2 (mine) sends all requests to green, behind the rule of the users",
    ),
    "both colors at once": (
        [rule("shop-default", destination())],
        "blue",
        "",
        {"blue", "green"},
        "rule 1 (shop-default) sends all requests to shop",
    ),
    "another Service": (
        [rule("shop-default", destination(host="page"))],
        "",
        "",
        {"blue", "green"},
        "rule 1 (shop-default) sends all requests to page",
    ),
    "the Service by its full name": (
        [rule("shop-default", destination("green", host="shop.any.svc.cluster.local"))],
        "green",
        "",
        {"green"},
        "",
    ),
    "a subset that nobody knows": (
        [rule("shop-default", destination("purple"))],
        "",
        "",
        {"blue", "green"},
        "rule 1 (shop-default) sends all requests to shop (subset purple)",
    ),
    "our own rule redirects": (
        [USERS | {"redirect": {"uri": "/down"}}],
        "",
        "",
        {"blue", "green"},
        "rule 1 (shop-default) redirects all requests",
    ),
    "our own rule is for some": (
        [USERS | {"match": PATH}],
        "blue",
        "",
        {"blue"},
        "rule 1 (shop-default) takes some requests only",
    ),
    "our own rule is gone": (
        [REDIRECT],
        "",
        "",
        {"blue", "green"},
        "the rule that sends users to a color is gone; rule 1 (maintenance) redirects all requests",
    ),
    "our own rule is there twice": (
        [USERS, rule("shop-default", "green")],
        "blue",
        "",
        {"blue"},
        "rule 2 (shop-default) sends all requests to green, behind the rule of the users",
    ),
    "the test rule takes everything": (
        [rule("shop-test", "green"), USERS],
        "green",
        "",
        {"green"},
        "rule 1 (shop-test) sends all requests to green before users reach a color",
    ),
    "the test rule is never reached": ([USERS, TESTERS], "blue", "", {"blue"}, ""),
    "no rule": ([], "", "", {"blue", "green"}, "there is no rule that sends requests anywhere"),
}


@pytest.mark.parametrize(("rules", "active", "test", "serving", "foreign"), ISTIO.values(), ids=ISTIO)
def test_a_virtual_service_says_who_serves_and_what_is_not_ours(
    rules: list[object], active: str, test: str, serving: set[str], foreign: str
) -> None:
    found = live("istio", virtual_service(*rules))
    assert (found.active, found.test, {*found.serving}, found.route_owner) == (active, test, serving, OWNER)
    assert found.foreign == (f"in VirtualService shop-blue-green, {foreign}" if foreign else "")


def test_a_split_is_read_with_its_shares() -> None:
    assert live("istio", virtual_service(TESTERS, SPLIT)).traffic == Traffic(users={"blue": 90, "green": 10}, testers="green")


# The selectors of the two Services -> as above.
SELECTOR: dict[str, tuple[Object | None, str, set[str], str]] = {
    "what the program writes": (service({"app": "shop", "color": "blue"}), "blue", {"blue"}, ""),
    "both colors": (service({"app": "shop"}), "", {"blue", "green"}, "selects app=shop"),
    "no selector": (service(None), "", {"blue", "green"}, "has no selector"),
    "another application": (
        service({"app": "page", "color": "blue"}),
        "",
        {"blue", "green"},
        "selects app=page, color=blue",
    ),
    "a color that nobody knows": (
        service({"app": "shop", "color": "purple"}),
        "",
        {"blue", "green"},
        "selects app=shop, color=purple",
    ),
    "some pods of a color": (
        service({"app": "shop", "color": "blue", "canary": "yes"}),
        "blue",
        {"blue"},
        "selects app=shop, canary=yes, color=blue",
    ),
    "another name": (service(None, type="ExternalName", externalName="x.example"), "", {"blue", "green"}, "leads to x.example"),
}


@pytest.mark.parametrize(("users", "active", "serving", "foreign"), SELECTOR.values(), ids=SELECTOR)
def test_a_service_says_who_serves_and_what_is_not_ours(users: Object, active: str, serving: set[str], foreign: str) -> None:
    found = live("selector", users, service({"app": "shop", "color": "green"}))
    assert (found.active, found.test, {*found.serving}) == (active, "green", serving)
    assert found.foreign == (f"Service shop {foreign}" if foreign else "")


@pytest.mark.parametrize("routing", EVERY)
def test_without_a_route_nobody_is_served_and_nothing_is_foreign(routing: str) -> None:
    found = live(routing, None, None)
    assert (found.active, found.test, found.serving, found.foreign, found.route_owner) == ("", "", frozenset(), "", None)


def test_the_deployment_with_the_name_of_the_color_counts_whatever_else_has_its_labels() -> None:
    others = [deployment("blue", "debug", image="other:1"), deployment("blue"), deployment("blue", "later", image="other:2")]
    assert live("istio", None, deployments=others).colors["blue"].image == "shop:1"


# Values as they may stand anywhere in an object, with the words that the readers know.
WORDS = st.sampled_from(["shop", "shop-default", "shop-test", "blue", "green", "purple", "ExternalName", "", "x"])
# fmt: off
KEYS = st.sampled_from([
    "metadata", "spec", "status", "http", "name", "match", "route", "destination", "host", "subset", "weight", "redirect",
    "directResponse", "delegate", "mirror", "selector", "app", "color", "type", "annotations", "labels", "containers",
    "template", "replicas", "bluegreen/owner", "deletionTimestamp",
])
# fmt: on
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
ODD_TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "destination": st.fixed_dictionaries({}, optional={"host": WORDS | ANYTHING, "subset": WORDS | ANYTHING}) | ANYTHING,
        "weight": st.integers(-1, 101) | ANYTHING,
    },
)
ODD_RULES = st.fixed_dictionaries(
    {},
    optional={
        "name": WORDS | ANYTHING,
        "match": st.just(COOKIE) | ANYTHING,
        "route": st.lists(ODD_TARGETS | ANYTHING, max_size=3) | ANYTHING,
        "redirect": ANYTHING,
        "delegate": ANYTHING,
    },
)
ODD_ROUTES = st.dictionaries(KEYS, ANYTHING, max_size=4) | st.lists(
    st.sampled_from([USERS, TESTERS]) | ODD_RULES, max_size=4
).map(lambda rules: virtual_service(*rules))
ODD_SERVICES = st.dictionaries(KEYS, ANYTHING, max_size=4) | st.dictionaries(KEYS, WORDS | ANYTHING, max_size=3).map(service)
ODD_TEXTS = st.sampled_from(["[" * 5000, "{}", '{"users": {"blue": 1e999}}', "NaN"]) | st.fixed_dictionaries(
    {},
    optional={
        "users": st.dictionaries(WORDS, st.integers(-1, 101) | ANYTHING, max_size=3) | ANYTHING,
        "testers": WORDS | ANYTHING,
        "x": WORDS,
    },
).map(json.dumps)
ODD_CONFIG_MAPS = st.dictionaries(KEYS, ANYTHING, max_size=4) | (ODD_TEXTS | ANYTHING).map(config_map)
ODD: Mapping[str, st.SearchStrategy[Any]] = {"istio": ODD_ROUTES, "selector": ODD_SERVICES, TOY: ODD_CONFIG_MAPS}
ODD_DEPLOYMENTS = st.lists(st.dictionaries(KEYS, ANYTHING, max_size=4) | st.sampled_from(BOTH), max_size=3)


@pytest.mark.parametrize("routing", EVERY)
@hypothesis_settings(derandomize=True, max_examples=150)
@given(data=st.data())
def test_whatever_the_objects_hold_they_are_read(routing: str, data: st.DataObject) -> None:
    drawn: list[Any] = [data.draw(each) for each in (ODD[routing], st.none() | ODD[routing], ODD_DEPLOYMENTS)]
    users, testers, deployments = drawn
    found = live(routing, users, testers, deployments=deployments)
    assert {found.active, found.test} <= {"", *COLORS}
    # A route that cannot be understood is no missing one, and no color that it may lead to loses its pods.
    assert found.route_owner is not None
    assert found.active or (found.foreign and found.serving >= {*found.colors} & {*COLORS})


def moved(routing: str, route: list[Any], users: str, testers: str) -> list[Any]:
    """The objects of a route after users and testers were sent elsewhere."""
    after = copy.deepcopy(route)
    for item, operations in zip(after, find(routing).move(SHOP, route, Traffic.to(users, testers)), strict=True):
        assert all(apply_operation(item, operation) for operation in operations)
    return after


TRAFFICS = [Traffic.to(active, test) for active in COLORS for test in ("", *COLORS) if test != active]


def written(routing: str, traffic: Traffic) -> list[Any]:
    """The objects of the route as the program writes them, None for one that is not needed."""
    config = {"bluegreen:activeColor": traffic.active, "bluegreen:testColor": traffic.testers, "bluegreen:routing": routing}
    made = find(routing).manifests(read_settings(BOTH_COLORS | config)).route
    owned = {"bluegreen/owner": OWNER}
    objects = {
        manifest.ref: {"metadata": {"annotations": {**owned, **manifest.annotations}}, **manifest.body} for manifest in made
    }
    return [copy.deepcopy(objects.get(ref)) for ref in find(routing).route(SHOP)]


@pytest.mark.parametrize("routing", EVERY)
@pytest.mark.parametrize("traffic", TRAFFICS, ids=str)
def test_what_a_layer_writes_it_reads(routing: str, traffic: Traffic) -> None:
    found = live(routing, *written(routing, traffic))
    assert (found.traffic, found.serving, found.foreign) == (traffic, frozenset({traffic.active}), "")


@pytest.mark.parametrize("routing", EVERY)
@pytest.mark.parametrize("before", TRAFFICS, ids=str)
@pytest.mark.parametrize("after", TRAFFICS, ids=str)
def test_an_emergency_writes_what_an_update_would_write(routing: str, before: Traffic, after: Traffic) -> None:
    route = written(routing, before)
    if bool(before.testers) == bool(after.testers):
        assert moved(routing, route, after.active, after.testers) == written(routing, after)
    assert moved(routing, route, before.active, before.testers) == route


@pytest.mark.parametrize("routing", EVERY)
def test_the_objects_of_a_layer_are_those_that_it_names(routing: str) -> None:
    config = BOTH_COLORS | {"bluegreen:routing": routing}
    made, layer = find(routing).manifests(read_settings(config)), find(routing)
    assert tuple(manifest.ref for manifest in made.route) == layer.route(SHOP)
    others = [manifest for manifest in (made.gateway, *made.services, *made.parts) if manifest]
    assert {manifest.ref for manifest in others} == {*layer.parts(SHOP)}
    known = {(name, kind) for name, api in layer.APIS.items() for kind in api.plurals}
    assert {(ref.api_version, ref.kind) for ref in (*layer.route(SHOP), *layer.parts(SHOP))} <= known | {
        ("v1", "Service"),
        ("v1", "ConfigMap"),
    }


NO_LAYERS = {
    "dns": "There is no module bluegreen.routing.dns",
    "my_team.consul": "There is no module my_team.consul (the Python path has no my_team)",
    "base": "The module bluegreen.routing.base is not a routing layer: it has no APIS,",
    "json.decoder": "The module json.decoder is not a routing layer",
}


@pytest.mark.parametrize(("name", "words"), NO_LAYERS.items(), ids=NO_LAYERS)
def test_a_name_that_leads_to_no_layer_is_an_error_of_the_config(name: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(BOTH_COLORS | {"bluegreen:routing": name}, layers=LAYERS)
    [problem] = refused.value.problems
    assert problem.key == "bluegreen:routing"
    assert words in problem.fix
    assert "istio, selector, or a module of your own" in problem.allowed


def test_a_layer_that_cannot_be_imported_is_an_error_that_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_a_layer").mkdir()
    (tmp_path / "half_a_layer" / "consul.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UnknownModuleError, match="could not be imported: No module named 'no_such_library'"):
        find("half_a_layer.consul")


def test_a_layer_has_config_keys_of_its_own() -> None:
    own = {"bluegreen:proxyUrl": "http://127.0.0.1:8080"}
    settings = read_settings(BOTH_COLORS | own | {"bluegreen:routing": TOY, "bluegreen:verify": "true"}, layers=LAYERS)
    assert settings.own_value(toy_layer.PROXY_URL) == "http://127.0.0.1:8080"
    for change in ({"bluegreen:routing": TOY, "bluegreen:proxyUrl": "nowhere"}, own):
        with pytest.raises(SettingsError) as refused:
            read_settings(BOTH_COLORS | change, layers=LAYERS)
        assert [problem.key for problem in refused.value.problems] == ["bluegreen:proxyUrl"]
    with pytest.raises(SettingsError, match="Set bluegreen:proxyUrl"):
        read_settings(BOTH_COLORS | {"bluegreen:routing": TOY, "bluegreen:verify": "true"}, layers=LAYERS)


@pytest.mark.parametrize("routing", EVERY)
def test_only_the_layer_that_is_used_is_imported(routing: str) -> None:
    script = f"import sys; from bluegreen.routing import find; find({routing!r}); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {name for name in BUILT_IN if f"bluegreen.routing.{name}" in ran.stdout.split()} == {routing} - {TOY}


# Rules that a person writes: they have names of their own, and stay.
OTHERS = [
    REDIRECT,
    REDIRECT | {"match": PATH},
    {"directResponse": {"status": 503}, "match": PATH},
    rule("mine", "green"),
    rule("mine too", "blue", match=PATH),
    rule("page", destination(host="page")),
]
# The program's own rule of the users, in whatever shape it may be found.
OWN = [USERS, SPLIT, USERS | {"redirect": {"uri": "/down"}}, rule("shop-default", destination(host="page")), None]


@hypothesis_settings(derandomize=True, max_examples=150)
@given(
    others=st.lists(st.sampled_from(OTHERS), max_size=3, unique_by=str),
    own=st.sampled_from(OWN),
    test=st.sampled_from([TESTERS, None]),
    seed=st.randoms(use_true_random=False),
    users=st.sampled_from(COLORS),
)
def test_users_are_sent_to_a_color_and_the_rules_of_others_stay(
    others: list[Any], own: Any, test: Any, seed: Any, users: str
) -> None:
    rules = [each for each in (*others, own, test) if each]
    seed.shuffle(rules)
    (after,) = moved("istio", [virtual_service(*rules)], users, "")
    kept = [each for each in after["spec"]["http"] if each.get("name") not in ("shop-default", "shop-test")]
    assert kept == [each for each in rules if each in others]
    found = live("istio", after)
    ends = [each for each in others if not each.get("match") and each.get("name") in ("maintenance", "page")]
    assert found.active == users or ends


@pytest.mark.parametrize("routing", EVERY)
@hypothesis_settings(derandomize=True, max_examples=150)
@given(data=st.data())
def test_whatever_the_objects_hold_it_is_known_what_to_write(routing: str, data: st.DataObject) -> None:
    route = [data.draw(st.none() | ODD[routing]) for _ in find(routing).route(SHOP)]
    made = find(routing).move(SHOP, route, Traffic.to("green", data.draw(st.sampled_from(["", "blue"]))))
    assert len(made) == len(route)
    assert all(operation["op"] in ("add", "replace", "remove") for operations in made for operation in operations)
