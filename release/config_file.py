"""What a config file says, before YAML and the engine have changed it.

An image tag such as 1.10 that is not quoted is a number to YAML: the engine hands over "1.1", and another image would
be deployed than the file shows. Only the file itself can tell, so the program looks at it. Nothing else is read from
here: config comes from the engine.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

# What YAML and the engine make of a number: 1.0 becomes 1 and 1.10 becomes 1.1, so a tag "1.0" was quoted for sure.
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*[1-9])?(e[-+][0-9]+)?")


def misread_numbers(config: Mapping[str, str], directory: Path) -> dict[str, tuple[str, str]]:
    """The image tags that YAML read as numbers and thereby changed: full key -> name of the file, text that it holds.

    `config` is what the engine handed over. Looked at is the file that the command named with `--config-file`, where
    the system shows the command (Linux), otherwise every `Pulumi.*.yaml` in `directory`. A file that cannot be read is
    skipped: the engine has read the one that counts and reports it itself.
    """
    tags = {key: text for key, text in config.items() if key.endswith(":imageTag") and _NUMBER.fullmatch(text)}
    if not tags:
        return {}
    files = list(_named_by_the_command(directory)) or sorted(directory.glob("Pulumi.*.yaml"))
    return {key: (file.name, raw) for file in files for key, raw in _changed(file, tags)}


def _changed(file: Path, tags: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    import yaml  # here, because most tags are no numbers and the program starts on every update

    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return
    for section, entries in root.value if isinstance(root, yaml.MappingNode) else ():
        if section.value != "config" or not isinstance(entries, yaml.MappingNode):
            continue
        for key, node in entries.value:
            is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
            if is_plain and key.value in tags and _is_same_number(node.value, tags[key.value]):
                yield key.value, node.value


def _is_same_number(written: str, seen: str) -> bool:
    """Whether YAML makes the number `seen` of the other text `written`: a decimal, or 0x10, 0o17 or 017."""
    readings = (float, lambda text: int(text, 0), lambda text: int(text, 8))
    for reading in readings if written != seen else ():
        with contextlib.suppress(ValueError):
            if float(reading(written)) == float(seen):
                return True
    return False


def _named_by_the_command(directory: Path) -> Iterator[Path]:
    process = Path("/proc/self")
    while (stat := process / "stat").exists():
        arguments = (process / "cmdline").read_text(errors="replace").split("\0")
        for option, value in zip(arguments, [*arguments[1:], ""], strict=True):
            if option == "--config-file" or option.startswith("--config-file="):
                yield directory / (option.partition("=")[2] or value)
                return
        # The second field is the name in parentheses, which may hold spaces; the parent is the second one after it.
        parent = stat.read_text(errors="replace").rpartition(")")[2].split()[1]
        process = Path("/proc") / parent
