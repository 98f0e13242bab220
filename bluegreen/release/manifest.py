"""An object that the program writes, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen.release.objects import Ref


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One object of the cluster as the program asks for it. Its namespace is that of the environment.

    `body` holds everything but apiVersion, kind and metadata, with the keys of Kubernetes (camelCase). `resource_name` is its
    name in the state of the stack, empty for the name of the object; `formerly` are the names that it had there in earlier
    versions. The values of a Secret are
    kept secret. `ignored` are the paths (`spec.replicas`) of fields
    that are written once, when the object is created. The object is written after those in `waits_for`, which come before it in
    a list of manifests; a Job is waited for until it has succeeded.
    """

    api_version: str
    kind: str
    name: str
    body: Mapping[str, Any]
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    resource_name: str = ""
    formerly: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    waits_for: tuple[Ref, ...] = ()

    @property
    def ref(self) -> Ref:
        return Ref(self.api_version, self.kind, self.name)
