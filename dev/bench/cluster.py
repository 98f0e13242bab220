"""The sandbox as the benchmark uses it: its commands, and the namespaces and images that are the benchmark's own.

Everything that a run makes is found again by its label, its place or its name, so the next run can clean up after one that
was killed. Nothing else is ever touched.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dev.sandbox import images, layout, namespaces
from dev.sandbox.processes import Processes

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".sandbox" / "bench"
LABEL = "bluegreen.example/bench"
LONGEST_SECONDS = 180

# Enough that whoever keeps old revisions (Argo Rollouts keeps two) has forgotten a tag before it comes again.
TAGS_OF_A_COLOR = 8
REPOSITORY = images.APP_REPOSITORY


class BenchError(Exception):
    """A measurement cannot go on; the message says what happened, why and what to do."""


def tags(color: str) -> list[str]:
    """The image tags that answer as `color`."""
    return [f"bench-{color}-{number}" for number in range(TAGS_OF_A_COLOR)]


def image(tag: str) -> str:
    return f"{REPOSITORY}:{tag}"


def refuse_unknown_clusters() -> None:
    """Raises BenchError unless the shell has sourced the file that `make sandbox` makes: it leads to no other cluster."""
    if os.environ.get("KUBECONFIG") != str(layout.current().kubeconfig):
        raise BenchError("This shell does not lead to the sandbox: use `make bench` or `make bench-quick`.")


def refuse_clusters_of_others() -> None:
    """Raises BenchError unless this checkout's own sandbox is up."""
    if layout.current().home not in namespaces.reapers():
        raise BenchError(
            "The benchmark installs controllers and images, so it runs on this checkout's own sandbox and nowhere else: "
            "use `make bench`, without CONTEXT."
        )


def run(*command: str, stdin: str | None = None, directory: Path = ROOT, variables: Mapping[str, str] | None = None) -> str:
    """What `command` prints. Raises BenchError with its complaint, also when it takes too long."""
    try:
        ran = subprocess.run(
            command,
            input=stdin,
            cwd=directory,
            env=os.environ | (variables or {}),
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"'{' '.join(command)}' did not end in {LONGEST_SECONDS} s: {error.output!r}") from None
    if ran.returncode:
        raise BenchError(f"'{' '.join(command)}' failed with status {ran.returncode}:\n{ran.stdout}{ran.stderr}".strip())
    return ran.stdout


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    return run("kubectl", *arguments, stdin=stdin)


def apply(objects: Sequence[dict[str, Any]], namespace: str = "") -> None:
    """Makes the objects what is given. From the server's side, because a definition of Argo's is too large for the other."""
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    where = [f"--namespace={namespace}"] if namespace else []
    kubectl("apply", "--server-side", "--force-conflicts", "--filename=-", *where, stdin=listed)


def create_namespace(name: str) -> None:
    """A namespace of the benchmark's, as strict about pods as those of the tests."""
    labels = {LABEL: "true", "pod-security.kubernetes.io/enforce": "restricted"}
    apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}])


def delete_namespaces() -> None:
    """Removes every namespace of the benchmark's, and waits until they are gone."""
    kubectl("delete", "namespace", f"--selector={LABEL}=true", "--ignore-not-found", "--timeout=120s")


def load_images() -> None:
    """Loads the sample application under every tag: `COLOR` is in the image, for contestants whose pods have no color."""
    here = layout.current()
    binary = here.bin / "app"
    made = [images.app_image(binary, tag, {"COLOR": color}) for color in ("blue", "green") for tag in tags(color)]
    images.load(made, Processes(here, namespaces.reapers()[here.home]), here.bin / "ctr")


def clean_directory() -> None:
    """An empty directory for the states, config files and logs of one run."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
