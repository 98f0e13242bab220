"""The real `pulumi`, run as a person runs it, and what it did: its exit status, its words, and the steps of the engine."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import work

# Far more than any test asks for: a command that hangs is to fail its test, and not the whole run.
LONGEST_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one command.

    A step is written as in "update VirtualService/myapp-blue-green": operation, kind and Pulumi name; what is no object of
    the cluster has its whole type, as in "create bluegreen:components:Color/myapp-blue". `began` and `ended` map each step to
    its place in the order of all events; a step that failed did not end. In a preview they are the planned ones.
    """

    command: str
    status: int
    text: str
    seconds: float
    began: Mapping[str, int]
    ended: Mapping[str, int]

    @property
    def changes(self) -> set[str]:
        """Every step that changes something."""
        return set(self.began)

    @property
    def written(self) -> set[str]:
        """The steps that change objects of the cluster."""
        return {step for step in self.began if ":" not in step}

    def __str__(self) -> str:
        return f"$ {self.command}\n{self.text}\nexit status {self.status} after {self.seconds:.1f} s"


def pulumi(*arguments: str, project: Path, variables: Mapping[str, str], recorded: bool = True) -> Result:
    """Runs `pulumi` in the directory `project`, in plain text and without questions.

    Its steps are known only when it is `recorded`, which costs it a little time.
    Raises `AssertionError` when it takes longer than `LONGEST_SECONDS`; it is then stopped.
    """
    work.done["pulumi commands"] += 1
    with tempfile.NamedTemporaryFile() as log:
        # The engine's own log of events is the one account of an update that is both complete and made to be read by
        # programs: `--json` leaves out the words. It is there for those who debug.
        options = ["--non-interactive", "--color=never"]
        if recorded and arguments[0] in ("up", "preview", "refresh", "destroy"):
            options += ["--event-log", log.name]
        began = time.monotonic()
        status, text = _run(["pulumi", *arguments, *options], project, {**variables, "PULUMI_DEBUG_COMMANDS": "true"})
        seconds = time.monotonic() - began
        events = [json.loads(line) for line in log]
    return Result(
        command=" ".join(["pulumi", *arguments]),
        status=status,
        text=text,
        seconds=seconds,
        began=dict(_steps(events, "resourcePreEvent")),
        ended=dict(_steps(events, "resOutputsEvent")),
    )


def _run(command: list[str], directory: Path, variables: Mapping[str, str]) -> tuple[int, str]:
    with subprocess.Popen(
        command,
        cwd=directory,
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that all of it can be stopped, and Ctrl-C reaches it by way of us
    ) as process:
        try:
            text, _ = process.communicate(timeout=LONGEST_SECONDS)
        except BaseException as error:
            text = _stop(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise AssertionError(f"'{' '.join(command)}' did not end in {LONGEST_SECONDS} s:\n{text}") from None
            raise
    return process.returncode, text


def _stop(process: subprocess.Popen[str]) -> str:
    os.killpg(process.pid, signal.SIGINT)
    try:
        return process.communicate(timeout=10)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]


def _steps(events: list[dict[str, dict[str, dict[str, str]]]], event: str) -> Iterator[tuple[str, int]]:
    for place, each in enumerate(events):
        step = each.get(event, {}).get("metadata")
        if step and step["op"] not in ("same", "read", "refresh"):
            kind, _, name = step["urn"].rpartition("::")
            kind = kind.rpartition("::")[2].rpartition("$")[2]
            yield f"{step['op']} {kind.rpartition(':')[2] if kind.startswith('kubernetes:') else kind}/{name}", place
