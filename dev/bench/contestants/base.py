"""What the benchmark asks of a contestant, whoever it is.

A contestant has a namespace, a host name at the gateway and a live color. A *move* takes the users from one color to the
other by commands that a person would type; whatever has to be there before is prepared beforehand, and not measured.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from dev.bench import cluster
from dev.bench.controllers import Controller
from dev.sandbox.toolchain import Tool

SWITCH, RELEASE, PLAN = "switch", "release", "plan"
ROLLBACK, ROLLBACK_LATER, PLAIN_ROLLBACK = "rollback", "rollback later", "plain rollback"


def other(color: str) -> str:
    """The color that `color` is not."""
    return {"blue": "green", "green": "blue"}[color]


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command line; `statuses` are the exit statuses of success."""

    arguments: tuple[str, ...]
    directory: Path = cluster.ROOT
    variables: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (0,)

    def __str__(self) -> str:
        return " ".join(self.arguments)


@dataclass(frozen=True, kw_only=True)
class Move:
    """The commands that move users from `old` to `new`, to be run one after the other."""

    commands: tuple[Command, ...]
    old: str
    new: str


class Contestant(ABC):
    """One way to release. `moves` says which kinds of move it has."""

    name: ClassVar[str]
    slug: ClassVar[str]
    is_ours: ClassVar[bool] = False
    moves: ClassVar[tuple[str, ...]] = (SWITCH, ROLLBACK, ROLLBACK_LATER, RELEASE)
    tool: ClassVar[Tool | None] = None
    """What its controller is built from, when it needs one."""

    def __init__(self, number: int | None = None, tags: Mapping[str, Sequence[str]] | None = None) -> None:
        """`number` tells environments of one contestant apart, when it has several; `tags` are the images of each color."""
        self.number = number or 0
        self.environment = self.slug if number is None else f"{self.slug}-{number}"
        self.namespace = f"bench-{self.environment}"
        self.host = f"{self.environment}.bench.example"
        self.directory = cluster.HOME / self.environment
        self.live = "blue"
        self._tags = {color: itertools.cycle(tags[color] if tags else cluster.tags(color)) for color in ("blue", "green")}

    @property
    def idle(self) -> str:
        """The color that users are not on."""
        return other(self.live)

    def next_tag(self, color: str) -> str:
        """A tag that has not been used for long."""
        return next(self._tags[color])

    def reset(self) -> None:
        """Makes the environment anew: blue serves."""
        cluster.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=120s")
        self.directory.mkdir(parents=True, exist_ok=True)
        cluster.create_namespace(self.namespace)
        self.live = "blue"
        self.install()

    @abstractmethod
    def install(self) -> None:
        """Makes everything in the empty namespace; returns when blue is ready to serve."""

    @abstractmethod
    def prepare(self, kind: str) -> None:
        """Makes everything ready for a move of this kind; returns when it is."""

    @abstractmethod
    def move(self, kind: str) -> Move:
        """The move from the live color to the idle one."""

    @abstractmethod
    def plan(self) -> Command | None:
        """The command that shows what the next switch would change, without changing it."""

    def to_idle(self, *commands: Command) -> Move:
        """The move to the idle color by these commands."""
        return Move(commands=commands, old=self.live, new=self.idle)

    def in_namespace(self, *arguments: str, statuses: tuple[int, ...] = (0,)) -> Command:
        """A command of kubectl."""
        return Command(arguments=("kubectl", "--namespace", self.namespace, *arguments), statuses=statuses)

    def wait_until_gone(self, color: str) -> None:
        """Waits until no pod of `color` is left."""
        self.kubectl("wait", "pods", f"--selector=color={color}", "--for=delete", "--timeout=60s")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin)

    @classmethod
    def install_controller(cls, folder: Path) -> None:
        """Installs what the controller needs in the cluster, from the folder that its tool was built into."""
        raise NotImplementedError(f"{cls.name} has no controller")

    @classmethod
    def start_controller(cls, folder: Path) -> Controller:
        """Starts the controller."""
        raise NotImplementedError(f"{cls.name} has no controller")
