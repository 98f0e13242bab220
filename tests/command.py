"""Operates an environment by the command `bluegreen` alone, as a person or a pipeline does."""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import work
from tests.stack import SandboxEnvironment

LONGEST_SECONDS = 300


@dataclass(frozen=True)
class Ran:
    """What one command came to."""

    command: str
    status: int
    out: str
    err: str
    seconds: float

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    def __str__(self) -> str:
        return f"$ {self.command}\n{self.out}\n{self.err}\nexit status {self.status} after {self.seconds:.1f} s"


class Operator:
    """A person, or a pipeline, who has the command and nothing else."""

    def __init__(self, environment: SandboxEnvironment, config_file: Path | None = None) -> None:
        self.environment = environment
        self.config_file = config_file or environment.config_file
        where = ["--stack", environment.name, "--config-file", str(self.config_file)]
        self._options = [*where, "--url", environment.cluster.gateway_url]
        self.variables = {**environment.cluster.variables, "PULUMI_BACKEND_URL": f"file://{environment.state}"}

    def command(self, verb: str, *arguments: str, behind: Sequence[str] = ()) -> list[str]:
        return [
            str(self.environment.project / "bin" / "bluegreen"),
            verb,
            *self._options,
            *arguments,
            *(["--", *behind] if behind else []),
        ]

    def config(self) -> str:
        return self.config_file.read_text()

    def elsewhere(self, directory: Path) -> "Operator":
        """The same operator with another checkout, and so with a config file of its own."""
        copy = directory / f"Pulumi.elsewhere-{time.monotonic_ns()}.yaml"
        copy.write_text(self.config())
        return Operator(self.environment, copy)

    def start(self, verb: str, *arguments: str, behind: Sequence[str] = (), **variables: str) -> "subprocess.Popen[str]":
        work.done["bluegreen commands"] += 1
        return subprocess.Popen(
            self.command(verb, *arguments, behind=behind),
            cwd="/",
            env={**self.variables, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, verb: str, *arguments: str, status: int = 0, behind: Sequence[str] = (), **variables: str) -> Ran:
        began = time.monotonic()
        process = self.start(verb, *arguments, behind=behind, **variables)
        out, err = process.communicate(timeout=LONGEST_SECONDS)
        ran = Ran(" ".join([verb, *arguments]), process.returncode, out, err, time.monotonic() - began)
        assert ran.status == status, str(ran)
        return ran
