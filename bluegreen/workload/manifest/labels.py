"""Labels in a manifest: what a selector matches, which of them belong to another tool, and the label of a color."""

from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.release.colors import other
from bluegreen.release.objects import as_items, as_mapping, value_at
from bluegreen.release.snapshot import OF_THE_SERVER, TRACKING

# Labels of objects that say which tool manages them. On pods they select nothing and stay.
_MANAGED_BY = "app.kubernetes.io/managed-by"
# Annotations of the Pulumi provider and of this program, in the manifest of an object that one of them has written.
_PROVIDER = ("pulumi.com/", "pulumi-bluegreen.dev/")


def labels_of_object(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The labels of an object without those by which another tool tracks it."""
    found = as_mapping(metadata.get("labels"))
    return {name: value for name, value in found.items() if name != _MANAGED_BY and not _is_of_another_tool(name)}


def annotations_of_object(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The annotations of an object without those by which another tool tracks it."""
    found = as_mapping(metadata.get("annotations"))
    return {name: value for name, value in found.items() if not _is_of_another_tool(name)}


def stripped(item: Mapping[str, Any]) -> list[str]:
    """The fields of an object that are not taken over: those of the server and those of another tool."""
    metadata = as_mapping(item.get("metadata"))
    names = [f"metadata.{name}" for name in OF_THE_SERVER if name in metadata]
    for group in ("labels", "annotations"):
        found = as_mapping(metadata.get(group))
        names += [name for name in found if _is_of_another_tool(name) or (group, name) == ("labels", _MANAGED_BY)]
    return names + (["status"] if "status" in item else [])


def _is_of_another_tool(name: str) -> bool:
    return name.startswith((*TRACKING, *_PROVIDER))


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector (matchLabels, matchExpressions) selects pods with `labels`. An empty one selects all."""
    return all(_is_met(requirement, labels) for requirement in _requirements(selector))


def _requirements(selector: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for key, value in as_mapping(selector.get("matchLabels")).items():
        yield key, "In", [value]
    for expression in as_items(selector.get("matchExpressions")):
        yield str(expression.get("key")), str(expression.get("operator")), [*(expression.get("values") or [])]


def _is_met(requirement: tuple[str, str, list[str]], labels: Mapping[str, str]) -> bool:
    key, operator, values = requirement
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    if operator == "NotIn":
        return labels.get(key) not in values
    return labels.get(key) in values


def divide_by_color(pod: Mapping[str, Any], labels: Mapping[str, str], own: Mapping[str, str], color: str) -> list[str]:
    """Adds the color to each selector in the affinity and the topology spread of `pod` that matches its own pods.

    Without that the pods of one color keep those of the other off their nodes: a required anti-affinity leaves the second color
    Pending. `labels` are those of the color's pods, `own` those by which the team's Deployment selects them. A selector that
    requires all of `own` means this application alone and gets the color. Any other may mean more applications: it only leaves
    out the other color. Returns the paths of the selectors that were changed.
    """
    changed = []
    for path, term in _terms(pod):
        selector = term.get("labelSelector")
        if not isinstance(selector, dict) or not matches(selector, labels):
            continue
        required = {key: values[0] for key, operator, values in _requirements(selector) if (operator, len(values)) == ("In", 1)}
        if own.items() <= required.items():
            selector["matchLabels"] = {**as_mapping(selector.get("matchLabels")), "color": color}
        else:
            apart = {"key": "color", "operator": "NotIn", "values": [other(color)]}
            selector["matchExpressions"] = [*(selector.get("matchExpressions") or []), apart]
        changed.append(path)
    return changed


def _terms(pod: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Everything in a pod spec that has a label selector, with its path."""
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = as_mapping(value_at(pod, "affinity", kind))
        for position, term in enumerate(as_items(terms.get("requiredDuringSchedulingIgnoredDuringExecution"))):
            yield f"affinity.{kind}.required[{position}]", term
        for position, term in enumerate(as_items(terms.get("preferredDuringSchedulingIgnoredDuringExecution"))):
            yield f"affinity.{kind}.preferred[{position}]", as_mapping(term.get("podAffinityTerm"))
    for position, constraint in enumerate(as_items(pod.get("topologySpreadConstraints"))):
        yield f"topologySpreadConstraints[{position}]", constraint
