"""What the contestants that are a Pulumi program have in common: a stack, and its config from release to release."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from dev.bench import cluster
from dev.bench.contestants.base import RELEASE, Command, Contestant, Move, other
from dev.bench.contestants.stack import Stack


class PulumiProgram(Contestant):
    """A program that a change of config and `pulumi up` move."""

    project: ClassVar[Path] = cluster.ROOT

    def __init__(self, number: int | None = None, tags: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(number, tags)
        self.stack = Stack(f"bench-{self.environment}", self.project, self.directory)
        self.images: dict[str, str | None] = {}

    @abstractmethod
    def config(self, live: str, images: dict[str, str | None]) -> dict[str, object]:
        """The config in which `live` serves users, and each color has its image tag, or None."""

    def install(self) -> None:
        self.images = {color: self.next_tag(color) for color in ("blue", "green")}
        self.stack.create()
        self._update()

    def prepare(self, kind: str) -> None:
        if kind == RELEASE:  # begins, as the cycle does, with a color that is not there
            self.images[self.idle] = None
            self._update()
            self.wait_until_gone(self.idle)
            self.images[self.idle] = self.next_tag(self.idle)

    def move(self, kind: str) -> Move:
        switched = self.stack.write(self.config(self.idle, self.images), self.directory / "switched.yaml")
        commands = [self._up(switched)]
        if kind == RELEASE:
            commands = [self._up(self.stack.write(self.config(self.live, self.images))), *commands]
        return self.to_idle(*commands)

    def plan(self) -> Command:
        switched = self.stack.write(self.config(self.idle, self.images), self.directory / "switched.yaml")
        return self.stack.command("preview", file=switched)

    def _up(self, file: Path) -> Command:
        return self.stack.command("up", "--yes", "--skip-preview", file=file)

    def _update(self) -> None:
        self.stack.write(self.config(self.live, self.images))
        self.stack.up()


def test_color(live: str, images: dict[str, str | None]) -> str | None:
    """The color that testers are on: the one that users are not on, when it is there."""
    return other(live) if images[other(live)] else None
