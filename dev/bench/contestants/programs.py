"""The contestants that are a Pulumi program: this project by `pulumi up` and by `bluegreen`, and a bare program.

Each has a stack with a state of its own, whose config file is written anew for each update.
"""

import os
import tempfile
from pathlib import Path
from typing import ClassVar

import yaml

from dev.bench import cluster
from dev.bench.cluster import Command
from dev.bench.contestants.base import RELEASE, ROLLBACK, ROLLBACK_LATER, Contestant


class PulumiUp(Contestant):
    """The program of this repository, by the CLI: a change of config and `pulumi up` move users."""

    name = "`pulumi up`"
    slug = "pulumi-up"
    project: ClassVar[Path] = cluster.ROOT

    def config(self, live: str, testers: str | None) -> dict[str, object]:
        """The config in which these colors serve, and each color has its tag of `images`; None removes a key."""
        names = {"activeColor": live, "testColor": testers, "namespace": self.namespace, "host": self.host}
        like_the_bare_program = {"replicas": 2, "drainSeconds": 1, "strategy": "Recreate"}
        settings = {f"bluegreen:{key}": value for key, value in {**names, **like_the_bare_program}.items()}
        return settings | {f"{color}:imageTag": tag for color, tag in self.images.items()}

    def install(self) -> None:
        self.images: dict[str, str | None] = {color: self.next_tag(color) for color in ("blue", "green")}
        state = Path(tempfile.mkdtemp(dir=self.directory))
        self.variables = {"PULUMI_BACKEND_URL": f"file://{state}"}
        # `stack init` writes the config file beside a Pulumi.yaml; of that, the state needs the name only.
        name = yaml.safe_load((self.project / "Pulumi.yaml").read_text())["name"]
        (state / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
        init = ("pulumi", "stack", "init", self.namespace, "--no-select", "--non-interactive")
        Command(arguments=init, directory=state, variables=self.variables).run()
        self.file = state / f"Pulumi.{self.namespace}.yaml"
        self._salt = yaml.safe_load(self.file.read_text())
        self._up(self.live).run()

    def prepare(self, kind: str) -> None:
        if kind == RELEASE:  # the cycle begins with a color that is not there
            self.images[self.idle] = None
            self._up(self.live).run()
            self.kubectl("wait", "pods", f"--selector=color={self.idle}", "--for=delete", "--timeout=60s").run()
            self.images[self.idle] = self.next_tag(self.idle)

    def move(self, kind: str) -> list[Command]:
        return [*([self._up(self.live)] if kind == RELEASE else []), self._up(self.idle)]

    def _up(self, live: str) -> Command:
        file = self.file if live == self.live else self.file.with_name("switched.yaml")
        testers = next((color for color, tag in self.images.items() if color != live and tag), None)
        config = {key: value for key, value in self.config(live, testers).items() if value is not None}
        file.write_text(yaml.safe_dump(self._salt | {"config": config}))
        where = ("--stack", self.namespace, "--config-file", str(file), "--non-interactive", "--color", "never")
        arguments = ("pulumi", "up", "--yes", "--skip-preview", *where)
        return Command(arguments=arguments, directory=self.project, variables=self.variables)


class BluegreenCommand(PulumiUp):
    """The same program by the command, which verifies with real requests who is served. It writes the config file itself."""

    name = "`bluegreen`"
    slug = "bluegreen"

    def prepare(self, kind: str) -> None:
        if kind == RELEASE:
            self._command("decommission", self.idle).run()

    def move(self, kind: str) -> list[Command]:
        if kind in (ROLLBACK, ROLLBACK_LATER):
            return [self._command("rollback", "--now", self.idle)]
        activate = self._command("activate", self.idle)
        if kind == RELEASE:
            return [self._command("deploy", self.idle, "--image", self.next_tag(self.idle)), activate]
        return [activate]

    def _command(self, subcommand: str, *arguments: str) -> Command:
        where = ("--stack", self.namespace, "--config-file", str(self.file), "--url", os.environ["GATEWAY_URL"])
        program = str(cluster.ROOT / "bin" / "bluegreen")
        return Command(arguments=(program, subcommand, *arguments, *where), variables=self.variables)


class BarePulumi(PulumiUp):
    """`pulumi up` of `dev/bench/bare`: what one writes who wants two colors and no rules."""

    name = "bare Pulumi"
    slug = "bare"
    project = cluster.ROOT / "dev" / "bench" / "bare"

    def config(self, live: str, testers: str | None) -> dict[str, object]:
        names = {"activeColor": live, "testColor": testers, "namespace": self.namespace, "host": self.host}
        return {f"bare:{key}": value for key, value in {**names, **self.images}.items()}
