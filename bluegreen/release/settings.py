"""The config of one environment, typed and checked: the only reader of raw config.

It must never touch Pulumi or a cluster: config comes in as a plain mapping, settings or a list of everything that is
wrong go out. All errors are collected first, because a person who mends a file wants to mend it once.

A key that shapes pods may stand in `bluegreen:`, for both colors, or in `blue:` or `green:`, for that color alone; the
color's own value wins, and the objects of variables are merged name by name.
"""

import difflib
import functools
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen.release import values
from bluegreen.release.colors import COLORS, other
from bluegreen.release.image import Image
from bluegreen.release.refusals import EXCEPTIONS
from bluegreen.release.stack_file import Misread
from bluegreen.release.traffic import Traffic
from bluegreen.release.values import InvalidValueError, Parser

PROJECT = "bluegreen"

_NAMESPACES = (PROJECT, *COLORS)


@dataclass(frozen=True, kw_only=True)
class ColorSettings:
    """What the pods of one deployed color are. Zero means: no autoscaling, the image's own user."""

    app: str
    name: str
    image: str
    replicas: int = 1
    max_replicas: int = 0
    strategy: str = "RollingUpdate"
    port: int = 3000
    readiness_path: str = "/ready"
    drain_seconds: int = 5
    shutdown_seconds: int = 30
    env: Mapping[str, str] = field(default_factory=dict)
    secret_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    config_map_refs: tuple[str, ...] = ()
    secret_refs: tuple[str, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    image_pull_secret: str = ""
    run_as_user: int = 0
    ready_timeout_seconds: int = 180
    fail_fast_seconds: int = 60
    release: str = ""
    migrate: tuple[str, ...] = ()
    migrate_timeout_seconds: int = 600

    @functools.cached_property
    def secret_digest(self) -> str:
        """A digest of the secret variables. It is part of a name that everybody may list, so guessing a value from it must be
        expensive: scrypt takes some 50 ms and 16 MiB a guess."""
        values = json.dumps(dict(self.secret_env), sort_keys=True).encode()
        return hashlib.scrypt(values, salt=f"{self.app}-{self.name}".encode(), n=2**14, r=8, p=1).hex()[:10]


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """One service that is released blue-green: its name, the port its clients use, and its deployed colors by name."""

    name: str = "myapp"
    port: int = 3000
    colors: Mapping[str, ColorSettings]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One environment: a service, who serves its users and its testers, and the edge they come in by.

    Empty or zero means: no test route, the default routing layer, the current context of the kubeconfig, no TLS, an address
    that is not known, a node port that the cluster chooses.
    """

    service: ServiceSettings
    active_color: str
    test_color: str = ""
    test_cookie: str = "test=true"
    routing: str = ""
    namespace: str = "default"
    context: str = ""
    host: str = "*"
    tls_secret: str = ""
    url: str = ""
    node_port: int = 0
    test_node_port: int = 0
    expect: str = ""
    allow: tuple[str, ...] = ()
    protect: bool = False
    verify: bool = False

    @property
    def traffic(self) -> Traffic:
        """Who is to get which color."""
        return Traffic.to(self.active_color, self.test_color)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in the config: the full key, the value as text, what it must be, and what to do."""

    key: str
    value: str
    allowed: str
    fix: str

    def __str__(self) -> str:
        return f"{self.key}: {self.value}\n    It must be {self.allowed}.\n    {self.fix}"


class SettingsError(Exception):
    """The config cannot be used. `problems` lists everything that is wrong with it; the message shows them all."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
        super().__init__(f"The config has {count}. Nothing was changed.\n\n" + "\n\n".join(map(str, problems)))


_optional_label = values.optional(values.object_name)

# Key in `bluegreen:` -> parser. The defaults are those of the dataclasses above; Pulumi.yaml shows them to people.
_ENVIRONMENT: dict[str, Parser] = {
    "app": values.app_name,
    "image": values.image_repository,
    "namespace": values.namespace_name,
    "context": values.optional(values.context_name),
    "routing": values.optional(values.module_name),
    "activeColor": values.one_of(*COLORS),
    "testColor": values.optional(values.one_of(*COLORS)),
    "testCookie": values.cookie,
    "expect": values.optional(values.approval),
    "allow": values.words(*EXCEPTIONS),
    "protect": values.boolean,
    "verify": values.boolean,
    "host": values.host,
    "tlsSecret": _optional_label,
    "url": values.optional(values.url),
    "nodePort": values.integer(0, 65535),
    "testNodePort": values.integer(0, 65535),
}

# Key in `bluegreen:`, `blue:` or `green:` -> parser.
_COLOR: dict[str, Parser] = {
    "replicas": values.integer(1, 1000),
    "maxReplicas": values.integer(0, 1000),
    "strategy": values.one_of("Recreate", "RollingUpdate"),
    "port": values.integer(1, 65535),
    "readinessPath": values.http_path,
    "drainSeconds": values.integer(1, 3600),
    "shutdownSeconds": values.integer(1, 3600),
    "env": values.environment,
    "secretEnv": values.environment,
    "configMapRefs": values.names,
    "secretRefs": values.names,
    "resources": values.resources,
    "imagePullSecret": _optional_label,
    "runAsUser": values.integer(0, 2**31 - 1),
    "readyTimeoutSeconds": values.integer(1, 3600),
    "failFastSeconds": values.integer(0, 3600),
    "migrate": values.optional(values.command),
    "migrateTimeoutSeconds": values.integer(1, 86400),
}

# Key in `blue:` or `green:` alone: an image that both colors share would make every release a change of the live color.
_ONE_COLOR: dict[str, Parser] = {
    "imageTag": values.optional(values.image_tag),
    "release": values.optional(values.approval),
}


Checks = Callable[[Settings], Iterable[Problem]]
"""What is wrong with settings beyond their single values: the routing layer says so."""


def _no_checks(_: Settings) -> Iterable[Problem]:
    return ()


def read_settings(
    config: Mapping[str, str],
    secret_keys: Collection[str] = (),
    misread: Iterable[Misread] = (),
    checks: Checks = _no_checks,
) -> Settings:
    """The settings that `config` describes.

    `config` maps full keys such as `bluegreen:activeColor` to texts, as the engine hands them over (an object is JSON).
    `secret_keys` are those whose value is, or holds, a secret; it is never shown. `misread` are the values that YAML changes.
    Raises `SettingsError` with every problem found, those of `checks` among them.
    """
    return _Reader(config, secret_keys, misread).settings(checks)


# Which cluster, and which objects there, an environment is.
_PLACE = ("app", "namespace", "context", "routing")


def read_place(
    config: Mapping[str, str],
    secret_keys: Collection[str] = (),
    misread: Iterable[Misread] = (),
    checks: Checks = _no_checks,
) -> Settings:
    """The settings that say where an environment is, and which colors it has; all others are their defaults.

    For an emergency: what is wrong elsewhere in the config must not keep users on a bad color. Raises `SettingsError` with
    every problem of these few keys, because the wrong place would be worse.
    """
    return _Reader(config, secret_keys, misread).place(checks)


def warnings(settings: Settings) -> list[str]:
    """What this config needs and nothing here can see, in words."""
    return [
        f"{name}:maxReplicas is {color.max_replicas}, and resources has no CPU request: the autoscaler scales on a share of "
        f"that request, so it does nothing unless a LimitRange of the namespace {settings.namespace} gives the pods one. "
        f"Add one: pulumi config set --path '{name}:resources.requests.cpu' 100m"
        for name, color in settings.service.colors.items()
        if color.max_replicas and not any("cpu" in color.resources.get(kind, {}) for kind in ("requests", "limits"))
    ]


class _Reader:
    """One pass over one config; collects what it cannot use in `problems`."""

    def __init__(self, config: Mapping[str, str], secret_keys: Collection[str], misread: Iterable[Misread]) -> None:
        # Half of a surrogate pair cannot be written anywhere.
        self._config = {values.writable(key): values.writable(text) for key, text in config.items()}
        self._secret_keys = secret_keys
        self._misread = misread
        self._problems: list[Problem] = []
        self._values: dict[str, Any] = {}

    def settings(self, checks: Checks) -> Settings:
        for misread in self._misread:
            if misread.key in self._config and misread.key.partition(":")[0] in _NAMESPACES:
                self._refuse_misread(misread)
        for key, text in self._config.items():
            self._read(key, text)
        self._require("activeColor", "Name the color that serves the users: pulumi config set activeColor blue")
        self._require("image", "Name the image without its tag: pulumi config set image registry.example/shop")
        self._check_roles()
        colors = {name: self._color(name) for name in COLORS if self._is_deployed(name)}
        service = ServiceSettings(**self._fields({"app": "name", "port": "port"}), colors=colors)
        environment = {key: _snake(key) for key in _ENVIRONMENT if key not in ("app", "image")}
        return self._checked(Settings(service=service, **{"active_color": "", **self._fields(environment)}), checks)

    def _checked(self, settings: Settings, checks: Checks) -> Settings:
        """`settings`, if nothing is wrong. A value that is wrong by itself has its default in them."""
        problems = [*self._problems, *checks(settings)]
        if problems:
            raise SettingsError(problems)
        return settings

    def place(self, checks: Checks) -> Settings:
        keys = [f"{PROJECT}:{name}" for name in _PLACE]
        for misread in self._misread:
            if misread.key in keys:
                self._refuse_misread(misread)
        for key in keys:
            if key in self._config:
                self._read(key, self._config[key])
        app = self._values.get("bluegreen:app", ServiceSettings.name)
        colors = {name: ColorSettings(app=app, name=name, image="") for name in COLORS if self._is_deployed(name)}
        service = ServiceSettings(name=app, colors=colors)
        fields = self._fields({name: name for name in _PLACE if name != "app"})
        return self._checked(Settings(service=service, active_color="", **fields), checks)

    def _read(self, key: str, text: str) -> None:
        namespace, _, name = key.rpartition(":")
        if namespace not in _NAMESPACES:
            if name in _ONE_COLOR:
                self._refuse(key, text, "in blue: or green:, the only two colors", "Rename it, or remove it.")
            return
        known = _ENVIRONMENT | _COLOR if namespace == PROJECT else _COLOR | _ONE_COLOR
        if name not in known:
            self._refuse(key, text, f"a key that exists in {namespace}:", _suggest(name, namespace))
            return
        if key in self._secret_keys and name != "secretEnv":
            self._refuse_secret(key)
            return
        try:
            self._values[key] = known[name](text)
        except* InvalidValueError as group:
            for invalid in group.exceptions:
                assert isinstance(invalid, InvalidValueError)
                self._refuse_invalid(key, text, invalid)

    def _refuse_invalid(self, key: str, text: str, invalid: InvalidValueError) -> None:
        # A part that YAML changed has been refused with the text of the file.
        if f"{key}{invalid.path}" not in {problem.key for problem in self._problems}:
            general = f"Correct it in the stack's config file, or: pulumi config set {key} <value>"
            fix = general if self._is_hidden(key) else invalid.fix or general
            self._refuse(key, invalid.part or text, invalid.allowed, fix, path=invalid.path)

    def _refuse_secret(self, key: str) -> None:
        """Only `secretEnv` keeps a secret: every other key would bring it into the state and the cluster as plain text."""
        namespace, _, name = key.partition(":")
        own = f"pulumi config set --secret --path '{namespace}:secretEnv.<NAME>'"
        fix = f"Move it: {own}, and remove it from {key}."
        if name not in ("env", "migrate"):
            fix = f"Write it without --secret: pulumi config set --plaintext {key} <value>. For a variable of the pods: {own}"
        self._refuse(key, "", "plain: only secretEnv keeps a secret out of the state and of plain objects", fix)

    def _refuse_misread(self, misread: Misread) -> None:
        is_hidden = self._is_hidden(misread.key) and not misread.is_name
        said = "it" if is_hidden else misread.written or "nothing"
        allowed = f"in quotes: {misread.file} says {said}, which YAML reads as {misread.read}"
        quoted = json.dumps(misread.written, ensure_ascii=False)
        fix = "Write it in quotes." if is_hidden else f"Write it in quotes: {quoted}{':' if misread.is_name else ''}"
        self._refuse(misread.key, misread.written, allowed, fix, path=misread.path)

    def _require(self, name: str, fix: str) -> None:
        if not self._config.get(f"{PROJECT}:{name}"):
            self._refuse(f"{PROJECT}:{name}", "", "set", fix)

    def _check_roles(self) -> None:
        active, test = self._values.get("bluegreen:activeColor"), self._values.get("bluegreen:testColor")
        if test and test == active:
            fix = f"Test {other(test)} (pulumi config set testColor {other(test)}), or none (pulumi config rm testColor)."
            self._refuse("bluegreen:testColor", test, "another color than activeColor", fix)
        for role, color in (("activeColor", active), ("testColor", test)):
            if color and not self._is_deployed(color):
                fix = f"Deploy it first, in an update of its own: pulumi config set {color}:imageTag <tag>"
                self._refuse(f"{PROJECT}:{role}", color, f"a deployed color, and {color}:imageTag is not set", fix)

    def _is_deployed(self, color: str) -> bool:
        return bool(self._config.get(f"{color}:imageTag"))

    def _color(self, name: str) -> ColorSettings:
        own = _COLOR.keys() | _ONE_COLOR.keys() - {"imageTag"}
        fields = self._fields({key: _snake(key) for key in _COLOR}) | self._fields({key: _snake(key) for key in own}, name)
        for key in ("env", "secretEnv"):
            both = self._values.get(f"{PROJECT}:{key}", {}) | self._values.get(f"{name}:{key}", {})
            fields[_snake(key)] = both
        for key in ("configMapRefs", "secretRefs"):
            fields[_snake(key)] = self._names(name, key)
        for variable in sorted(fields["env"].keys() & fields["secret_env"].keys()):
            fix = f"Remove {variable} from one of them."
            self._refuse(f"{name}:env", variable, "in env or in secretEnv, and it is in both", fix)
        if 0 < fields.get("max_replicas", 0) < fields.get("replicas", 1):
            fix = "Raise it, or set it to 0 for a fixed number of replicas."
            self._refuse(f"{name}:maxReplicas", str(fields["max_replicas"]), "at least replicas", fix)
        image = Image.of(self._values.get("bluegreen:image", ""), self._values.get(f"{name}:imageTag", ""))
        app = self._values.get("bluegreen:app", ServiceSettings.name)
        return ColorSettings(app=app, name=name, image=str(image), **fields)

    def _names(self, color: str, key: str) -> tuple[str, ...]:
        """The names for both colors, and those of the color behind them."""
        shared, own = self._values.get(f"{PROJECT}:{key}", ()), self._values.get(f"{color}:{key}", ())
        for name in sorted({*shared} & {*own}):
            self._refuse(f"{color}:{key}", name, f"in {PROJECT}: or in {color}:, and it is in both", f"Remove {name} once.")
        return (*shared, *own)

    def _fields(self, names: Mapping[str, str], namespace: str = PROJECT) -> dict[str, Any]:
        given = {field: self._values.get(f"{namespace}:{key}") for key, field in names.items()}
        return {field: value for field, value in given.items() if value is not None}

    def _is_hidden(self, key: str) -> bool:
        return key in self._secret_keys or key.rpartition(":")[2] == "secretEnv"

    def _refuse(self, key: str, text: str, allowed: str, fix: str, *, path: str = "") -> None:
        shown = "[secret]" if self._is_hidden(key) else text or "(not set)"
        self._problems.append(Problem(f"{key}{path}", shown, allowed, fix))


def _snake(key: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter.group().lower()}", key)


def _suggest(name: str, namespace: str) -> str:
    homes = dict.fromkeys(_ENVIRONMENT, PROJECT) | dict.fromkeys(_COLOR, namespace)
    homes |= dict.fromkeys(_ONE_COLOR, "<color>" if namespace == PROJECT else namespace)
    near = difflib.get_close_matches(name, homes, n=1)
    if not near:
        return "Remove it: pulumi config rm " + f"{namespace}:{name}. Pulumi.yaml lists every key."
    return f"Did you mean {homes[near[0]]}:{near[0]}?"
