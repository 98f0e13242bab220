"""Over random manifests: what holds for every color that is derived."""

import hashlib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some

from bluegreen.release import digest
from bluegreen.release.colors import COLORS
from bluegreen.release.manifest import Manifest
from bluegreen.release.metadata import APP
from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot import PLACEHOLDER, Snapshot, SnapshotError, read_text, resolved
from bluegreen.workload import manifest
from bluegreen.workload.manifest.labels import matches
from bluegreen.workload.manifest.references import references


@pytest.fixture(autouse=True, scope="module")
def cheap_digests() -> Iterator[None]:
    """A digest that is expensive to guess from takes 50 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "scrypt", lambda text, salt, **_: hashlib.sha256(salt + text).digest())
        digest.of_secret.cache_clear()
        yield
    digest.of_secret.cache_clear()


NAMES = ("settings", "files", "keys", "token", "outside", "web")
TEXTS = some.text(alphabet="abc:#{}[]&*!|>'\"%@`$ \n1.0é", max_size=8)
KEYS = some.sampled_from(["a", "b", "c"])


def named(*kinds: str) -> some.SearchStrategy[dict[str, Any]]:
    return some.builds(lambda kind, name: {kind: {"name": name}}, some.sampled_from(kinds), some.sampled_from(NAMES))


LABELS = some.dictionaries(some.sampled_from(["app", "tier", "version", "zone"]), some.sampled_from(["web", "x"]), max_size=4)
SELECTORS = some.fixed_dictionaries(
    {},
    optional={
        "matchLabels": LABELS,
        "matchExpressions": some.lists(
            some.fixed_dictionaries(
                {
                    "key": some.sampled_from(["app", "tier", "color"]),
                    "operator": some.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]),
                    "values": some.lists(some.sampled_from(["web", "x"]), max_size=2),
                }
            ),
            max_size=2,
        ),
    },
)
OPTIONAL = {"key": "a", "optional": True}
VARIABLES = some.one_of(
    some.builds(lambda name, value: {"name": name, "value": value}, KEYS, TEXTS),
    some.builds(
        lambda name, source: {
            "name": name,
            "valueFrom": {kind: value | {"key": "a", "optional": True} for kind, value in source.items()},
        },
        KEYS,
        named("configMapKeyRef", "secretKeyRef"),
    ),
)
CONTAINERS = some.fixed_dictionaries(
    {"image": some.sampled_from(["registry.example/web:1", "registry.example/web@sha256:ab", "proxy"])},
    optional={
        "env": some.lists(VARIABLES, max_size=3),
        "envFrom": some.lists(named("configMapRef", "secretRef"), max_size=3),
        "lifecycle": some.sampled_from(
            [{}, {"preStop": {"exec": {"command": ["x"]}}}, {"postStart": {"sleep": {"seconds": 1}}}]
        ),
        "ports": some.lists(some.builds(lambda port: {"containerPort": port}, some.integers(1, 9)), max_size=2),
        "securityContext": some.sampled_from([{}, {"runAsUser": 0}, {"readOnlyRootFilesystem": None}]),
    },
)
VOLUMES = some.one_of(
    named("configMap"),
    some.builds(lambda name: {"secret": {"secretName": name}}, some.sampled_from(NAMES)),
    some.builds(lambda sources: {"projected": {"sources": sources}}, some.lists(named("configMap", "secret"), max_size=3)),
    some.just({"emptyDir": {}}),
)
TERMS = some.lists(some.builds(lambda selector: {"labelSelector": selector, "topologyKey": "host"}, SELECTORS), max_size=2)


def numbered(prefix: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"name": f"{prefix}{place}", **item} for place, item in enumerate(items)]


@some.composite
def objects(draw: some.DrawFn) -> list[dict[str, Any]]:
    """The objects of a manifest that can be released."""
    labels = {"app": "web", **draw(LABELS)}
    pod = {
        "containers": numbered("c", draw(some.lists(CONTAINERS, min_size=1, max_size=3))),
        "initContainers": numbered("i", draw(some.lists(CONTAINERS, max_size=2))),
        "volumes": numbered("v", draw(some.lists(VOLUMES, max_size=3))),
        "imagePullSecrets": [{"name": name} for name in draw(some.lists(some.sampled_from(NAMES), max_size=2))],
        "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": draw(TERMS)}},
        "topologySpreadConstraints": draw(TERMS),
        "terminationGracePeriodSeconds": draw(some.one_of(some.none(), some.integers(0, 100))),
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"selector": {"matchLabels": {"app": labels["app"]}}, "template": template}
    service = {"selector": labels, "ports": [{"port": 80}]}
    made: list[dict[str, Any]] = [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "labels": draw(LABELS)}, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": service},
    ]
    for name in draw(some.lists(some.sampled_from(NAMES[:4]), unique=True)):
        if name in ("settings", "files"):
            data = draw(some.dictionaries(KEYS, TEXTS, max_size=3))
            made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
        else:
            keys = draw(some.lists(KEYS, unique=True))
            held = {"stringData": dict.fromkeys(keys, PLACEHOLDER)}
            made.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **held})
    return draw(some.permutations(made))


CONFIG = some.fixed_dictionaries(
    {},
    optional={
        "image_tag": some.sampled_from(["2.0", "sha256:cd"]),
        "env": some.dictionaries(KEYS, TEXTS, max_size=2),
        "secret_env": some.dictionaries(some.sampled_from(["D", "E"]), TEXTS, max_size=1),
        "config_map_refs": some.sampled_from([(), ("settings",), ("outside",)]),
        "drain_seconds": some.integers(1, 100),
        "migrate": some.just(("/app", "up")),
    },
)


def both(items: list[dict[str, Any]], config: dict[str, Any]) -> list[ColorSettings]:
    found = Snapshot(path="web.yaml", documents=read_text("web.yaml", yaml.safe_dump_all(items)))
    values = {name: dict.fromkeys("abc", "value") for name in NAMES}
    return [ColorSettings(app="shop", name=name, image="", snapshot=found, secret_data=values, **config) for name in COLORS]


def mutable(value: Any) -> set[int]:
    """The identities of everything in `value` that can be changed."""
    if isinstance(value, dict):
        return {id(value)}.union(*map(mutable, value.values()))
    return {id(value)}.union(*map(mutable, value)) if isinstance(value, list) else set()


def parts(made: list[Manifest]) -> set[int]:
    return set().union(*(mutable(part) for item in made for part in (item.body, item.labels, item.annotations)))


@settings(deadline=None, max_examples=150)
@given(objects(), CONFIG)
def test_two_colors_share_nothing_and_are_derived_equally_each_time(
    items: list[dict[str, Any]], config: dict[str, Any]
) -> None:
    blue, green = colors = both(items, config)
    assert [str(problem) for problem in manifest.problems(blue)] == []
    derived = [manifest.objects(color) for color in colors]
    assert [manifest.objects(color) for color in colors] == derived
    assert parts(derived[0]).isdisjoint(parts(derived[1]))
    assert blue.snapshot
    assert parts(derived[0]).isdisjoint(set().union(*(mutable(document.object) for document in blue.snapshot.documents)))
    names = [{item.ref for item in made} for made in derived]
    assert names[0].isdisjoint(names[1])
    assert manifest.pod_template_hashes(blue) != manifest.pod_template_hashes(green)
    for color, made in zip(colors, derived, strict=True):
        [deployment] = [item for item in made if item.kind == "Deployment"]
        labels = deployment.body["spec"]["template"]["metadata"]["labels"]
        assert deployment.body["spec"]["selector"] == {"matchLabels": {APP: "shop", "color": color.name}}
        assert labels.items() >= {APP: "shop", "color": color.name}.items()
        [service] = manifest.services(color)
        assert service.name == "web"
        for item in made:
            assert item.labels["color"] == color.name


@settings(deadline=None, max_examples=150)
@given(objects(), CONFIG)
def test_every_reference_leads_to_an_object_of_the_color_or_to_a_shared_one_that_is_noted(
    items: list[dict[str, Any]], config: dict[str, Any]
) -> None:
    in_the_set = {(item["kind"], item["metadata"]["name"]) for item in items}
    for color in both(items, config):
        made = manifest.objects(color)
        own = {(item.kind, item.name) for item in made}
        notes = "\n".join(map(str, manifest.notes(color)))
        used = set()
        for item in made:
            if item.kind in ("Deployment", "Job"):
                used |= {(found.kind, found.name) for found in references(item.body["spec"]["template"]["spec"])}
        for kind, name in used - own:
            assert (kind, name) not in in_the_set
            assert name in color.config_map_refs or f"{kind} {name}" in notes
        # A variable of the config may replace the only one that refers to an object.
        if not color.env:
            assert {ref for ref in own if ref[0] in ("ConfigMap", "Secret")} <= used


@settings(deadline=None, max_examples=150)
@given(objects())
def test_no_selector_that_means_its_own_pods_means_those_of_the_other_color(items: list[dict[str, Any]]) -> None:
    templates = []
    for color in both(items, {}):
        [deployment] = [item for item in manifest.objects(color) if item.kind == "Deployment"]
        templates.append(deployment.body["spec"]["template"])
    for template, other in (templates, reversed(templates)):
        spec = template["spec"]
        terms = [
            *spec["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"],
            *spec["topologySpreadConstraints"],
        ]
        for term in terms:
            selector = term["labelSelector"]
            if matches(selector, template["metadata"]["labels"]):
                assert not matches(selector, other["metadata"]["labels"])


@settings(deadline=None, max_examples=100)
@given(objects())
def test_deriving_from_what_was_derived_changes_nothing_but_names(items: list[dict[str, Any]]) -> None:
    """The manifest of a color, written as a snapshot, gives the same pods."""
    [color, _] = both(items, {})
    made = manifest.objects(color)
    again: list[dict[str, Any]] = [
        {
            "apiVersion": item.api_version,
            "kind": item.kind,
            "metadata": {"name": item.name, "labels": dict(item.labels)},
            **deepcopy(dict(item.body)),
        }
        for item in made
    ]
    for item in again:
        if item["kind"] == "Secret" and "stringData" in item:
            item["stringData"] = dict.fromkeys(item["stringData"], PLACEHOLDER)
    [service] = [item for item in items if item["kind"] == "Service"]
    written = yaml.safe_dump_all([*again, service])
    values = {item["metadata"]["name"]: dict.fromkeys("abc", "value") for item in again}
    second = replace(
        color, snapshot=Snapshot(path="again.yaml", documents=read_text("again.yaml", written)), secret_data=values
    )
    [before] = [item for item in made if item.kind == "Deployment"]
    [after] = [item for item in manifest.objects(second) if item.kind == "Deployment"]
    assert _without_names(after) == _without_names(before)


def _without_names(deployment: Manifest) -> dict[str, Any]:
    spec: dict[str, Any] = deepcopy(dict(deployment.body))
    for reference in references(spec["spec"]["template"]["spec"]):
        reference.holder[reference.field] = ""
    pod = spec["spec"]["template"]["spec"]
    for term in [
        *pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"],
        *pod["topologySpreadConstraints"],
    ]:
        term.pop("labelSelector")
    return spec


ANY = some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(-1, 2**65), some.floats(allow_nan=False), TEXTS),
    lambda inner: some.one_of(some.lists(inner, max_size=3), some.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)


@settings(deadline=None, max_examples=200)
@given(objects(), some.data())
def test_a_field_of_any_shape_is_a_problem_or_is_released_and_never_a_crash(
    items: list[dict[str, Any]], data: some.DataObject
) -> None:
    holder: Any = data.draw(some.sampled_from(items))
    while True:
        place = data.draw(some.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[place], dict | list) or not holder[place] or data.draw(some.booleans()):
            break
        holder = holder[place]
    holder[place] = data.draw(ANY)
    try:
        [color, _] = both(items, {})
    except SnapshotError:
        return
    if not [*manifest.problems(color)]:
        manifest.objects(color)
        manifest.notes(color)
        manifest.services(color)
        manifest.pod_template_hashes(color)


@settings(deadline=None, max_examples=300)
@given(some.text(alphabet="0123456789abcdefxobXOB._-+eE: ~yntrufal", min_size=1, max_size=8))
def test_every_plain_text_has_a_value(text: str) -> None:
    assert isinstance(resolved(text), str | int | float | bool | None)
