"""A Pulumi stack with a state of its own, whose config files are written anew for each update."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

from dev.bench import cluster
from dev.bench.contestants.base import Command


class Stack:
    """A stack called `name` of the project in `project`; state and config files are in `directory`."""

    def __init__(self, name: str, project: Path, directory: Path) -> None:
        self.name = name
        self._project = project
        self._directory = directory
        self.variables = {"PULUMI_BACKEND_URL": f"file://{directory / 'state'}"}
        self.file = directory / f"Pulumi.{name}.yaml"

    def create(self) -> None:
        """Makes the stack; one that has been there is forgotten."""
        state = self._directory / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        project = str(yaml.safe_load((self._project / "Pulumi.yaml").read_text())["name"])
        # `stack init` writes beside a Pulumi.yaml, and only its name matters to the state.
        (self._directory / "Pulumi.yaml").write_text(f"name: {project}\nruntime: python\n")
        self.file.unlink(missing_ok=True)
        command = ("pulumi", "stack", "init", self.name, "--no-select", "--non-interactive")
        cluster.run(*command, directory=self._directory, variables=self.variables)
        self._first = yaml.safe_load(self.file.read_text())

    def write(self, config: Mapping[str, object], file: Path | None = None) -> Path:
        """Writes `config`, without the keys whose value is None, as a config file of the stack; returns the file."""
        kept = {key: value for key, value in config.items() if value is not None}
        (file or self.file).write_text(yaml.safe_dump(self._first | {"config": kept}))
        return file or self.file

    def command(self, verb: str, *options: str, file: Path | None = None) -> Command:
        """`pulumi <verb>` as one types it, but for where the stack is."""
        where = ("--stack", self.name, "--config-file", str(file or self.file), "--non-interactive", "--color", "never")
        return Command(arguments=("pulumi", verb, *options, *where), directory=self._project, variables=self.variables)

    def up(self) -> None:
        """Runs `pulumi up`, not measured."""
        command = self.command("up", "--yes", "--skip-preview")
        cluster.run(*command.arguments, directory=command.directory, variables=command.variables)
