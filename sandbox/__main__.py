"""The command `python -m sandbox`: up, down, status, build, image."""

import argparse
import contextlib
import fcntl
import os
import platform
import sys
import time
from collections.abc import Iterator

from sandbox import cluster, environment, go, images, layout, namespaces, packages, toolchain
from sandbox.errors import SandboxError
from sandbox.processes import Processes
from sandbox.progress import Progress


def main() -> int:
    """Run the command of the command line; returns its exit status: 0, or 1 with one message."""
    arguments = _parser().parse_args()
    try:
        with _alone():
            arguments.run(arguments)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sandbox: interrupted; run the same command again to go on, or `make sandbox-down`.", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=sys.modules["sandbox"].__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("up", _up, "start the sandbox, building its tools first if the cache lacks them; start again what has died"),
        ("down", _down, "remove the sandbox with everything it made on this machine"),
        ("build", _build, "build the tools only"),
        ("status", _status, "say whether the sandbox is up"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(run=run)
    image = commands.add_parser("image", help="load the sample application under one more tag")
    image.add_argument("tag")
    image.add_argument("--env", action="append", default=[], metavar="KEY=VALUE", help="environment of the image")
    image.set_defaults(run=_image)
    return parser


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Wait for other commands of ours on this machine: two that build or start the same thing would do it twice."""
    cache = toolchain.cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another sandbox command on this machine to end.", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _up(_: argparse.Namespace) -> None:
    began = time.monotonic()
    here = layout.current()
    _refuse_unable_machine()
    cluster.refuse_another(here, namespaces.reapers())
    progress = Progress()
    folders = _tools(progress)
    if installed := packages.install():
        progress.say(f"Installed {', '.join(installed)}.")
    if cluster.is_up(here):
        progress.say(f"The sandbox is up and healthy ({time.monotonic() - began:.1f} s). Use it: . .sandbox/env")
        return
    started = cluster.start(here, folders)
    environment.write(here, environment.sandbox_variables(here, own_pulumi=True))
    progress.say(f"Started {', '.join(started)} in {time.monotonic() - began:.1f} s. Use it: . .sandbox/env")


def _refuse_unable_machine() -> None:
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise SandboxError(
            "The sandbox runs on Linux as root only: give a cluster of yours instead (CONTEXT=<kubeconfig context>), or use "
            "a Linux machine, virtual machine or container where you are root."
        )


def _tools(progress: Progress) -> dict[str, "toolchain.Path"]:
    cache = toolchain.cache_directory()
    return toolchain.build(toolchain.ALL, go.find(cache), cache, progress)


def _down(_: argparse.Namespace) -> None:
    removed = cluster.remove(layout.current())
    print("The sandbox is removed." if removed else "There is no sandbox here.", file=sys.stderr)


def _build(_: argparse.Namespace) -> None:
    _tools(Progress())


def _status(_: argparse.Namespace) -> None:
    if not cluster.is_up(layout.current()):
        raise SandboxError("The sandbox is not up, or not all of it answers. Start it (again) with `make sandbox`.")
    print("The sandbox is up and healthy.")


def _image(arguments: argparse.Namespace) -> None:
    here = layout.current()
    reaper = namespaces.reapers().get(here.home)
    if reaper is None:
        raise SandboxError("The sandbox is not up: start it first (make sandbox).")
    values = dict(item.split("=", 1) for item in arguments.env)
    image = images.app_image(here.bin / "app", arguments.tag, values)
    digests = images.load([image], Processes(here, reaper), here.bin / "ctr", layout.CONTAINERD_SOCKET)
    print(f"{image.reference} {digests[image.reference]}")


if __name__ == "__main__":
    sys.exit(main())
