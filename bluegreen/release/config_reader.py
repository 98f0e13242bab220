"""Reads the config of one environment into settings: the only reader of raw config.

It never touches Pulumi or a cluster: config comes in as a plain mapping; settings, or everything that is wrong, go out. All
errors are collected first, so that a person corrects the file once.

A key that shapes pods may stand in `bluegreen:`, for both colors, or in `blue:` or `green:`, for that color alone. The color's
own value wins; variables are merged name by name, and lists of existing objects are joined.
"""

import difflib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bluegreen.release import config_keys as keys
from bluegreen.release import values
from bluegreen.release.colors import COLORS, other
from bluegreen.release.config_keys import PROJECT, Key, T
from bluegreen.release.image import Image
from bluegreen.release.refusals import Fault, mark
from bluegreen.release.settings import ColorSettings, ServiceSettings, Settings
from bluegreen.release.stack_file import Misread
from bluegreen.release.values import InvalidValueError

# Namespace -> the keys that may stand in it, by name.
_KNOWN: Mapping[str, Mapping[str, Key[Any]]] = {
    PROJECT: {key.name: key for key in (*keys.ENVIRONMENT, *keys.COLOR)},
    **{color: {key.name: key for key in (*keys.COLOR, *keys.ONE_COLOR)} for color in COLORS},
}


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
        head = f"The config has {count} {mark(Fault.CONFIG)}. Nothing was changed."
        super().__init__("\n\n".join([head, *map(str, problems)]))


@dataclass(frozen=True, kw_only=True)
class Layers:
    """What the routing layers add to the config.

    `keys` returns a layer's own keys, in `bluegreen:`, for a value of `bluegreen:routing`. `problems` finds what is wrong with
    settings for their layer.
    """

    keys: Callable[[str], Iterable[Key[Any]]]
    problems: Callable[[Settings], Iterable[Problem]]


NO_LAYERS = Layers(keys=lambda _: (), problems=lambda _: ())


def read_settings(
    config: Mapping[str, str],
    secret_keys: Collection[str] = (),
    misread: Iterable[Misread] = (),
    layers: Layers = NO_LAYERS,
) -> Settings:
    """The settings that `config` describes.

    `config` maps full keys such as `bluegreen:activeColor` to texts, as the engine passes them (an object is JSON).
    `secret_keys` are the keys whose value is, or contains, a secret; it is never shown. `misread` are the values that YAML
    changes. Raises `SettingsError` with every problem found, those of `layers` included.
    """
    return _Reader(config, secret_keys, misread, layers).settings()


def read_place(
    config: Mapping[str, str],
    secret_keys: Collection[str] = (),
    misread: Iterable[Misread] = (),
    layers: Layers = NO_LAYERS,
) -> Settings:
    """The settings that say where an environment is, and which colors it has; all others are their defaults.

    For an emergency: an error elsewhere in the config must not keep users on a bad color. Raises `SettingsError` with every
    problem of these few keys, because the wrong place would be worse.
    """
    return _Reader(config, secret_keys, misread, layers).place()


# Which cluster, and which objects there, an environment is.
_PLACE: tuple[Key[str], ...] = (keys.APP, keys.NAMESPACE, keys.CONTEXT, keys.ROUTING)


class _Reader:
    """One pass over one config; collects what it cannot use in `problems`."""

    def __init__(
        self, config: Mapping[str, str], secret_keys: Collection[str], misread: Iterable[Misread], layers: Layers
    ) -> None:
        # Half of a surrogate pair cannot be written anywhere.
        self._config = {values.writable(key): values.writable(text) for key, text in config.items()}
        self._layers = layers
        self._own = {key.name: key for key in layers.keys(self._config.get(f"{PROJECT}:{keys.ROUTING.name}", ""))}
        self._secret_keys = secret_keys
        self._misread = misread
        self._problems: list[Problem] = []
        self._values: dict[str, Any] = {}

    def settings(self) -> Settings:
        for misread in self._misread:
            if misread.key in self._config and misread.key.partition(":")[0] in _KNOWN:
                self._refuse_misread(misread)
        for key, text in self._config.items():
            self._read(key, text)
        for known in keys.ENVIRONMENT:
            if known.if_missing and not self._config.get(f"{PROJECT}:{known.name}"):
                self._refuse(f"{PROJECT}:{known.name}", "", "set", known.if_missing)
        self._check_roles()
        settings = Settings(
            service=ServiceSettings(name=self._value(keys.APP), port=self._value(keys.PORT), colors=self._colors()),
            active_color=self._value(keys.ACTIVE_COLOR),
            test_color=self._value(keys.TEST_COLOR),
            test_cookie=self._value(keys.TEST_COOKIE),
            routing=self._value(keys.ROUTING),
            workload=self._value(keys.WORKLOAD),
            namespace=self._value(keys.NAMESPACE),
            context=self._value(keys.CONTEXT),
            host=self._value(keys.HOST),
            tls_secret=self._value(keys.TLS_SECRET),
            url=self._value(keys.URL),
            node_port=self._value(keys.NODE_PORT),
            test_node_port=self._value(keys.TEST_NODE_PORT),
            expect=self._value(keys.EXPECT),
            allow=self._value(keys.ALLOW),
            protect=self._value(keys.PROTECT),
            verify=self._value(keys.VERIFY),
            own={name: self._value(key) for name, key in self._own.items()},
        )
        return self._checked(settings)

    def _checked(self, settings: Settings) -> Settings:
        """`settings`, if nothing is wrong. In place of a value that is wrong by itself they have its default."""
        problems = [*self._problems, *self._layers.problems(settings)]
        if problems:
            raise SettingsError(problems)
        return settings

    def place(self) -> Settings:
        names = [f"{PROJECT}:{key.name}" for key in _PLACE]
        for misread in self._misread:
            if misread.key in names:
                self._refuse_misread(misread)
        for name in names:
            if name in self._config:
                self._read(name, self._config[name])
        app = self._value(keys.APP)
        colors = {name: ColorSettings(app=app, name=name, image="") for name in COLORS if self._is_deployed(name)}
        settings = Settings(
            service=ServiceSettings(name=app, colors=colors),
            active_color="",
            namespace=self._value(keys.NAMESPACE),
            context=self._value(keys.CONTEXT),
            routing=self._value(keys.ROUTING),
        )
        return self._checked(settings)

    def _value(self, key: Key[T], color: str = "") -> T:
        """The value of `key`: the one of `color`, else the one in `bluegreen:`, else the default."""
        for namespace in (color, PROJECT):
            value: T | None = self._values.get(f"{namespace}:{key.name}")
            if value is not None:
                return value
        return key.default

    def _read(self, key: str, text: str) -> None:
        namespace, _, name = key.rpartition(":")
        if namespace not in _KNOWN:
            if name in (known.name for known in keys.ONE_COLOR):
                self._refuse(key, text, "in blue: or green:, the only two colors", "Rename it, or remove it.")
            return
        known = _KNOWN[namespace].get(name) or (self._own.get(name) if namespace == PROJECT else None)
        if known is None:
            self._refuse(key, text, f"a key that exists in {namespace}:", _suggest(name, namespace))
            return
        if key in self._secret_keys and known is not keys.SECRET_ENV:
            self._refuse_secret(key)
            return
        try:
            self._values[key] = known.parse(text)
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
        """Only `secretEnv` keeps a secret: every other key would show it as plain text in the state and in the cluster."""
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

    def _check_roles(self) -> None:
        active, test = self._value(keys.ACTIVE_COLOR), self._value(keys.TEST_COLOR)
        if test and test == active:
            fix = f"Test {other(test)} (pulumi config set testColor {other(test)}), or none (pulumi config rm testColor)."
            self._refuse("bluegreen:testColor", test, "another color than activeColor", fix)
        for role, color in (("activeColor", active), ("testColor", test)):
            if color and not self._is_deployed(color):
                fix = f"Deploy it first, in an update of its own: pulumi config set {color}:imageTag <tag>"
                self._refuse(f"{PROJECT}:{role}", color, f"a deployed color, and {color}:imageTag is not set", fix)

    def _is_deployed(self, color: str) -> bool:
        return bool(self._config.get(f"{color}:imageTag"))

    def _colors(self) -> dict[str, ColorSettings]:
        return {name: self._color(name) for name in COLORS if self._is_deployed(name)}

    def _color(self, name: str) -> ColorSettings:
        env, secret_env = self._merged(keys.ENV, name), self._merged(keys.SECRET_ENV, name)
        for variable in sorted(env.keys() & secret_env.keys()):
            fix = f"Remove {variable} from one of them."
            self._refuse(f"{name}:env", variable, "in env or in secretEnv, and it is in both", fix)
        replicas, max_replicas = self._value(keys.REPLICAS, name), self._value(keys.MAX_REPLICAS, name)
        if 0 < max_replicas < replicas:
            fix = "Raise it, or set it to 0 for a fixed number of replicas."
            self._refuse(f"{name}:maxReplicas", str(max_replicas), "at least replicas", fix)
        return ColorSettings(
            app=self._value(keys.APP),
            name=name,
            image=str(Image.of(self._value(keys.IMAGE), self._value(keys.IMAGE_TAG, name))),
            release=self._value(keys.RELEASE, name),
            replicas=replicas,
            max_replicas=max_replicas,
            strategy=self._value(keys.STRATEGY, name),
            port=self._value(keys.PORT, name),
            readiness_path=self._value(keys.READINESS_PATH, name),
            ready_timeout_seconds=self._value(keys.READY_TIMEOUT_SECONDS, name),
            fail_fast_seconds=self._value(keys.FAIL_FAST_SECONDS, name),
            drain_seconds=self._value(keys.DRAIN_SECONDS, name),
            shutdown_seconds=self._value(keys.SHUTDOWN_SECONDS, name),
            migrate=self._value(keys.MIGRATE, name),
            migrate_timeout_seconds=self._value(keys.MIGRATE_TIMEOUT_SECONDS, name),
            config_map_refs=self._joined(keys.CONFIG_MAP_REFS, name),
            secret_refs=self._joined(keys.SECRET_REFS, name),
            image_pull_secret=self._value(keys.IMAGE_PULL_SECRET, name),
            run_as_user=self._value(keys.RUN_AS_USER, name),
            env=env,
            secret_env=secret_env,
            resources=self._value(keys.RESOURCES, name),
        )

    def _merged(self, key: Key[Mapping[str, str]], color: str) -> Mapping[str, str]:
        """The variables for both colors and those of `color`, which win."""
        shared, own = self._value(key), self._value(key, color)
        return {**shared, **own}

    def _joined(self, key: Key[tuple[str, ...]], color: str) -> tuple[str, ...]:
        """The names for both colors, then those of `color`."""
        own: tuple[str, ...] = self._values.get(f"{color}:{key.name}", ())
        shared = self._value(key)
        for name in sorted({*shared} & {*own}):
            allowed = f"in {PROJECT}: or in {color}:, and it is in both"
            self._refuse(f"{color}:{key.name}", name, allowed, f"Remove {name} once.")
        return (*shared, *own)

    def _is_hidden(self, key: str) -> bool:
        return key in self._secret_keys or key.rpartition(":")[2] == "secretEnv"

    def _refuse(self, key: str, text: str, allowed: str, fix: str, *, path: str = "") -> None:
        shown = "[secret]" if self._is_hidden(key) else text or "(not set)"
        self._problems.append(Problem(f"{key}{path}", shown, allowed, fix))


def _suggest(name: str, namespace: str) -> str:
    homes = {key.name: PROJECT for key in keys.ENVIRONMENT} | {key.name: namespace for key in keys.COLOR}
    homes |= {key.name: "<color>" if namespace == PROJECT else namespace for key in keys.ONE_COLOR}
    near = difflib.get_close_matches(name, homes, n=1)
    if not near:
        return "Remove it: pulumi config rm " + f"{namespace}:{name}. Pulumi.yaml lists every key."
    return f"Did you mean {homes[near[0]]}:{near[0]}?"
