"""Every name and label that an app's name leads to is valid for its kind, whatever the name and the options."""

import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.release.config_reader import read_settings
from bluegreen.workload.settings import job_name
from tests.unit.program import BOTH_COLORS, Run, run

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
LABEL_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"

# What Kubernetes asks of the name of an object: pattern, and the longest. The name of a Job is a label of its pods as well, and
# that of a Service is a part of a host name.
BY_KIND = {"Service": (r"[a-z]([-a-z0-9]*[a-z0-9])?", 63), "Job": (SUBDOMAIN, 63)}

apps = st.one_of(
    st.from_regex(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True),
    st.integers(30, 52).map(lambda length: "a" * length),
    st.integers(30, 52).map(lambda length: "a" + "-" * (length - 2) + "b"),
)
options = st.fixed_dictionaries(
    {},
    optional={
        "bluegreen:routing": st.sampled_from(["istio", "selector"]),
        "bluegreen:migrate": st.sampled_from(["/migrate", "sh -c 'migrate up'"]),
        "bluegreen:replicas": st.sampled_from(["1", "2"]),
        "bluegreen:maxReplicas": st.just("4"),
        "bluegreen:env": st.just('{"A": "1"}'),
        "bluegreen:secretEnv": st.just('{"B": "2"}'),
        "bluegreen:secretRefs": st.just(json.dumps(["a" * 253])),
        "bluegreen:tlsSecret": st.just("a" * 253),
        "bluegreen:host": st.sampled_from(["*", "shop.example", "*.shop.example"]),
        "green:imageTag": st.sampled_from(["2.0", "a" * 128, "sha256:" + "0" * 64]),
        "green:release": st.just("v2.0-green+build.5"),
    },
)


@settings(deadline=None, max_examples=25)
@given(apps, options)
def test_every_name_and_label_is_valid_for_its_kind(app: str, chosen: dict[str, str]) -> None:
    made = run(BOTH_COLORS | {"bluegreen:app": app} | chosen)
    assert list(problems(made)) == []


def problems(made: Run) -> Iterator[str]:
    for key, item in made.objects().items():
        metadata = item.inputs["metadata"]
        pattern, longest = BY_KIND.get(item.kind, (SUBDOMAIN, 253))
        if not matches(metadata["name"], pattern, longest):
            yield f"{key}: the name {metadata['name']}"
        for labels in all_labels(item.inputs):
            yield from (
                f"{key}: the label {name}={value}" for name, value in labels.items() if not matches(value, LABEL_VALUE, 63)
            )
        for container in containers(item.inputs):
            if not matches(container["name"], LABEL, 63):
                yield f"{key}: the container {container['name']}"
    names = [(item.kind, item.inputs["metadata"]["name"]) for item in made.objects().values()]
    yield from (f"two objects {name}" for name in set(names) if names.count(name) > 1)


def matches(text: str, pattern: str, longest: int) -> bool:
    return len(text) <= longest and re.fullmatch(pattern, text) is not None


def all_labels(inputs: Any) -> Iterator[dict[str, str]]:
    """The labels and selectors anywhere in an object."""
    if isinstance(inputs, dict):
        for name, value in inputs.items():
            if name in ("labels", "matchLabels") or (
                name == "selector" and all(isinstance(each, str) for each in value.values())
            ):
                yield value
            else:
                yield from all_labels(value)
    elif isinstance(inputs, list):
        for each in inputs:
            yield from all_labels(each)


def containers(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = inputs.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    return found


def job(app: str, **change: str) -> str:
    config = BOTH_COLORS | {"bluegreen:app": app, "bluegreen:migrate": "/migrate"} | change
    return job_name(read_settings(config).service.colors["green"])


def test_a_name_of_a_migration_that_fits_is_as_before_so_it_does_not_run_again() -> None:
    assert job("shop") == "shop-green-migrate-82d8513268"


@given(st.sets(st.integers(0, 50), min_size=2, max_size=2), st.integers(39, 49))
def test_migrations_of_apps_that_begin_alike_have_names_of_their_own(ends: set[int], length: int) -> None:
    first, second = (job(f"{'a' * length}-{end}") for end in ends)
    assert first != second
