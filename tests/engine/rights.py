"""Runs a command with the rights of one file of `examples/rbac/`, and records which rights its requests need.

The API server checks verb, API group and resource of each.
"""

import contextlib
import http
import json
import re
import subprocess
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.cluster import ROOT
from tests.command import Operator
from tests.engine.recorder import PASSES, Request, recording
from tests.stack import SandboxEnvironment

RBAC = ROOT / "examples" / "rbac"

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}

_OBJECT = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v\w+"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/.))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>.+))?"
)

# Every account has these by the ClusterRole system:basic-user: it may ask what it may do.
_GIVEN_TO_ALL = "authorization.k8s.io"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource, as in a rule of a Role; a subresource is written as in `pods/log`."""

    resource: str
    verb: str
    group: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One request about objects. `namespace` is empty for all namespaces; `rights` are those that the API server checks."""

    method: str
    path: str
    namespace: str
    is_dry_run: bool
    status: int
    rights: frozenset[Right]

    def __str__(self) -> str:
        return f"{self.status} {self.method} {self.path}{' (dry run)' if self.is_dry_run else ''}"


@dataclass(kw_only=True)
class Recorded:
    """The requests of one role's commands."""

    requests: list[Checked] = field(default_factory=list)

    def used(self, namespace: str) -> set[Right]:
        """The rights in `namespace` that some request used, and was granted."""
        granted = [each for each in self.requests if each.status != http.HTTPStatus.FORBIDDEN and each.namespace == namespace]
        return {right for each in granted for right in each.rights}

    def refused(self) -> list[Checked]:
        return [each for each in self.requests if each.status == http.HTTPStatus.FORBIDDEN]


def checked(request: Request) -> Checked | None:
    """What the API server checks for a request; None if it is not about objects (discovery, schemas, one's own rights)."""
    method, parts = request.method, urlsplit(request.path)
    found = _OBJECT.fullmatch(parts.path)
    if not found or found["group"] == _GIVEN_TO_ALL:
        return None
    query = parse_qs(parts.query)
    verbs = {_verb(method, found["name"], query)}
    if method == "PATCH" and request.status == http.HTTPStatus.CREATED:
        verbs.add("create")  # server-side apply of an object that did not exist: the API server checks both
    resource = "/".join(filter(None, (found["resource"], found["subresource"])))
    return Checked(
        method=method,
        path=request.path,
        namespace=found["namespace"] or "",
        is_dry_run="dryRun" in query,
        status=request.status,
        rights=frozenset(Right(resource, verb, found["group"] or "") for verb in verbs),
    )


def _verb(method: str, name: str | None, query: Mapping[str, list[str]]) -> str:
    if method == "GET":
        return "watch" if query.get("watch", ["0"])[0] in ("1", "true") else "get" if name else "list"
    if method == "DELETE":
        return "delete" if name else "deletecollection"
    return _VERBS[method]


def as_before_kubernetes_1_34(request: Request) -> str:
    """Makes the API server one that cannot begin a watch with the objects that exist: the provider lists them instead."""
    return "422" if "sendInitialEvents=true" in request.path else PASSES


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of a file. `feature` is the first word of the comment above it: what uses the rule."""

    feature: str
    rule: Mapping[str, Any]

    @property
    def rights(self) -> set[Right]:
        each = self.rule
        return {Right(resource, verb, *each["apiGroups"]) for resource in each["resources"] for verb in each["verbs"]}


def rules(name: str) -> list[Rule]:
    """The rules of a file of `examples/rbac/`, in their order."""
    text = (RBAC / f"{name}.yaml").read_text()
    features = re.findall(r"^  # ([\w-]+): .*\n(?:  # .*\n)*  - apiGroups:", text, re.MULTILINE)
    [role] = [each for each in yaml.safe_load_all(text) if each["kind"] == "Role"]
    return [Rule(feature=feature, rule=rule) for feature, rule in zip(features, role["rules"], strict=True)]


class Person:
    """The account that the file `name` binds, with the rights of that file for `features`.

    `recorded` holds the requests of everything that it runs.
    """

    def __init__(
        self,
        environment: SandboxEnvironment,
        name: str,
        features: Collection[str],
        directory: Path,
        recorded: Recorded | None = None,
    ) -> None:
        self.environment, self.name, self.features = environment, name, features
        self.recorded = recorded or Recorded()
        self._directory = directory
        [role] = [each for each in self._objects() if each["kind"] == "Role"]
        self._rules = [rule for each, rule in zip(rules(name), role["rules"], strict=True) if each.feature in features]
        self._apply(self._rules)
        self.kubeconfig = directory / f"{name}.kubeconfig"
        self.kubeconfig.write_text(self._made())

    @contextlib.contextmanager
    def without(self, verb: str, resource: str) -> Iterator[None]:
        """Meanwhile the account lacks the right to `verb` objects of `resource`."""
        fewer = [
            {**rule, "verbs": [each for each in rule["verbs"] if each != verb or resource not in rule["resources"]]}
            for rule in self._rules
        ]
        self._apply([rule for rule in fewer if rule["verbs"]])
        try:
            yield
        finally:
            self._apply(self._rules)

    def _objects(self) -> list[dict[str, Any]]:
        """The objects of the file, with the names of the environment, as its README says."""
        text = (RBAC / f"{self.name}.yaml").read_text()
        return [*yaml.safe_load_all(text.replace("my-namespace", self.environment.name).replace("my-app", "myapp"))]

    def _apply(self, wanted: list[Mapping[str, Any]]) -> None:
        objects = [each | {"rules": wanted} if each["kind"] == "Role" else each for each in self._objects()]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.environment.cluster.kubectl("apply", "--filename=-", stdin=listed)

    def _made(self) -> str:
        [binding] = [each for each in self._objects() if each["kind"] == "RoleBinding"]
        command = [str(RBAC / "kubeconfig.sh"), self.environment.name, binding["subjects"][0]["name"]]
        variables = dict(self.environment.cluster.variables)
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=True, timeout=60).stdout

    @contextlib.contextmanager
    def working(self, *, is_old: bool = False) -> Iterator[Operator]:
        """The command and the environment are operated with this account, and its requests are recorded."""
        on_request = as_before_kubernetes_1_34 if is_old else lambda _: PASSES
        with recording(self.kubeconfig, on_request) as (server, asked):
            config = yaml.safe_load(self.kubeconfig.read_text())
            config["clusters"][0]["cluster"] = {"server": server}
            config["users"][0]["user"] = {}
            file = self._directory / f"{self.name}.recorded.kubeconfig"
            file.write_text(json.dumps(config))
            operator = Operator(self.environment)
            operator.variables = operator.variables | {"KUBECONFIG": str(file)}
            variables = self.environment._variables
            self.environment._variables = variables | {"KUBECONFIG": str(file)}
            try:
                yield operator
            finally:
                self.environment._variables = variables
                answered = [request for request in asked if request.status]
                self.recorded.requests += filter(None, map(checked, answered))

    def used(self) -> set[Right]:
        """The rights in the namespace that its commands used."""
        return self.recorded.used(self.environment.name)
