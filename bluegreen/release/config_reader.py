"""Reads the config of one environment into settings: the only reader of raw config, and of the manifests that it names.

It never touches Pulumi or a cluster: config comes in as a plain mapping; settings, or everything that is wrong, go out. All
errors are collected first, so that a person corrects the file once.

A key that shapes pods may stand in `bluegreen:`, for both colors, or in `blue:` or `green:`, for that color alone. The color's
own value wins; variables are merged name by name, and lists of existing objects are joined.
"""

import difflib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluegreen.release import config_keys as keys
from bluegreen.release import values
from bluegreen.release.colors import COLORS, other
from bluegreen.release.config_keys import PROJECT, Key, T
from bluegreen.release.image import Image
from bluegreen.release.refusals import Fault, mark
from bluegreen.release.settings import ColorSettings, ServiceSettings, Settings
from bluegreen.release.snapshot import Snapshot, SnapshotError, SnapshotProblem, load
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


@dataclass(frozen=True, kw_only=True)
class Workloads:
    """What the sources of workloads add to the settings.

    `problems` finds what is wrong with settings for the sources of their colors. `completed` returns settings without problems
    with what the sources know: the images, and the Services and labels of the pods. `placed` does that for an emergency: it
    never raises, and settings may have problems.
    """

    problems: Callable[[Settings], Iterable[Problem]]
    completed: Callable[[Settings], Settings]
    placed: Callable[[Settings], Settings]


NO_WORKLOADS = Workloads(problems=lambda _: (), completed=lambda settings: settings, placed=lambda settings: settings)


def read_settings(
    config: Mapping[str, str],
    secret_keys: Collection[str] = (),
    misread: Iterable[Misread] = (),
    layers: Layers = NO_LAYERS,
    workloads: Workloads = NO_WORKLOADS,
    project: Path = Path(),
    defaults: Collection[str] = (),
    unwritten: Mapping[str, Snapshot] | None = None,
) -> Settings:
    """The settings that `config` describes.

    `config` maps full keys such as `bluegreen:activeColor` to texts, as the engine passes them (an object is JSON).
    `secret_keys` are the keys whose value is, or contains, a secret; it is never shown. `misread` are the values that YAML
    changes. The manifests of the colors are in the directory `project`; `defaults` are the keys that Pulumi.yaml alone sets:
    they override no manifest. `unwritten` has manifests that are not in the project yet, by their path. Raises `SettingsError`
    with every problem found, those of `layers` and `workloads` included.
    """
    return _Reader(config, secret_keys, misread, layers, workloads, project, defaults, unwritten).settings()


def read_place(
    config: Mapping[str, str],
    secret_keys: Collection[str] = (),
    misread: Iterable[Misread] = (),
    layers: Layers = NO_LAYERS,
    workloads: Workloads = NO_WORKLOADS,
    project: Path = Path(),
    defaults: Collection[str] = (),
) -> Settings:
    """The settings that say where an environment is, and which colors it has; all others are their defaults.

    For an emergency: an error elsewhere in the config must not keep users on a bad color. Raises `SettingsError` with every
    problem of these few keys, because the wrong place would be worse. A manifest that cannot be read is no such problem: then
    the Services have the names that the other color's manifest gives them, or that of the application.
    """
    return _Reader(config, secret_keys, misread, layers, workloads, project, defaults).place()


# The keys that hold secrets.
_HIDDEN = (keys.SECRET_ENV.name, keys.SECRET_DATA.name)

# What the names of the Services follow from, as far as it can be read.
_USEFUL = (
    *(f"{PROJECT}:{key.name}" for key in (keys.SERVICE, keys.PORT, keys.WORKLOAD, keys.WORKER)),
    *(f"{color}:{key.name}" for key in (keys.SECRET_DATA, keys.WORKER) for color in COLORS),
)

# Which cluster, and which objects there, an environment is.
_PLACE: tuple[Key[str], ...] = (keys.APP, keys.NAMESPACE, keys.CONTEXT, keys.ROUTING)


class _Reader:
    """One pass over one config; collects what it cannot use in `problems`."""

    def __init__(
        self,
        config: Mapping[str, str],
        secret_keys: Collection[str],
        misread: Iterable[Misread],
        layers: Layers,
        workloads: Workloads,
        project: Path,
        defaults: Collection[str],
        unwritten: Mapping[str, Snapshot] | None = None,
    ) -> None:
        # Half of a surrogate pair cannot be written anywhere.
        self._config = {values.writable(key): values.writable(text) for key, text in config.items()}
        self._layers = layers
        self._workloads = workloads
        self._project = project
        self._unwritten = unwritten or {}
        self._defaults = defaults
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
            if known.if_missing and not self._config.get(f"{PROJECT}:{known.name}") and self._is_needed(known):
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
            worker_order=self._value(keys.WORKER_ORDER),
            protect=self._value(keys.PROTECT),
            verify=self._value(keys.VERIFY),
            adopt=self._value(keys.ADOPT),
            own={name: self._value(key) for name, key in self._own.items()},
        )
        if not (problems := [*self._workloads.problems(settings)]):
            settings = self._workloads.completed(settings)
        return self._checked(settings, problems)

    def _checked(self, settings: Settings, more: Iterable[Problem] = ()) -> Settings:
        """`settings`, if nothing is wrong. In place of a value that is wrong by itself they have its default."""
        problems = [*self._problems, *more, *self._layers.problems(settings)]
        if problems:
            raise SettingsError(problems)
        return settings

    def _is_needed(self, key: Key[Any]) -> bool:
        """Whether a key without a default must be set. A manifest names the image itself."""
        return (
            key is not keys.IMAGE
            or any(self._is_deployed(name) and not self._manifest(name) for name in COLORS)
            or not any(map(self._manifest, COLORS))
        )

    def place(self) -> Settings:
        names = [f"{PROJECT}:{key.name}" for key in _PLACE]
        for misread in self._misread:
            if misread.key in names:
                self._refuse_misread(misread)
        for name in names:
            if name in self._config:
                self._read(name, self._config[name])
        refused = [*self._problems]
        for name in _USEFUL:
            if name in self._config:
                self._read(name, self._config[name])
        # What is wrong with these does not matter here.
        self._problems = refused
        colors = {name: self._placed_color(name) for name in COLORS if self._is_deployed(name)}
        settings = Settings(
            service=ServiceSettings(name=self._value(keys.APP), port=self._value(keys.PORT), colors=colors),
            active_color="",
            namespace=self._value(keys.NAMESPACE),
            context=self._value(keys.CONTEXT),
            routing=self._value(keys.ROUTING),
            workload=self._value(keys.WORKLOAD),
        )
        return self._checked(self._workloads.placed(settings))

    def _placed_color(self, name: str) -> ColorSettings:
        """A color with what an emergency needs to know of it. A manifest that cannot be read counts as one without objects."""
        path, found = self._manifest(name), None
        if path:
            try:
                found = load(self._project, path)
            except SnapshotError:
                found = Snapshot(path=path, documents=())
        return ColorSettings(
            app=self._value(keys.APP),
            name=name,
            image="",
            snapshot=found,
            secret_data=self._value(keys.SECRET_DATA, name),
            namespace=self._value(keys.NAMESPACE),
            users_service=self._value(keys.SERVICE),
            users_port=self._users_port(),
            workers=self._value(keys.WORKER, name),
        )

    def _manifest(self, color: str) -> str:
        return self._config.get(f"{color}:{keys.MANIFEST.name}", "")

    def _snapshot(self, color: str) -> Snapshot | None:
        """The manifest of a color; None if it has none, or if it cannot be read or used."""
        key = f"{color}:{keys.MANIFEST.name}"
        if not (path := self._values.get(key)):
            return None
        try:
            found = self._unwritten.get(path) or load(self._project, path)
        except SnapshotError as error:
            self._problems += map(problem_of, error.problems)
            return None
        # Its Secrets would lack values that are there and wrong.
        of_secrets = f"{color}:{keys.SECRET_DATA.name}"
        return None if any(problem.key.startswith(of_secrets) for problem in self._problems) else found

    def _given(self, color: str) -> frozenset[str]:
        """The names of the keys that the config sets for a color, or for both."""
        listed = (*keys.COLOR, *keys.ONE_COLOR)
        return frozenset(key.name for key in listed if any(self._is_given(key, namespace) for namespace in (color, PROJECT)))

    def _is_given(self, key: Key[Any], namespace: str) -> bool:
        """Whether somebody has set a key: Pulumi.yaml lists most keys with their defaults, which say nothing."""
        full = f"{namespace}:{key.name}"
        value = self._values.get(full)
        return value is not None and not (full in self._defaults and value == key.default)

    def _users_port(self) -> int:
        return self._value(keys.PORT) if self._is_given(keys.PORT, PROJECT) else 0

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
        if key in self._secret_keys and known not in (keys.SECRET_ENV, keys.SECRET_DATA):
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
        self._refuse(key, "", "plain: only secretEnv and secretData keep a secret out of the state and of plain objects", fix)

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
                unset = f"{color}:imageTag is not set (nor {color}:manifest)"
                self._refuse(f"{PROJECT}:{role}", color, f"a deployed color, and {unset}", fix)

        if self._value(keys.ADOPT):
            self._check_adoption(active, test)

    def _check_adoption(self, active: str, test: str) -> None:
        """One color comes over; another one would get users from Services that select both."""
        fix = "Finish the adoption first (bluegreen adopt --next), or undo it (bluegreen adopt --back)."
        if test:
            self._refuse(f"{PROJECT}:testColor", test, f"empty while {PROJECT}:adopt is set", fix)
        if active and self._is_deployed(other(active)):
            key = keys.MANIFEST if self._manifest(other(active)) else keys.IMAGE_TAG
            allowed = f"not set while {PROJECT}:adopt is set"
            self._refuse(f"{other(active)}:{key.name}", "a second color", allowed, fix)

    def _is_deployed(self, color: str) -> bool:
        return bool(self._config.get(f"{color}:{keys.IMAGE_TAG.name}") or self._manifest(color))

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
        snapshot = self._snapshot(name)
        repository, tag = self._value(keys.IMAGE), self._value(keys.IMAGE_TAG, name)
        return ColorSettings(
            app=self._value(keys.APP),
            name=name,
            image="" if snapshot else str(Image.of(repository, tag)),
            snapshot=snapshot,
            secret_data=self._value(keys.SECRET_DATA, name),
            given=self._given(name),
            # Pulumi.yaml names the image of the sample application.
            repository="" if snapshot and f"{PROJECT}:{keys.IMAGE.name}" in self._defaults else repository,
            image_tag=tag,
            namespace=self._value(keys.NAMESPACE),
            users_service=self._value(keys.SERVICE),
            users_port=self._users_port(),
            allow=self._value(keys.ALLOW),
            workers=self._workers(name),
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

    def _workers(self, color: str) -> tuple[str, ...]:
        """The workers of a color. Those for both mean nothing to one without a manifest."""
        own = f"{color}:{keys.WORKER.name}"
        if self._manifest(color):
            return self._value(keys.WORKER, color)
        if self._values.get(own):
            fix = f"Remove it, or name the manifest: pulumi config set {color}:manifest <file or folder>"
            self._refuse(own, self._config[own], "not set without a manifest, which has its Deployment", fix)
        return ()

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
        return key in self._secret_keys or key.rpartition(":")[2] in _HIDDEN

    def _refuse(self, key: str, text: str, allowed: str, fix: str, *, path: str = "") -> None:
        shown = "[secret]" if self._is_hidden(key) else text or "(not set)"
        self._problems.append(Problem(f"{key}{path}", shown, allowed, fix))


def problem_of(found: SnapshotProblem) -> Problem:
    """What is wrong in a manifest, as a problem of the config."""
    where = f"{found.place}: {found.field}" if found.field else str(found.place)
    return Problem(where, found.value, found.allowed, found.fix)


def _suggest(name: str, namespace: str) -> str:
    homes = {key.name: PROJECT for key in keys.ENVIRONMENT} | {key.name: namespace for key in keys.COLOR}
    homes |= {key.name: "<color>" if namespace == PROJECT else namespace for key in keys.ONE_COLOR}
    near = difflib.get_close_matches(name, homes, n=1)
    if not near:
        return "Remove it: pulumi config rm " + f"{namespace}:{name}. Pulumi.yaml lists every key."
    return f"Did you mean {homes[near[0]]}:{near[0]}?"
