"""The group of the subcommands of `bluegreen`, each of which is a module of its own."""

import importlib
import signal

import click

from bluegreen.cli import outcomes

VERSION = "0.1.0"

# In the order of a release. Each one is a module of this package.
SUBCOMMANDS = (
    "adopt",
    "inspect",
    "up",
    "plan",
    "deploy",
    "test",
    "activate",
    "rollback",
    "decommission",
    "release",
    "status",
    "history",
)


class _Group(click.Group):
    """The subcommands; a module is imported when its subcommand runs, or is listed with the others."""

    def list_commands(self, _: click.Context) -> list[str]:
        """In the order of a release."""
        return list(SUBCOMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """The subcommand of this name, None if there is none."""
        if name not in SUBCOMMANDS:
            return None
        found: click.Command = importlib.import_module(f"bluegreen.cli.{name}").command
        return found

    def format_epilog(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """As it is written: click would fold the tables."""
        formatter.write(
            "\nA release, step by step (then the same with the colors swapped):\n"
            "  bluegreen deploy green --image 2.0     new pods; users notice nothing\n"
            "  bluegreen test green -- pytest smoke   testers on green, smoke tests\n"
            "  bluegreen activate green               users on green; blue stays ready\n"
            "  bluegreen rollback                     users back on blue\n"
            "  bluegreen decommission blue            blue's pods are removed\n\n"
            f"Exit statuses:\n{outcomes.table()}\n"
        )


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(VERSION, prog_name="bluegreen")
def cli() -> None:
    """Blue-green releases: two colors, users on one of them.

    Each subcommand changes a few lines of the stack's config and runs the same program as `pulumi up`, which refuses what would
    harm users.
    """


def main() -> None:
    """The entry point. A pipeline that is canceled sends SIGTERM: it means the same as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would the engine
    cli(prog_name="bluegreen")
