"""`python -m dev.reference`: writes the reference pages and the config section of Pulumi.yaml from the code.

A unit test fails if a file differs from what is generated here.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from bluegreen.cli import outcomes
from bluegreen.cli.main import cli
from bluegreen.release import config_keys
from bluegreen.release.config_keys import COLOR, ENVIRONMENT, ONE_COLOR, PROJECT, Key
from bluegreen.release.values import InvalidValueError
from bluegreen.routing import DEFAULT

ROOT = Path(__file__).parents[1]

_SHAPES = {bool: "boolean", int: "integer", str: "string", tuple: "array"}
_OBJECT = "object"

# What Pulumi.yaml gives to every stack of this project: the sample application, and the name of the default layer.
_PROJECT_DEFAULTS = {config_keys.IMAGE: "bluegreen.example/app", config_keys.ROUTING: DEFAULT}

_GENERATED = """\
# Generated from bluegreen/release/config_keys.py by `make docs`. docs/reference/config.md lists every key, including those that
# have no place here: env, secretEnv and resources, which are objects, and the keys that each color has alone, such as imageTag.
"""

_CONFIG_PAGE = """\
# Config keys

Generated from `bluegreen/release/config_keys.py` by `make docs`.

Set a value with `pulumi config set KEY VALUE`, or write it into the section `config:` of the stack's config file.
`pulumi preview` and `pulumi up` refuse a config with an unknown key or a wrong value before anything is changed. The error
lists everything that is wrong: the key, its value, what it must be, and how to correct it. The command does the same, with exit
status 2.

- An empty text counts as not set, for a key whose default is empty.
- A secret (`--secret`) is allowed in `secretEnv` alone: any other key would show it in the state and in the cluster.
- Write a text that YAML reads as something else (`0022`, `1.10`, `on`, `null`, `12:30`, `2026-01-01`) in quotes.
"""

_COMMAND_PAGE = """\
# The command `bluegreen`

Generated from `bluegreen/cli` by `make docs`; `bluegreen SUBCOMMAND --help` shows the same.

Durations are written as `90`, `90s`, `2m` or `1h`. A wrong option or argument ends the command with exit status 2 before
anything is changed.
"""


def shape(key: Key[Any]) -> str:
    """The type of the values of a key: string, integer, boolean, array or object."""
    return key.shape or _SHAPES.get(type(key.default), _OBJECT)


def config_page() -> str:
    """docs/reference/config.md."""
    sections = (
        ("In `bluegreen:`", "They describe the environment.", ENVIRONMENT),
        (
            "In `bluegreen:`, `blue:` or `green:`",
            "In `bluegreen:` they apply to both colors, in `blue:` or `green:` to that color; the color's own value wins.",
            COLOR,
        ),
        ("In `blue:` or `green:`", "Each color has its own value.", ONE_COLOR),
    )
    return _CONFIG_PAGE + "".join(f"\n## {title}\n\n{text}\n\n{_keys(keys)}" for title, text, keys in sections)


def _keys(keys: Iterable[Key[Any]]) -> str:
    rows = ([f"`{key.name}`", shape(key), _default(key), key.description, _allowed(key)] for key in keys)
    return _table(["key", "type", "default", "meaning", "must be"], rows)


def _default(key: Key[Any]) -> str:
    if key.if_missing:
        return "required"
    return _code(key.default) if key.default or isinstance(key.default, int) else "empty"


def _code(value: object) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _allowed(key: Key[Any]) -> str:
    """What its parser says about a value that no key takes."""
    try:
        key.parse(" ")
    except InvalidValueError as error:
        return error.allowed
    raise ValueError(f"the key {key.name} takes a blank")


def pulumi_yaml(present: str) -> str:
    """Pulumi.yaml: its hand-written beginning as `present` has it, and the section `config:`."""
    written = present[: present.index("# Generated from")]
    listed = (key for key in (*ENVIRONMENT, *COLOR) if shape(key) != _OBJECT)
    schema = {"config": {f"{PROJECT}:{key.name}": _schema(key) for key in listed}}
    return written + _GENERATED + yaml.safe_dump(schema, sort_keys=False, width=10_000, allow_unicode=True)


def _schema(key: Key[Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": shape(key)}
    if entry["type"] == "array":
        entry["items"] = {"type": "string"}
    if not key.if_missing or key in _PROJECT_DEFAULTS:
        default = _PROJECT_DEFAULTS.get(key, key.default)
        entry["default"] = (list(default) if key.shape != "string" else "") if isinstance(default, tuple) else default
    return {**entry, "description": key.description}


def command_page() -> str:
    """docs/reference/command.md."""
    context = click.Context(cli, info_name="bluegreen")
    commands = {name: command for name in cli.list_commands(context) if (command := cli.get_command(context, name))}
    shared = _shared(commands)
    usage = _table(
        ["subcommand", "what it does"], ([f"[`{name}`](#{name})", _first_line(command)] for name, command in commands.items())
    )
    parts = [_COMMAND_PAGE, f"\n## Subcommands\n\n{usage}"]
    known = {option for options in shared for option in options}
    parts += [_subcommand(name, command, context, known) for name, command in commands.items()]
    for options in shared:
        excluded = ", ".join(f"`{name}`" for name, command in commands.items() if not options.keys() <= _named(command).keys())
        except_for = f" except {excluded}" if excluded else ""
        parts += [f"\n## Options of every subcommand{except_for}\n\n{_options(options.values())}"]
    statuses = ([str(int(status)), status.name.lower(), meaning] for status, meaning in outcomes.MEANINGS.items())
    parts += ["\n## Exit statuses\n\nThe name is the `reason` in the JSON output.\n\n"]
    parts += [_table(["status", "name", "meaning"], statuses)]
    return "".join(parts)


def _named(command: click.Command) -> dict[str, click.Option]:
    return {param.opts[0]: param for param in command.params if isinstance(param, click.Option)}


def _shared(commands: Mapping[str, click.Command]) -> list[dict[str, click.Option]]:
    """The options of all subcommands, those that all have which are about a stack, and those of all that wait for its lock."""
    groups: list[dict[str, click.Option]] = []
    for mark in ("--json", "--stack", "--wait"):
        having = [_named(command) for command in commands.values() if mark in _named(command)]
        known = {name for group in groups for name in group}
        common = set.intersection(*map(set, having)) - known
        groups.append({name: option for name, option in having[0].items() if name in common})
    return groups


def _subcommand(name: str, command: click.Command, group: click.Context, shared: set[str]) -> str:
    context = click.Context(command, info_name=name, parent=group)
    usage = " ".join(["bluegreen", name, *command.collect_usage_pieces(context)])
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n"))
    arguments = [
        [f"`{param.make_metavar(context)}`", param.help or ""] for param in command.params if isinstance(param, click.Argument)
    ]
    own = [option for option_name, option in _named(command).items() if option_name not in shared]
    parts = [f"\n## `{name}`\n\n`{usage}`\n\n{text}\n"]
    parts += [f"\n{_table(['argument', 'meaning'], arguments)}"] if arguments else []
    parts += [f"\n{_options(own)}"] if own else []
    return "".join(parts)


def _first_line(command: click.Command) -> str:
    return " ".join((command.help or "").split("\n\n")[0].split())


def _options(options: Iterable[click.Option]) -> str:
    return _table(["option", "default", "meaning"], (_option(option) for option in options))


def _option(option: click.Option) -> list[str]:
    context = click.Context(click.Command("any"))
    metavar = "" if option.is_flag else f" {option.make_metavar(context)}"
    names = ", ".join(f"`{name}{metavar}`" for name in sorted(option.opts, key=len, reverse=True))
    default = "required" if option.required else "off" if option.is_flag else _default_of(option)
    return [names, default, option.help or ""]


def _default_of(option: click.Option) -> str:
    variable = f"`${option.envvar}`, else " if option.envvar else ""
    given = option.to_info_dict()["default"]
    return f"{variable}{_code(given)}" if given or given == 0 else f"{variable}empty"


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


FILES: Mapping[str, Callable[[], str]] = {
    "docs/reference/config.md": config_page,
    "docs/reference/command.md": command_page,
    "Pulumi.yaml": lambda: pulumi_yaml((ROOT / "Pulumi.yaml").read_text(encoding="utf-8")),
}
"""Each generated file and its text."""


def main() -> None:
    """Writes the files that differ."""
    for name, text in FILES.items():
        (ROOT / name).write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
