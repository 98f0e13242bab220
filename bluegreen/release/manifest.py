"""An object that the program writes, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen.release.objects import Ref


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One object of the cluster as the program asks for it. Its namespace is that of the environment.

    `body` holds everything but apiVersion, kind and metadata, with the keys of Kubernetes (camelCase). `resource_name` is its
    name in the state of the stack; empty for the name of the object.
    """

    api_version: str
    kind: str
    name: str
    body: Mapping[str, Any]
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    resource_name: str = ""

    @property
    def ref(self) -> Ref:
        return Ref(self.api_version, self.kind, self.name)
