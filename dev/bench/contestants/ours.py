"""This project, both ways: plain `pulumi up`, and the command `bluegreen`."""

import os

import yaml

from dev.bench import cluster
from dev.bench.contestants.base import PLAIN_ROLLBACK, RELEASE, ROLLBACK, ROLLBACK_LATER, SWITCH, Command, Move
from dev.bench.contestants.pulumi_program import PulumiProgram, test_color


class PulumiUp(PulumiProgram):
    """The program of this repository, by the CLI."""

    name = "`pulumi up`"
    slug = "pulumi-up"
    is_ours = True

    def config(self, live: str, images: dict[str, str | None]) -> dict[str, object]:
        settings: dict[str, object] = {
            "activeColor": live,
            "testColor": test_color(live, images),
            "namespace": self.namespace,
            "host": self.host,
            "replicas": 2,
            "drainSeconds": 1,
            "strategy": "Recreate",  # as the bare program has it
        }
        config = {f"bluegreen:{key}": value for key, value in settings.items()}
        return config | {f"{color}:imageTag": tag for color, tag in images.items()}


class BluegreenCommand(PulumiUp):
    """The same program by the command, which verifies with real requests who is served. It writes the config file itself."""

    name = "`bluegreen`"
    slug = "bluegreen"
    moves = (SWITCH, ROLLBACK, ROLLBACK_LATER, PLAIN_ROLLBACK, RELEASE)

    def prepare(self, kind: str) -> None:
        if kind == RELEASE:
            told = self._command("decommission", self.idle)
            cluster.run(*told.arguments, variables=told.variables)

    def move(self, kind: str) -> Move:
        if kind in (ROLLBACK, ROLLBACK_LATER):
            return self.to_idle(self._command("rollback", "--now", self.idle))
        if kind == PLAIN_ROLLBACK:
            return self.to_idle(self._command("rollback"))
        commands = [self._command("activate", self.idle)]
        if kind == RELEASE:
            self.images[self.idle] = self.next_tag(self.idle)
            commands = [self._command("deploy", self.idle, "--image", str(self.images[self.idle])), *commands]
        return self.to_idle(*commands)

    def plan(self) -> Command:
        config = yaml.safe_load(self.stack.file.read_text())["config"]
        config |= {"bluegreen:activeColor": self.idle, "bluegreen:testColor": self.live}
        return self._command("plan", file=str(self.stack.write(config, self.directory / "switched.yaml")))

    def _command(self, verb: str, *arguments: str, file: str = "") -> Command:
        where = ("--stack", self.stack.name, "--config-file", file or str(self.stack.file), "--url", os.environ["GATEWAY_URL"])
        program = str(cluster.ROOT / "bin" / "bluegreen")
        return Command(arguments=(program, verb, *arguments, *where), variables=self.stack.variables)
