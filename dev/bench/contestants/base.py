"""What every contestant can do.

A contestant has a namespace, a host name at the gateway and a live color. A *move* takes the users from the live color to the
idle one by commands that a person would type; `prepare` makes ready beforehand, unmeasured, whatever has to be there.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import ClassVar

from dev.bench import cluster
from dev.bench.cluster import Command
from dev.sandbox.toolchain import Tool

SWITCH, RELEASE, ROLLBACK, ROLLBACK_LATER = "switch", "release", "rollback", "rollback later"
MANIFESTS = Path(__file__).parents[1] / "manifests"


class Contestant(ABC):
    """One way to release. `moves` are the kinds of move that it has, `rounds` how often it is measured at most."""

    name: ClassVar[str]
    slug: ClassVar[str]
    moves: ClassVar[tuple[str, ...]] = (SWITCH, ROLLBACK, ROLLBACK_LATER, RELEASE)
    rounds: ClassVar[int] = 100
    tool: ClassVar[Tool | None] = None
    """Its controller, if it needs one: the first command of the tool, run with `arguments`."""
    arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tags: Mapping[str, Sequence[str]] = cluster.TAGS) -> None:
        """`tags` are the images of each color."""
        self.namespace = f"bench-{self.slug}"
        self.host = f"{self.slug}.bench.example"
        self.directory = cluster.HOME / self.slug
        self.live, self.idle = "blue", "green"
        self._tags = {color: itertools.cycle(tags[color]) for color in tags}

    def moved(self) -> None:
        """Notes that a move has ended."""
        self.live, self.idle = self.idle, self.live

    def next_tag(self, color: str) -> str:
        """The tag of the color that has not been used for longest."""
        return next(self._tags[color])

    def reset(self) -> None:
        """Makes the environment anew: blue serves."""
        cluster.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--timeout=120s")
        self.directory.mkdir(parents=True, exist_ok=True)
        labels = {cluster.LABEL: "true", "pod-security.kubernetes.io/enforce": "restricted"}  # as strict as the tests
        cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}}])
        self.live, self.idle = "blue", "green"
        self.install()

    @abstractmethod
    def install(self) -> None:
        """Makes everything in the empty namespace; returns when blue is ready to serve."""

    def prepare(self, kind: str) -> None:
        """Makes everything ready for a move of this kind; returns when it is."""
        del kind

    @abstractmethod
    def move(self, kind: str) -> list[Command]:
        """The commands of a move from the live color to the idle one."""

    def kubectl(self, *arguments: str) -> Command:
        """A command of kubectl in the namespace."""
        return Command(arguments=("kubectl", "--namespace", self.namespace, *arguments))

    def apply(self, name: str, **values: str) -> Command:
        """`kubectl apply` of a file of `manifests` with these values, which is written now."""
        file = self.directory / f"{name}.yaml"
        text = Template((MANIFESTS / file.name).read_text())
        file.write_text(text.substitute(values, host=self.host, namespace=self.namespace))
        return self.kubectl("apply", f"--filename={file}")

    def wait(self, resource: str, phase: str) -> Command:
        """Waits until the resource, such as rollout/myapp, is in the phase."""
        return self.kubectl("wait", resource, f"--for=jsonpath={{.status.phase}}={phase}", "--timeout=170s")
