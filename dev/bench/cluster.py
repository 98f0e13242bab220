"""The sandbox as the benchmark uses it: its commands, and the namespaces and images that are the benchmark's own."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.sandbox import images, layout, namespaces
from dev.sandbox.processes import Processes

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".sandbox" / "bench"
LABEL = "bluegreen.example/bench"
LONGEST_SECONDS = 180
# Argo Rollouts keeps two old revisions: with eight tags, it has forgotten a tag before the tag comes again.
TAGS = {color: [f"bench-{color}-{number}" for number in range(8)] for color in ("blue", "green")}


class BenchError(Exception):
    """A measurement cannot go on; the message says what happened, why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command line, run in `directory` with `variables` beside those of the shell."""

    arguments: Sequence[str]
    directory: Path = ROOT
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, stdin: str = "") -> str:
        """Returns the output. Raises BenchError with it if the command fails or takes longer than `LONGEST_SECONDS`."""
        arguments, env, out = ["timeout", str(LONGEST_SECONDS), *self.arguments], os.environ | self.variables, subprocess.PIPE
        ran = subprocess.run(
            arguments, input=stdin, cwd=self.directory, env=env, stdout=out, stderr=subprocess.STDOUT, text=True, check=False
        )
        if ran.returncode:
            raise BenchError(f"'{' '.join(arguments)}' failed with status {ran.returncode}:\n{ran.stdout}".strip())
        return ran.stdout


def kubectl(*arguments: str, stdin: str = "") -> str:
    """The output of kubectl; see `Command.run`."""
    return Command(arguments=("kubectl", *arguments)).run(stdin)


def apply(objects: Sequence[dict[str, Any]]) -> None:
    """Applies the objects on the server's side: a definition of Argo Rollouts is too large for an annotation."""
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", stdin=listed)


def clean() -> None:
    """Removes every object that a run, or a killed run, has made in the cluster."""
    for kind in ("namespaces", "customresourcedefinitions"):
        kubectl("delete", kind, f"--selector={LABEL}=true", "--ignore-not-found", "--timeout=120s")


def clean_directory() -> None:
    """Empties the directory for the states, config files and logs of one run."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)


def load_images() -> None:
    """Loads the sample application under every tag, with `COLOR` in the image: not every contestant's pods have a color.

    Raises BenchError unless this checkout's own sandbox is up.
    """
    here = layout.current()
    if here.home not in namespaces.reapers():
        raise BenchError("The benchmark needs images of its own, so it runs on this checkout's own sandbox only: `make bench`.")
    made = [images.app_image(here.bin / "app", tag, {"COLOR": color}) for color, tags in TAGS.items() for tag in tags]
    images.load(made, Processes(here, namespaces.reapers()[here.home]), here.bin / "ctr")
