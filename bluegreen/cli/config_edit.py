"""Changes a few values of a stack's config file and leaves every other character of it alone.

The file belongs to people: it has comments, an order, and is reviewed as a diff. The CLI would write it anew, and takes a
fifth of a second for each value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bluegreen.cli import file_write
from bluegreen.release.stack_file import ConfigFileError, of_stack
from bluegreen.release.stack_file import read as text_of

__all__ = ["Change", "ConfigFileError", "change", "edited", "read"]

Changes = Mapping[str, str | Mapping[str, Any] | None]
"""Full key -> its text or its object, or None to remove it."""

_PLAIN = re.compile(r"[A-Za-z][A-Za-z_-]*")  # anything else is quoted, so that YAML cannot read a tag as a number

# Words that YAML takes for something else than a text.
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def read(file: Path) -> dict[str, Any]:
    """The values of a config file by their full keys. Raises `ConfigFileError`."""
    return dict(of_stack(text_of(file), file.name).values)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change that was made to a file, and can be taken back."""

    file: Path
    before: str
    after: str
    had: Changes

    def take_back(self) -> None:
        """Gives the values back that were there; what others have changed meanwhile stays."""
        if _text(self.file) == self.after:
            file_write.replace(self.file, self.before)
        else:
            change(self.file, self.had)


def change(file: Path, changes: Changes) -> Change:
    """Writes `changes` and returns what can take them back.

    The file is replaced in one step, so it is never seen half-written. Raises `ConfigFileError`, and then nothing is changed.
    """
    before = _text(file)
    had = read(file)
    for key, value in changes.items():
        if isinstance(had.get(key), dict | list) and isinstance(value, str):
            raise ConfigFileError(f"{key} in {file} is not a plain value, so it is not changed. Correct it there.")
    wanted = {key: value for key, value in {**had, **changes}.items() if value is not None}
    try:
        after = edited(before, changes)
        is_safe = dict(of_stack(after, file.name).values) == wanted
    except (ConfigFileError, yaml.YAMLError):
        is_safe = False
    if not is_safe:
        raise ConfigFileError(
            f"{file} is written in a way that cannot be changed safely, so it was left alone. Set the values by hand: "
            + ", ".join(f"{key}: {_shown(value)}" if value is not None else f"no {key}" for key, value in changes.items())
        )
    if after != before:
        file_write.replace(file, after)
    present = {key: had[key] if isinstance(had.get(key), dict) else str(had[key]) if key in had else None for key in changes}
    return Change(file=file, before=before, after=after, had=present)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else "(an object with encrypted values)"


def edited(text: str, changes: Changes) -> str:
    """The text of a config file with `changes` made in it."""
    for key, value in changes.items():
        text = _set(text, key, value)
    return text


def _set(text: str, key: str, value: str | Mapping[str, Any] | None) -> str:
    section = _section(text)
    entries = {name.value: (name, node) for name, node in section.value} if section else {}
    if key in entries:
        name, node = entries[key]
        if isinstance(value, str) and isinstance(node, yaml.ScalarNode):
            return text[: node.start_mark.index] + _scalar(value) + text[node.end_mark.index :]
        begin = text.rfind("\n", 0, name.start_mark.index) + 1
        written = _entry(key, value, name.start_mark.column) if value is not None else ""
        return text[:begin] + written + text[_end(text, node) :]
    if value is None:
        return text
    if not entries:  # "config: {}", "config:" or nothing
        stripped = re.sub(r"(?m)^config:.*\n?", "", text)
        return f"config:\n{_entry(key, value, 2)}{stripped}"
    first = next(iter(entries.values()))[0].start_mark
    end = _end(text, section)
    return text[:end] + _entry(key, value, first.column) + text[end:]


def _entry(key: str, value: str | Mapping[str, Any], column: int) -> str:
    """The lines of a key with its value."""
    indent = " " * column
    if isinstance(value, str):
        return f"{indent}{key}: {_scalar(value)}\n"
    lines = yaml.safe_dump(value, default_flow_style=False, width=2**20).splitlines()
    return "".join([f"{indent}{key}:\n", *(f"{indent}  {line}\n" for line in lines)])


def _section(text: str) -> yaml.MappingNode | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for name, node in root.value if isinstance(root, yaml.MappingNode) else ():
        if name.value == "config" and isinstance(node, yaml.MappingNode):
            return node
    return None


def _end(text: str, node: yaml.Node | None) -> int:
    """Where the line after a value begins. The mark of a mapping's end lies behind comments and empty lines."""
    while isinstance(node, yaml.MappingNode | yaml.SequenceNode) and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return text.find("\n", node.end_mark.index if node else 0) + 1 or len(text)


def _scalar(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(file: Path) -> str:
    text = text_of(file)
    return text if text.endswith("\n") or not text else text + "\n"
