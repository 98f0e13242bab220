"""Which environment a command is about: its stack, its config file, and the settings in it. Does not import Pulumi."""

import functools
import json
import os
import subprocess
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from bluegreen.cli import engine_config, project
from bluegreen.cli.config_changes import Changes
from bluegreen.cli.outcomes import Exit, ReleaseError, no_pulumi
from bluegreen.environment import LiveEnvironment
from bluegreen.release import stack_file
from bluegreen.release.colors import COLORS
from bluegreen.release.config_keys import MANIFEST, SECRET_DATA
from bluegreen.release.config_reader import Layers, SettingsError, Workloads, read_place, read_settings
from bluegreen.release.endpoint import Endpoint, Given
from bluegreen.release.settings import Settings
from bluegreen.release.snapshot import Snapshot
from bluegreen.release.stack_file import ConfigFileError, Contents, Misread, is_secret
from bluegreen.routing import LAYERS
from bluegreen.routing import find as layer_of
from bluegreen.workload import WORKLOADS

Reader = Callable[[Mapping[str, str], Collection[str], Iterable[Misread], Layers, Workloads, Path, Collection[str]], Settings]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """One stack and its config file, as the options of a command name them.

    `url`, `test_url` and `color_header` say where it is entered if the config does not; empty if it does.
    """

    stack: str
    config_file: Path
    url: str = ""
    test_url: str = ""
    color_header: str = ""

    def settings(self) -> Settings:
        """The settings as the engine hands them to the program. Raises `ReleaseError` if they cannot be used."""
        return self._read(read_settings)

    def changed(self, changes: Changes, unwritten: Mapping[str, Snapshot]) -> Settings:
        """The settings as they would be with `changes` in the config file. Raises `ReleaseError` if they could not be used.

        `unwritten` has manifests that are not in the project yet, by their path.
        """
        engine_config.refuse_overrides()
        files = self.config_file, project.ROOT / "Pulumi.yaml"
        try:
            found = _contents(files, tuple(map(_version, files)))
            config, secrets = _resolved(self.stack, self.config_file, found)
            changed = as_engine({key: value for key, value in changes.items() if value is not None})
            left = {key: text for key, text in config.items() if key not in changes}
            hidden = {key for key in changes if key.endswith(f":{SECRET_DATA.name}")}
            where = project.ROOT, found.defaults, unwritten
            return read_settings(left | changed, {*secrets, *hidden}, found.misread, LAYERS, WORKLOADS, *where)
        except (SettingsError, ConfigFileError) as error:
            raise ReleaseError(Exit.CONFIG, str(error)) from None

    def place(self) -> Settings:
        """Where the environment is, whatever else is wrong with its config; see `read_place`. Raises `ReleaseError`."""
        return self._read(read_place)

    def _read(self, read: Reader) -> Settings:
        engine_config.refuse_overrides()
        files = self.config_file, project.ROOT / "Pulumi.yaml"
        try:
            versions = tuple(map(_version, files))
            return _settings(read, self.stack, files, versions, _manifests(_contents(files, versions)))
        except (SettingsError, ConfigFileError) as error:
            raise ReleaseError(Exit.CONFIG, str(error)) from None

    def cluster(self) -> LiveEnvironment:
        """Access to what is live: the same for the whole command, so that it connects and logs in once."""
        settings = self.place()
        service = settings.service
        place = settings.context, settings.namespace, settings.routing, service.name, service.shared, service.labels
        found = next((cluster for known, cluster in _clusters if known == place), None)
        if found is None:
            found = LiveEnvironment(
                context=settings.context, namespace=settings.namespace, service=service, routing=settings.routing
            )
            _clusters.append((place, found))
        return found

    def users(self) -> Endpoint:
        """Where users enter. Raises `ReleaseError` if nothing says where."""
        found = self.known_users()
        return found or _unknown("users", "--url, or bluegreen:url")

    def known_users(self) -> Endpoint | None:
        """Where users enter, or None if nothing says where. Raises `ReleaseError` if the config cannot be used."""
        settings = self.settings()
        return layer_of(settings.routing).of_users(settings, self._given)

    def testers(self) -> Endpoint:
        """Where testers enter. Raises `ReleaseError` if nothing says where."""
        settings = self.settings()
        layer = layer_of(settings.routing)
        found = layer.of_testers(settings, self._given)
        return found or _unknown("testers", "--test-url" if layer.HAS_TEST_ADDRESS else "--url, or bluegreen:url")

    @property
    def _given(self) -> Given:
        return Given(url=self.url, test_url=self.test_url, color_header=self.color_header)


_clusters: list[tuple[object, LiveEnvironment]] = []


@functools.lru_cache(maxsize=8)
def _settings(
    read: Reader, stack: str, files: tuple[Path, Path], versions: tuple[object, ...], _manifests: tuple[object, ...]
) -> Settings:
    """Reads the settings once for each version of the files and of the manifests, however often a command needs them."""
    found = _contents(files, versions)
    config, secrets = _resolved(stack, files[0], found)
    return read(config, secrets, found.misread, LAYERS, WORKLOADS, project.ROOT, found.defaults)


def _resolved(stack: str, file: Path, found: Contents) -> tuple[Mapping[str, str], Collection[str]]:
    """The config as the engine hands it to the program, and the keys that are secret."""
    if not (text := engine_config.text_with_environment(file)):
        return as_engine(found.values), found.secrets
    resolved, secrets = engine_config.ask(stack, file, text)
    # The CLI hides an object with a secret as a whole, with the names in it.
    named = {key: shown for key, shown in as_engine(found.values).items() if key.endswith(f":{SECRET_DATA.name}")}
    return {**resolved, **named}, found.secrets.union(secrets)


@functools.lru_cache(maxsize=8)
def _contents(files: tuple[Path, Path], _versions: tuple[object, ...]) -> Contents:
    return stack_file.of_command(*files)


def _manifests(contents: Contents) -> tuple[object, ...]:
    """The versions of the files in the manifests of the colors."""
    named = [contents.values.get(f"{color}:{MANIFEST.name}") for color in COLORS]
    paths = [project.ROOT / path for path in named if isinstance(path, str)]
    files = [file for path in paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    return tuple((file, _version(file)) for file in files)


def _version(file: Path) -> object:
    """Another value whenever something has written the file. `config_edit` replaces it, so its inode changes."""
    try:
        found = file.stat()
    except OSError:  # the reader reports it
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _unknown(role: str, option: str) -> NoReturn:
    raise ReleaseError(
        Exit.CONFIG,
        f"Nothing says where {role} come in, so who is served cannot be verified, and nothing was done.\n"
        f"  next: give the address with {option}.",
    )


def find(stack: str | None, file: Path | None, **reached: str) -> Selection:
    """The environment that the options name; without them the stack and the file that the CLI would take.

    Raises `ReleaseError` if no stack is named or selected.
    """
    name = stack or os.environ.get("PULUMI_OPTION_STACK") or os.environ.get("PULUMI_STACK") or _selected()
    named = file or Path(os.environ.get("PULUMI_OPTION_CONFIG_FILE", ""))
    default = project.stack_files() / f"Pulumi.{name.rpartition('/')[2]}.yaml"
    return Selection(stack=name, config_file=named if named.name else default, **reached)


def _selected() -> str:
    try:
        ran = subprocess.run(
            ["pulumi", "stack", "--show-name", "--non-interactive"],
            cwd=project.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise no_pulumi() from None
    if ran.returncode:
        raise ReleaseError(
            Exit.STACK_NOT_FOUND,
            "No stack is selected, so there is nothing to work on.\n"
            f"  why:  {ran.stderr.strip().removeprefix('error: ')}\n"
            "  next: name one with --stack, or select one: pulumi stack select",
        )
    return ran.stdout.strip()


def as_engine(config: Mapping[str, Any]) -> dict[str, str]:
    """Config as the engine hands it to the program, objects as JSON, with a word in the place of each secret.

    A `secretEnv` that is encrypted as a whole is left out: nothing here can read the names of its variables.
    """
    return {key: _text(key, value) for key, value in config.items() if not (is_secret(value) and key.endswith(":secretEnv"))}


_HIDDEN = "[secret]"
# The values of Secrets in a manifest may have to be in base64: "[secret]".
_HIDDEN_DATA = "W3NlY3JldF0="


def _text(key: str, value: Any) -> str:
    shown = _revealed(value, _HIDDEN_DATA if key.endswith(f":{SECRET_DATA.name}") else _HIDDEN)
    return shown if isinstance(shown, str) else json.dumps(shown)


def _revealed(value: Any, hidden: str) -> Any:
    """The value with the word `hidden` in the place of each secret."""
    if is_secret(value):
        return hidden
    if isinstance(value, dict):
        return {name: _revealed(part, hidden) for name, part in value.items()}
    return [_revealed(part, hidden) for part in value] if isinstance(value, list) else value
