"""Compares what runs with the manifest that a team wrote, field by field."""

import json
from collections.abc import Mapping
from typing import Any

from bluegreen.release import metadata
from tests.stack import SandboxEnvironment

# What every color has that the team's manifest does not have, or has otherwise.
OF_EVERY_COLOR = frozenset({"metadata.labels.color", f"metadata.labels.{metadata.APP}"})


def differences(environment: SandboxEnvironment, live: str, written: Mapping[str, Any]) -> set[str]:
    """The paths in which the pod template of the Deployment `live` differs from that of the Deployment that the team wrote."""
    found, expected = environment.get("deployment", live), _defaulted(environment, written)
    return paths(expected["spec"]["template"], found["spec"]["template"])


def differences_beside_the_template(environment: SandboxEnvironment, live: str, written: Mapping[str, Any]) -> set[str]:
    """The paths in which the rest of the spec differs."""
    found, expected = environment.get("deployment", live), _defaulted(environment, written)
    return paths({**expected["spec"], "template": {}}, {**found["spec"], "template": {}})


def _defaulted(environment: SandboxEnvironment, deployment: Mapping[str, Any]) -> dict[str, Any]:
    """A Deployment with what the API server adds to it; it is not created."""
    command = ("create", "--dry-run=server", "--filename=-", "--output=json", "--namespace", environment.name)
    found: dict[str, Any] = json.loads(environment.cluster.kubectl(*command, stdin=json.dumps(deployment)))
    return found


def paths(expected: Any, found: Any, path: str = "") -> set[str]:
    """Where two objects differ. The items of a list are named by their `name`, if they have one."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping) and not path.endswith("labelSelector"):
        keys = expected.keys() | found.keys()
        return set().union(*(paths(expected.get(key), found.get(key), f"{path}.{key}".removeprefix(".")) for key in keys))
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        named = [item.get("name", place) if isinstance(item, Mapping) else place for place, item in enumerate(expected)]
        pairs = zip(named, expected, found, strict=True)
        return set().union(*(paths(before, after, f"{path}[{name}]") for name, before, after in pairs))
    return set() if expected == found else {path}
