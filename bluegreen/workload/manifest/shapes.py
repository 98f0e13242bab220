"""The shape of a manifest as far as deriving a color depends on it. The API server checks everything else.

A shape is a type, a list with the shape of its items, or a dictionary of the shapes of some fields; `"*"` stands for every
field. A field without a value (null) counts as missing, as in Kubernetes.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bluegreen.release.snapshot import FieldPath

_TEXTS = {"*": str}
_SELECTOR = {"matchLabels": _TEXTS, "matchExpressions": [{"key": str, "operator": str, "values": [str]}]}
_METADATA = {"name": str, "namespace": str, "labels": _TEXTS, "annotations": _TEXTS}
_NAMED = {"name": str}
_HANDLER = {"httpGet": {"path": str}}
_CONTAINER = {
    "name": str,
    "image": str,
    "command": [str],
    "args": [str],
    "env": [{"name": str, "value": str, "valueFrom": {"configMapKeyRef": _NAMED, "secretKeyRef": _NAMED}}],
    "envFrom": [{"configMapRef": _NAMED, "secretRef": _NAMED}],
    "ports": [{"name": str, "containerPort": int, "hostPort": int}],
    "readinessProbe": _HANDLER,
    "lifecycle": {"preStop": {}},
    "resources": {},
    "securityContext": {},
    "volumeMounts": [_NAMED],
}
_AFFINITY = {
    "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": _SELECTOR}],
    "preferredDuringSchedulingIgnoredDuringExecution": [{"podAffinityTerm": {"labelSelector": _SELECTOR}}],
}
_POD = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "ephemeralContainers": [_CONTAINER],
    "volumes": [
        {
            "name": str,
            "configMap": _NAMED,
            "secret": {"secretName": str},
            "persistentVolumeClaim": {"claimName": str},
            "projected": {"sources": [{"configMap": _NAMED, "secret": _NAMED}]},
        }
    ],
    "imagePullSecrets": [_NAMED],
    "affinity": {"podAffinity": _AFFINITY, "podAntiAffinity": _AFFINITY},
    "topologySpreadConstraints": [{"labelSelector": _SELECTOR}],
    "securityContext": {},
    "serviceAccountName": str,
    "hostNetwork": bool,
    "terminationGracePeriodSeconds": int,
}
_SHAPES: Mapping[str, Any] = {
    "Deployment": {
        "spec": {
            "replicas": int,
            "selector": _SELECTOR,
            "strategy": {"type": str, "rollingUpdate": {}},
            "template": {"metadata": {"labels": _TEXTS, "annotations": _TEXTS}, "spec": _POD},
        }
    },
    "Service": {"spec": {"selector": _TEXTS, "type": str, "ports": [{"name": str, "port": int}]}},
    "ConfigMap": {"data": _TEXTS, "binaryData": _TEXTS},
    "Secret": {"data": _TEXTS, "stringData": _TEXTS, "type": str},
    "HorizontalPodAutoscaler": {"spec": {"scaleTargetRef": _NAMED, "minReplicas": int, "maxReplicas": int}},
    "PodDisruptionBudget": {"spec": {"selector": _SELECTOR}},
    "PersistentVolumeClaim": {"spec": {"accessModes": [str]}},
}

_WORDS = {str: "a text", int: "a whole number", bool: "true or false", dict: "an object", list: "a list"}


def misshapen(kind: str, item: Mapping[str, Any]) -> Iterator[tuple[FieldPath, str, str, str]]:
    """Each field of an object that has another type than Kubernetes expects: its path, its value, what it must be, what to do.

    The value of a Secret is not shown.
    """
    for path, value, shape in _misshapen(item, {"metadata": _METADATA, **_SHAPES.get(kind, {})}, ()):
        is_hidden = kind == "Secret" and path[:1] in (("data",), ("stringData",))
        shown = "[secret]" if is_hidden else json.dumps(value, ensure_ascii=False)
        fix = (
            f"Write it in quotes: {json.dumps(shown)}"
            if shape is str and isinstance(value, bool | int | float)
            else "Correct it."
        )
        yield path, shown[:80], _WORDS[shape], "Write it in quotes." if is_hidden else fix


def _misshapen(value: Any, shape: Any, path: FieldPath) -> Iterator[tuple[FieldPath, Any, type]]:
    expected: Any = _type(shape)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        yield path, value, expected
    elif isinstance(shape, list):
        for position, item in enumerate(value):
            yield from _misshapen(item, shape[0], (*path, position))
    elif isinstance(shape, dict):
        # A map of texts has no null: Kubernetes would read it as an empty text.
        known = {key: shape.get(key, shape.get("*")) for key in value if key in shape or "*" in shape}
        for key, part in known.items():
            if value[key] is not None or "*" in shape:
                yield from _misshapen(value[key], part, (*path, key))


def _type(shape: Any) -> type:
    return shape if isinstance(shape, type) else type(shape)


def without_nulls(value: Any) -> Any:
    """A copy of `value` without the fields that have no value."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value
