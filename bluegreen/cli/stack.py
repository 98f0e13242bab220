"""One stack, driven through the Automation API, with this repository as the local program.

So the command and `pulumi up` run the very same code; there is no inline program.
"""

import json
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulumi import automation as auto

from bluegreen.cli import lock
from bluegreen.cli.outcomes import Exit, ReleaseError, status_of
from bluegreen.cli.process import Event, Pulumi
from bluegreen.cli.updates import EngineStep, Record, stderr_of
from bluegreen.kube.rights import missing
from bluegreen.release.about import VARIABLE, About

ROOT = Path(__file__).parents[2]

# How often in a row an object may be missing that may be a lock given back meanwhile, until it counts as missing for good.
MISSING_TIMES = 5

_CODE = re.compile(r"^ code: (\d+)$", re.MULTILINE)
_NOT_LOGGED_IN = re.compile(r"incorrect passphrase|passphrase must be set|not logged in|PULUMI_ACCESS_TOKEN must be set")

Show = Callable[[EngineStep | str], None]
"""Gets what the engine is at: a step that begins, or what the program says about its waiting."""


class _Workspace(auto.LocalWorkspace):
    def select_stack(self, stack_name: str) -> None:
        """Every command names its stack; which one a person has selected is not ours to change."""


class Stack:
    """The stack `name` with its config in `config_file`.

    `wait_seconds` bounds the waiting for the lock, `timeout_seconds` everything that one method does.
    """

    def __init__(self, name: str, config_file: Path, *, wait_seconds: float, timeout_seconds: float, show: Show) -> None:
        self.name = name
        self._config_file = str(config_file.resolve())
        self._wait_seconds = wait_seconds
        self._timeout_seconds = timeout_seconds
        self._show = show

    def up(self, message: str, about: About | None = None) -> Record:
        """Runs `pulumi up`, waiting for its turn. The program refuses what `about` does not cover; None may change anything.

        Raises `ReleaseError`; what was changed by then is in its `record`.
        """
        until = time.monotonic() + self._wait_seconds
        pause_seconds, told, missing = 0.5, "", 0
        while True:
            try:
                return self._run("up", "--yes", "--skip-preview", "--message", message, about=about, show=self._show)
            except auto.errors.ConcurrentUpdateError as error:
                holder = self._may_wait(str(error), until)
            except UpdateError as error:
                missing = missing + 1 if lock.may_have_vanished(str(error)) else 0
                if error.record.began or not (lock.vanished(str(error)) or 0 < missing <= MISSING_TIMES):
                    raise
                holder = self._may_wait(str(error), until)
            if holder != told:
                self._show(f"waiting for {holder}")
                told = holder
            # Jitter, so that those who wait do not all come back at once.
            time.sleep(min(pause_seconds * random.uniform(0.5, 1.5), max(0.0, until - time.monotonic())))
            pause_seconds = min(pause_seconds * 1.5, 5)

    def _may_wait(self, text: str, until: float) -> str:
        if reason := lock.abandoned(text, self.name):
            raise ReleaseError(Exit.LOCKED, reason)
        if time.monotonic() >= until:
            raise ReleaseError(
                Exit.LOCKED,
                f"The stack {self.name} was locked for all of the {self._wait_seconds:.0f} s that this command may wait: "
                f"{lock.who(text)}.\nNothing was changed.\n{lock.known(text)}"
                "  next: the same command later, or with a longer --wait. If you know that nobody works on the stack: "
                f"pulumi cancel {self.name}, then this command again.",
            )
        return lock.who(text)

    def preview(self) -> Record:
        """Runs `pulumi preview`. Raises `ReleaseError`."""
        return self._run("preview", "--diff", show=lambda _: None)

    def history(self) -> list[auto.UpdateSummary]:
        """The updates of the stack, the newest first. Secrets stay hidden."""

        def ask(pulumi: Pulumi) -> list[auto.UpdateSummary]:
            workspace = _Workspace(work_dir=str(ROOT), pulumi_command=pulumi)
            return auto.Stack.select(self.name, workspace).history(show_secrets=False)

        updates: list[auto.UpdateSummary] = self._ask(ask)
        return updates

    def tag(self, name: str, value: str) -> None:
        """Writes a tag of the stack. Raises `ReleaseError`."""
        self._command("stack", "tag", "set", name, value, "--stack", self.name)

    def tags(self) -> dict[str, str]:
        """The tags of the stack. Raises `ReleaseError`."""
        found: dict[str, str] = json.loads(self._command("stack", "tag", "ls", "--json", "--stack", self.name) or "{}")
        return found

    def refresh_config(self) -> None:
        """Writes the config of the newest update into the config file. The Automation API's own can name no file."""
        self._command("config", "refresh", "--force", *self._where())

    def _command(self, *command: str) -> str:
        """What a command of the CLI printed. The Automation API's own would ask for the stack first."""
        printed: str = self._ask(lambda pulumi: pulumi.run([*command], str(ROOT), {})).stdout
        return printed

    def _where(self) -> list[str]:
        return ["--stack", self.name, "--config-file", self._config_file]

    def _run(self, *command: str, show: Show, about: About | None = None) -> Record:
        """Runs an update or a preview. The Automation API's own asks the CLI for its version before, and for outputs and
        history afterwards, which nothing here needs.
        """
        record = Record()

        def take(event: Event) -> None:
            if written := stderr_of(event):
                print(written, file=sys.stderr, flush=True)
            if shown := record.add(event):
                show(shown)

        variables = {"PULUMI_DEBUG_COMMANDS": "true", VARIABLE: str(about or "")}
        arguments = [*command, "--color", "never", "--exec-kind", "auto.local", *self._where()]
        try:
            ran = self._ask(lambda pulumi: pulumi.run(arguments, str(ROOT), variables), take)
        except ReleaseError as error:
            raise UpdateError(error.status, str(error), record) from None
        record.text = ran.stdout
        return record

    def _ask(self, call: Callable[[Pulumi], Any], take: Callable[[Event], None] = lambda _: None) -> Any:
        try:
            return call(Pulumi(take, self._timeout_seconds))
        except auto.errors.ConcurrentUpdateError:
            raise
        except auto.errors.CommandError as error:
            raise ReleaseError(_status(error), _words(str(error))) from None


class UpdateError(ReleaseError):
    """An update or a preview that failed. `record` tells how far it came."""

    def __init__(self, status: Exit, message: str, record: Record) -> None:
        if record.code:
            status = status_of(record.code)
        elif status is Exit.ERROR and record.has_changed:
            status = Exit.RESOURCE
        rights = [f"{sentence}." for sentence in missing("\n".join(record.errors))]
        super().__init__(status, "\n\n".join([*record.errors, *rights]) or message, record.code)
        self.record = record


def _status(error: auto.errors.CommandError) -> Exit:
    text = str(error)
    if isinstance(error, auto.errors.StackNotFoundError):
        return Exit.STACK_NOT_FOUND
    if _NOT_LOGGED_IN.search(text):
        return Exit.AUTHENTICATION
    code = int(found[1]) if (found := _CODE.search(text)) else 1
    return Exit(code) if Exit.ERROR <= code <= Exit.TIMEOUT else Exit.ERROR


def _words(text: str) -> str:
    """What the CLI said, without the frame that the Automation API puts around it."""
    stdout, _, stderr = text.partition("\n stderr: ")
    return (stderr.strip() or stdout.partition("\n stdout: ")[2].strip()).removeprefix("error: ")
