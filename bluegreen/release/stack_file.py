"""Reads config files (`Pulumi.<stack>.yaml`, `Pulumi.yaml`) and finds values that YAML changes.

YAML readers guess the type of a value without quotes: 0022 becomes the number 18, 1.10 the number 1.1, `on` a boolean. The
engine (Go's yaml.v3) and the command (PyYAML) guess differently, and the engine passes only the guess. So the program and the
command read the file, and refuse a plain value that either reader would change.
"""

import contextlib
import functools
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.release.values import writable

if TYPE_CHECKING:
    import yaml

_TAG = "tag:yaml.org,2002:"

# Numbers and booleans that every reader takes as they are written; whole numbers must fit into 64 bits as well.
_CANONICAL = {"int": re.compile(r"0|-?[1-9][0-9]{0,18}"), "bool": re.compile("true|false")}

# More values than any config has; a few aliases of aliases make millions.
_MOST_VALUES = 100_000

# Plain values that YAML 1.1 reads as text and Go's yaml.v3 does not (see its resolve.go). It removes '_' from numbers first.
_NUMBER_IN_GO = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)")
_DATE_IN_GO = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?(Z|[-+][0-9:]+)?)?")


class ConfigFileError(Exception):
    """The file cannot be read or changed. The message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Misread:
    """A value without quotes that YAML changes.

    `key` is its key in the config, such as `blue:env`, and `path` leads to a part of it: `.UMASK`, `[0]`, or empty. `written`
    is the text in the file called `file`, and `read` the value that YAML reads, in words. With `is_name` YAML changes the last
    name of the path, not its value.
    """

    key: str
    path: str
    file: str
    written: str
    read: str
    is_name: bool = False


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The contents of config files, by full key.

    `values` has texts, numbers, booleans, lists and objects. A value that YAML changes is the text as written, and a secret is
    the object {secure: ciphertext}. `secrets` are the keys that contain a secret, and `defaults` those that Pulumi.yaml alone
    sets.
    """

    values: Mapping[str, Any]
    secrets: frozenset[str] = frozenset()
    misread: tuple[Misread, ...] = ()
    defaults: frozenset[str] = frozenset()

    def over(self, other: "Contents") -> "Contents":
        """The contents of both; a key of `self` hides the same key of `other`, as in the engine."""
        hidden = other.without(self.values)
        return Contents(
            values={**hidden.values, **self.values},
            secrets=hidden.secrets | self.secrets,
            misread=(*self.misread, *hidden.misread),
            defaults=hidden.defaults | self.defaults,
        )

    def without(self, keys: Iterable[str]) -> "Contents":
        """The same without `keys`."""
        left = self.values.keys() - set(keys)
        return Contents(
            values={key: value for key, value in self.values.items() if key in left},
            secrets=self.secrets & left,
            misread=tuple(misread for misread in self.misread if misread.key in left),
            defaults=self.defaults & left,
        )


def of_program(stack: str, directory: Path) -> Contents:
    """The contents of the config files of a running program: the stack's file, and Pulumi.yaml in `directory`.

    The stack's file is the one that `pulumi --config-file` names (found on Linux only), else that of PULUMI_OPTION_CONFIG_FILE,
    else `Pulumi.<stack>.yaml`. A file that cannot be read is left out: the engine reports the error.
    """
    named = os.environ.get("PULUMI_OPTION_CONFIG_FILE")
    file = _named_by_the_command() or (directory / named if named else stack_files(directory) / f"Pulumi.{stack}.yaml")
    return _read_if_possible(file, of_stack).over(_read_if_possible(directory / "Pulumi.yaml", of_project))


def of_command(file: Path, project: Path) -> Contents:
    """The contents of the stack's config file `file` and of `project`, the Pulumi.yaml. Raises `ConfigFileError`."""
    return of_stack(read(file), file.name).over(of_project(read(project), project.name))


def stack_files(directory: Path) -> Path:
    """The directory of the stacks' config files: that of Pulumi.yaml, `directory`, or the `stackConfigDir` in Pulumi.yaml."""
    try:
        root = _composed(read(directory / "Pulumi.yaml"), "Pulumi.yaml")
        return directory / next((node.value for key, node in _pairs(root, "") if key.value == "stackConfigDir"), "")
    except (ConfigFileError, TypeError):
        return directory


def _read_if_possible(file: Path, parse: Any) -> Contents:
    try:
        contents: Contents = parse(read(file), file.name)
    except ConfigFileError:
        return Contents(values={})
    return contents


def read(file: Path) -> str:
    """The text of a config file, line ends as they are. Raises `ConfigFileError`."""
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            return opened.read()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        why = getattr(error, "strerror", "") or error
        raise ConfigFileError(
            f"Could not read the config file {file}: {why}. Name another one with --config-file, or copy "
            "Pulumi.blue.yaml to it."
        ) from None


@functools.lru_cache(maxsize=8)
def of_stack(text: str, name: str) -> Contents:
    """The contents of the stack's config file with this text and name. Raises `ConfigFileError` if it is not one."""
    root = _composed(text, name)
    nodes: dict[str, yaml.Node] = {}
    for key, node in _pairs(_section(root, name), name):
        if not isinstance(key.value, str) or _key(key.value) in nodes:
            raise ConfigFileError(f"The config file {name} has a key twice, or one that is no text: {key.value}. Correct it.")
        nodes[_key(key.value)] = node
    return _Reader(name).contents(nodes)


def of_document(text: str, name: str) -> tuple[Any, tuple[Misread, ...]]:
    """The value in any YAML file with this text and name, and the parts that YAML changes. Raises `ConfigFileError`."""
    root = _composed(text, name)
    found = _Reader(name).contents({} if root is None else {"": root})
    return found.values.get(""), found.misread


@functools.lru_cache(maxsize=8)
def of_project(text: str, name: str) -> Contents:
    """The config that Pulumi.yaml gives to every stack: defaults and values. Raises `ConfigFileError`."""
    root = _composed(text, name)
    project = next((str(value.value) for key, value in _pairs(root, name) if key.value == "name"), "")
    nodes = {}
    for key, node in _pairs(_section(root, name), name):
        if isinstance(key.value, str) and (given := _given(node, name)) is not None:
            nodes[_key(key.value if ":" in key.value else f"{project}:{key.value}")] = given
    return replace(_Reader(name).contents(nodes), defaults=frozenset(nodes))


def _given(node: "yaml.Node", name: str) -> "yaml.Node | None":
    """The node of the value in an entry of Pulumi.yaml: its default, else its value, or all of it in the short form."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        return node
    parts = {key.value: value for key, value in _pairs(node, name) if isinstance(key.value, str)}
    return parts.get("default", parts.get("value"))


def _key(text: str) -> str:
    """The key as the engine names it: `<namespace>:config:<name>` is an old form of `<namespace>:<name>`."""
    namespace, _, name = writable(text).partition(":")
    return f"{namespace}:{name.removeprefix('config:')}" if name else namespace


@functools.lru_cache(maxsize=8)
def _composed(text: str, name: str) -> "yaml.Node | None":
    import yaml

    try:
        # The loader in Python: the one in C crashes on deep nesting.
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ConfigFileError(f"The file {name} is not valid YAML: {error or type(error).__name__}") from None


def _section(root: "yaml.Node | None", name: str) -> "yaml.Node | None":
    """The section `config:`; None when there is none, or it is empty."""
    import yaml

    for key, node in _pairs(root, name):
        if key.value == "config":
            is_empty = isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}null"
            return None if is_empty else node
    return None


def _pairs(node: "yaml.Node | None", name: str) -> "list[tuple[yaml.Node, yaml.Node]]":
    import yaml

    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise ConfigFileError(f"The config file {name} has no section config: with keys and values. Correct it.")
    return list(node.value)


class _Reader:
    """Reads the nodes of one file into values, and collects what YAML changes."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._misread: list[Misread] = []
        self._secrets: set[str] = set()
        self._key = ""
        # The nodes around the present one: an alias of one of them would never end.
        self._around: set[int] = set()
        self._count = 0

    def contents(self, nodes: "Mapping[str, yaml.Node]") -> Contents:
        """The values of these nodes by key. Raises `ConfigFileError` when an alias makes them endless."""
        values = {}
        try:
            for key, node in nodes.items():
                self._key = key
                values[key] = self._value(node, "")
        except RecursionError:
            raise ConfigFileError(f"The file {self._file} nests values too deeply in {self._key}.") from None
        return Contents(values=values, secrets=frozenset(self._secrets), misread=tuple(self._misread))

    def _value(self, node: "yaml.Node", path: str) -> Any:
        import yaml

        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._count += 1
        if id(node) in self._around or self._count > _MOST_VALUES:
            raise ConfigFileError(f"The file {self._file} has a value without an end, by its aliases: {self._key}{path}.")
        self._around.add(id(node))
        value = self._object(node, path) if isinstance(node, yaml.MappingNode) else self._list(node, path)
        self._around.remove(id(node))
        return value

    def _list(self, node: "yaml.Node", path: str) -> list[Any]:
        return [self._value(item, f"{path}[{place}]") for place, item in enumerate(node.value)]

    def _object(self, node: "yaml.Node", path: str) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for name, item in node.value:
            if name.tag == f"{_TAG}merge":
                value = self._value(item, path)
                for source in value if isinstance(value, list) else [value]:
                    merged = {**source, **merged} if isinstance(source, dict) else merged
            else:
                text = self._name(name, path)
                if text in own:
                    raise ConfigFileError(f"The file {self._file} has {self._key}{path}.{text} twice. Correct it.")
                own[text] = self._value(item, f"{path}.{text}")
        if is_secret(own):
            self._secrets.add(self._key)
        return {**merged, **own}

    def _name(self, node: "yaml.Node", path: str) -> str:
        if not isinstance(node.value, str):
            raise ConfigFileError(f"The file {self._file} has a name that is no text in {self._key}{path}. Correct it.")
        return str(self._scalar(node, f"{path}.{node.value}", is_name=True))

    def _scalar(self, node: "yaml.Node", path: str, *, is_name: bool = False) -> Any:
        text = writable(str(node.value))
        kind = node.tag.removeprefix(_TAG)
        is_plain = (getattr(node, "style", None) or "") not in ("'", '"', "|", ">")
        if kind == "str" and not (is_plain and _resolved(text) == kind and _is_changed_by_go(text)):
            return text
        if not is_name and _is_canonical(kind, text):
            return text == "true" if kind == "bool" else int(text) if kind == "int" else float(text)
        self._misread.append(
            Misread(key=self._key, path=path, file=self._file, written=text, read=_reading(kind, text), is_name=is_name)
        )
        return text


def is_secret(value: Any) -> bool:
    """Whether a value is a secret as the engine writes one into a config file."""
    return isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str)


def _is_canonical(kind: str, text: str) -> bool:
    """Whether every reader gives a number or a boolean back as it was written."""
    if kind == "float":
        return re.fullmatch(r"-?[0-9]+\.[0-9]*[1-9]", text) is not None and repr(float(text)) == text
    is_canonical = kind in _CANONICAL and _CANONICAL[kind].fullmatch(text) is not None
    return is_canonical and (kind == "bool" or abs(int(text)) < 2**63)


def _resolved(text: str) -> str:
    """What YAML 1.1 takes a plain text for: str, int, float, bool, null, timestamp, merge or value."""
    import yaml

    resolvers = yaml.SafeLoader.yaml_implicit_resolvers
    for tag, pattern in [*resolvers.get(text[:1], []), *resolvers.get(None, [])]:
        if pattern.match(text):
            return str(tag).removeprefix(_TAG)
    return "str"


def _is_changed_by_go(text: str) -> bool:
    if text[:1] not in "+-.0123456789":
        return False
    return bool(_NUMBER_IN_GO.fullmatch(text.replace("_", "")) or _DATE_IN_GO.fullmatch(text))


def _reading(kind: str, text: str) -> str:
    """What YAML makes of a plain text, in words."""
    number = _number(text.replace("_", ""))
    if number:
        return f"the number {number}"
    words = {"null": "no value", "bool": f"the boolean {'true' if text.lower() in ('yes', 'on', 'true') else 'false'}"}
    words |= {"int": "a number", "float": "a number", "str": "a date", "timestamp": "a date", "value": "no text"}
    return words.get(kind, f"a value of the type {kind}")


def _number(text: str) -> str:
    """The number that a text stands for as the engine writes it, or nothing."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text.removeprefix("+"))
    for prefix, base in (("0x", 16), ("0b", 2), ("0o", 8), ("0", 8)):
        with contextlib.suppress(ValueError):
            if digits.lower().startswith(prefix):
                whole = int(digits[len(prefix) :] or "0", base)
                return f"{sign if whole else ''}{whole}"
    try:
        value = sum(float(part) * 60**place for place, part in enumerate(reversed(digits.split(":"))))
    except (ValueError, OverflowError):
        return ""
    if not math.isfinite(value):
        return ""
    if 0 < value < 1e-6 or value >= 1e21:
        return f"{sign}{value}"
    # The shortest digits that mean this number, without an exponent.
    return f"{sign if value else ''}{Decimal(repr(value)):f}".removesuffix(".0")


def _named_by_the_command() -> Path | None:
    """The file that the `pulumi` command above this process got with `--config-file`; None without one.

    The engine passes the values to a program, but not the name of their file: it is in none of its variables, nor in the
    `RunRequest` to the language host (Pulumi 3.274). So the command lines of the parent processes are read, up to the first
    `pulumi`.
    """
    process = Path("/proc/self")
    while (process := _parent(process)).exists():
        try:
            arguments = (process / "cmdline").read_text(errors="replace").split("\0")
            if Path(arguments[0]).name != "pulumi":
                continue
            named = _option(arguments[1:])
            return (process / "cwd").resolve() / named if named else None
        except OSError:  # the process has ended
            return None
    return None


def _parent(process: Path) -> Path:
    try:
        # The second field is the name in parentheses, which may hold spaces; the parent is the second one after it.
        return Path("/proc") / (process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
    except OSError:
        return Path("/proc/none")


def _option(arguments: list[str]) -> str:
    given: Iterator[str] = (
        option.partition("=")[2] or value
        for option, value in zip(arguments, [*arguments[1:], ""], strict=True)
        if option == "--config-file" or option.startswith("--config-file=")
    )
    return next(given, "")
