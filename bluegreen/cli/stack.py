"""One stack, driven by the Pulumi CLI, with this repository as its program.

So the command and `pulumi up` run the very same code.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from bluegreen.cli import lock, project
from bluegreen.cli.outcomes import ReleaseError
from bluegreen.cli.process import Event, LockedError, Pulumi
from bluegreen.cli.updates import EngineStep, Record, UpdateError, stderr_of
from bluegreen.release.about import VARIABLE, About

Show = Callable[[EngineStep | str], None]
"""Gets what the engine is at: a step that begins, or what the program says about its waiting."""


@dataclass(frozen=True, kw_only=True)
class PastUpdate:
    """An update of the past: `config` maps full keys to texts (secrets are empty), `environment` has git.author and more.

    `kind` is update, refresh, destroy, ...; `result` is succeeded, failed or in-progress. `version` is 0 where the backend
    counts none. The times are in UTC.
    """

    kind: str
    result: str
    message: str
    version: int
    start_time: datetime
    end_time: datetime | None
    environment: Mapping[str, str]
    config: Mapping[str, str]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Self:
        """An entry of `pulumi stack history --json`."""
        ended = entry.get("endTime")
        return cls(
            kind=entry["kind"],
            result=entry["result"],
            message=entry["message"],
            version=entry.get("version", 0),
            start_time=_moment(entry["startTime"]),
            end_time=_moment(ended) if ended else None,
            environment=entry["environment"],
            config={key: str(value.get("value") or "") for key, value in entry["config"].items()},
        )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None)


class Stack:
    """The stack `name` with its config in `file`.

    `wait_seconds` bounds the waiting for the lock, `timeout_seconds` everything that one method does.
    """

    def __init__(self, name: str, file: Path, *, wait_seconds: float, timeout_seconds: float, show: Show) -> None:
        self.name = name
        self._where = ["--stack", name, "--config-file", str(file.resolve())]
        self._wait_seconds = wait_seconds
        self._timeout_seconds = timeout_seconds
        self._show = show

    def up(self, message: str, about: About | None = None) -> Record:
        """Runs `pulumi up`, waiting for its turn. The program refuses what `about` does not cover; None may change anything.

        Raises `ReleaseError`; what was changed by then is in the `record` of an `UpdateError`.
        """

        def run() -> Record:
            return self._run("up", "--yes", "--skip-preview", "--message", message, about=about, show=self._show)

        return lock.update(run, self.name, self._wait_seconds, self._show)

    def destroy(self, message: str) -> Record:
        """Runs `pulumi destroy`, waiting for its turn. Raises `ReleaseError`."""

        def run() -> Record:
            return self._run("destroy", "--yes", "--skip-preview", "--message", message, show=self._show)

        return lock.update(run, self.name, self._wait_seconds, self._show)

    def preview(self) -> Record:
        """Runs `pulumi preview`. Raises `ReleaseError`."""
        return self._run("preview", "--diff", show=lambda _: None)

    def history(self) -> list[PastUpdate]:
        """The updates of the stack, the newest first. Raises `ReleaseError`."""
        return [PastUpdate.of(entry) for entry in json.loads(self._command("stack", "history", "--json", "--stack", self.name))]

    def tag(self, name: str, value: str) -> None:
        """Writes a tag of the stack. Raises `ReleaseError`."""
        self._command("stack", "tag", "set", name, value, "--stack", self.name)

    def tags(self) -> dict[str, str]:
        """The tags of the stack. Raises `ReleaseError`."""
        found: dict[str, str] = json.loads(self._command("stack", "tag", "ls", "--json", "--stack", self.name) or "{}")
        return found

    def refresh_config(self) -> None:
        """Writes the config of the newest update into the config file."""
        self._command("config", "refresh", "--force", *self._where)

    def _command(self, *command: str) -> str:
        return Pulumi(lambda _: None, self._timeout_seconds).run(command, project.ROOT)

    def _run(self, *command: str, show: Show, about: About | None = None) -> Record:
        """Runs an update or a preview."""
        record = Record()

        def take(event: Event) -> None:
            if written := stderr_of(event):
                print(written, file=sys.stderr, flush=True)
            if shown := record.add(event):
                show(shown)

        variables = {"PULUMI_DEBUG_COMMANDS": "true", VARIABLE: str(about or "")}
        arguments = [*command, "--color", "never", "--exec-kind", "auto.local", *self._where]
        try:
            record.text = Pulumi(take, self._timeout_seconds).run(arguments, project.ROOT, variables)
        except LockedError:
            raise
        except ReleaseError as error:
            raise UpdateError(error.status, str(error), record) from None
        return record
