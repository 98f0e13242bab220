"""The options that the verbs share, and how a verb ends: one place for errors, exit statuses and their JSON."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bluegreen.cli import project
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress
from bluegreen.cli.selection import Selection, find
from bluegreen.release.colors import COLORS

if TYPE_CHECKING:
    from bluegreen.cli.emergency import Moved

Verb = Callable[..., None]


class Duration(click.ParamType[float]):
    """Seconds, written as 90, 90s, 2m or 1h."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds that `value` stands for."""
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h|)", str(value))
        if not found:
            self.fail(f"{value} is no duration such as 90s, 2m or 1h", param, ctx)
        return float(found[1]) * {"s": 1, "": 1, "m": 60, "h": 3600}[found[2]]


COLOR = click.argument("color", type=click.Choice(COLORS), help="The color that the subcommand is about: blue or green.")


def _stacks(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """What a shell completes: the stacks that have a config file here. The backend knows more, and takes a second to ask."""
    names = (file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in project.stack_files().glob("Pulumi.*.yaml"))
    return sorted(name for name in names if name.startswith(begun))


CHECKS = click.option(
    "--checks",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A YAML file with a list of smoke tests; docs/how-to/smoke-tests-and-bake.md describes it.",
)
COMMAND = click.argument(
    "command",
    nargs=-1,
    type=click.UNPROCESSED,
    help="After --: a command that runs as one more smoke test. It fails if its exit status is not 0.",
)
RELEASE_FROM_STATE = click.option(
    "--release-from-state",
    is_flag=True,
    help="Take the roles and the images of the colors from the last successful update, everything else from the config file, "
    "which is not written.",
)
MATCH_ROOM = click.option(
    "--match-room", is_flag=True, help="First scale the color to as many pods as serve users now, in a separate update."
)

_JSON = click.option(
    "--json",
    "is_json",
    is_flag=True,
    help="Write JSON, one object a line, to stdout; docs/reference/json.md lists the fields.",
)
_WHERE = (
    click.option(
        "--stack",
        "-s",
        metavar="NAME",
        shell_complete=_stacks,
        help="The stack; by default PULUMI_OPTION_STACK, PULUMI_STACK or the selected stack.",
    ),
    click.option(
        "--config-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The stack's config file; by default PULUMI_OPTION_CONFIG_FILE or Pulumi.<stack>.yaml.",
    ),
    _JSON,
)
_REACHED = (
    click.option(
        "--url",
        envvar="BLUEGREEN_URL",
        default="",
        help="The URL for requests as users; by default bluegreen:url, or the URL of bluegreen:host.",
    ),
    click.option("--test-url", default="", help="The URL for requests as testers, if they have a URL of their own."),
    click.option("--color-header", default="", help="The response header with the color, if the routing layer sets none."),
)
_PATIENCE = (
    click.option(
        "--wait",
        type=Duration(),
        default="10m",
        show_default=True,
        help="How long to wait for another update of the stack; then the exit status is 12.",
    ),
    click.option(
        "--timeout",
        type=Duration(),
        default="1h",
        show_default=True,
        help="How long an update may take before it is canceled; then the exit status is 9.",
    ),
    click.option(
        "--from-state",
        is_flag=True,
        help="Start from the config of the last successful update instead of the config file, which is not written.",
    ),
)


def alone(verb: Verb) -> Verb:
    """For verbs that need no environment: they get a `progress`."""
    return _with(verb, [_JSON], lambda verb, progress, arguments: verb(progress=progress, **arguments))


def reading(verb: Verb) -> Verb:
    """For verbs that only look: they get a `selection` and a `progress`."""
    return _with(verb, [*_WHERE, *_REACHED], _looks)


def changing(verb: Verb) -> Verb:
    """For verbs that change an environment: they get a `session`."""
    return _with(verb, [*_WHERE, *_REACHED, *_PATIENCE], _changes)


def moving_first(verb: Verb) -> Verb:
    """As `changing`, for `rollback`: with `now` users are moved before Pulumi is imported, which takes longer than that.

    What was done comes to the verb as `moved`, None if it has to do it itself.
    """

    def first(selection: Selection, progress: Progress, arguments: dict[str, Any]) -> None:
        waits = arguments["match_room"] or arguments["from_state"]
        arguments["moved"] = _moved(selection, progress, arguments["color"]) if arguments["now"] and not waits else None

    return _with(verb, [*_WHERE, *_REACHED, *_PATIENCE], functools.partial(_changes, first=first))


def _moved(selection: Selection, progress: Progress, color: str | None) -> "Moved":
    from bluegreen.cli import emergency

    moved = emergency.move(selection, color)
    emergency.report(progress, moved)
    return moved


def _with(verb: Verb, options: list[Any], given: Callable[..., Any]) -> Verb:
    @functools.wraps(verb)
    def run(is_json: bool, **arguments: Any) -> None:
        progress = Progress(is_json=is_json)
        try:
            given(verb, progress, arguments)
        except ReleaseError as error:
            fail(progress, error)
        except KeyboardInterrupt:
            fail(progress, ReleaseError(Exit.CANCELLED, "Canceled. bluegreen status tells what is live; nothing was put back."))
        if is_json:
            progress.json_line({"event": "result", "status": 0})

    for option in reversed(options):
        run = option(run)
    return run


def fail(progress: Progress, error: ReleaseError) -> None:
    """Ends the command with the status of `error`, having said why."""
    progress.clear()
    if progress.is_json:
        reason, code = error.status.name.lower(), error.code or ""
        progress.json_line(
            {"event": "result", "status": int(error.status), "reason": reason, "code": code, "message": str(error)}
        )
    else:
        click.echo(f"error: {error}", err=True)
    raise SystemExit(int(error.status))


def _looks(verb: Verb, progress: Progress, arguments: dict[str, Any]) -> None:
    reached = {name: arguments.pop(name) for name in ("url", "test_url", "color_header")}
    selection = find(arguments.pop("stack"), arguments.pop("config_file"), **reached)
    verb(selection=selection, progress=progress, **arguments)


def _changes(
    verb: Verb,
    progress: Progress,
    arguments: dict[str, Any],
    first: Callable[[Selection, Progress, dict[str, Any]], None] = lambda *_: None,
) -> None:
    reached = {name: arguments.pop(name) for name in ("url", "test_url", "color_header")}
    selection = find(arguments.pop("stack"), arguments.pop("config_file"), **reached)
    first(selection, progress, arguments)
    from bluegreen.cli.session import opened  # imports Pulumi

    patience = {"wait_seconds": arguments.pop("wait"), "timeout_seconds": arguments.pop("timeout")}
    truth = {name: arguments.pop(name, False) for name in ("from_state", "release_from_state")}
    with opened(selection, progress, **truth, **patience) as session:
        verb(session=session, **arguments)
