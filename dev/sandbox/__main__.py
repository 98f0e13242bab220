"""The command `python -m dev.sandbox`: up, down, status, build, image, notes."""

import argparse
import contextlib
import fcntl
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dev.sandbox
from dev.sandbox import (
    cluster,
    database,
    environment,
    external,
    go,
    images,
    installation,
    layout,
    namespaces,
    packages,
    pulumi_cli,
    toolchain,
)
from dev.sandbox.errors import SandboxError
from dev.sandbox.processes import Processes
from dev.sandbox.progress import Progress


def main() -> int:
    """Runs the subcommand on the command line; returns the exit status: 0, or 1 after a message on stderr."""
    arguments = _parser().parse_args()
    try:
        with _machine_lock():
            arguments.run(arguments)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"sandbox: {error}. The sandbox belongs to root: run the command as root.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sandbox: interrupted. Run the same command again to continue, or `make sandbox-down`.", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.sandbox", description=dev.sandbox.__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("up", _up, "start the sandbox: build tools that are not in the cache, start processes that do not run"),
        ("down", _down, "remove the sandbox and everything it has created on this machine"),
        ("build", _build, "build the tools only"),
        ("status", _status, "show whether the sandbox is up"),
        ("notes", _notes, "load the images of examples/notes and start a PostgreSQL for it; prints its address"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(run=run)
    text = "load the sample application under another tag; prints the image and its digest"
    image = commands.add_parser("image", help=text, description=text)
    image.add_argument("tag")
    image.add_argument("--env", action="append", default=[], metavar="KEY=VALUE", help="environment in the image")
    image.set_defaults(run=_image)
    return parser


@contextlib.contextmanager
def _machine_lock() -> Iterator[None]:
    """Waits for other sandbox commands on this machine, so that no two build or start the same thing."""
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
    began, progress, here = time.monotonic(), Progress(), layout.current()
    context = os.environ.get("CONTEXT")
    result = _connect(here, context, progress) if context else _start(here, progress)
    progress.say(f"{result}. That took {time.monotonic() - began:.1f} s. To use it in a shell: . {here.environment_file}")


def _refuse_unsupported_machine() -> None:
    if platform.system() != "Linux" or os.geteuid() != 0:
        raise SandboxError(
            "The sandbox runs only on Linux and as root. Use your own cluster (CONTEXT=<kubeconfig context>), or a Linux "
            "machine, virtual machine or container where you are root."
        )


def _connect(here: layout.Layout, context: str, progress: Progress) -> str:
    if here.home in namespaces.reapers():
        raise SandboxError("CONTEXT names your own cluster, but the sandbox of this checkout is up. First: make sandbox-down")
    folders = _tools(progress, with_cluster=False)
    installation.install(here, folders)
    external.connect(here, context, own_pulumi=toolchain.PULUMI.name in folders)
    return f"The cluster of the context {context} is ready to use"


def _start(here: layout.Layout, progress: Progress) -> str:
    _refuse_unsupported_machine()
    cluster.refuse_taken_machine(here)
    if installed := packages.install():
        progress.say(f"Installed the packages {', '.join(installed)}.")
    folders = _tools(progress, with_cluster=True)
    if cluster.is_up(here):
        if outdated := cluster.refresh(here, folders):
            progress.say(f"Pinned versions have changed ({', '.join(outdated)}). To use them: make sandbox-down sandbox")
        return "The sandbox is up and healthy"
    started = cluster.start(here, folders)
    environment.write(here, environment.sandbox_variables(here, own_pulumi=toolchain.PULUMI.name in folders))
    return f"The sandbox is up; started {', '.join(started)}" if started else "The sandbox is up"


def _tools(progress: Progress, *, with_cluster: bool) -> dict[str, Path]:
    """The folders of the needed tools that the machine does not have, by name; builds or downloads what is not cached."""
    cache = toolchain.cache_directory()
    needed = toolchain.CLUSTER if with_cluster else ()
    downloaded: dict[str, Path] = {}
    compiler = go.find(cache)
    if not pulumi_cli.on_path():
        is_built = all(toolchain.folder_of(tool, compiler, cache).exists() for tool in toolchain.PULUMI_TOOLS)
        downloaded = (None if is_built else pulumi_cli.official(cache, progress)) or {}
        needed = needed if downloaded else (*toolchain.PULUMI_TOOLS, *needed)
    return downloaded | toolchain.build((*needed, *toolchain.BESIDE), compiler, cache, progress)


def _down(_: argparse.Namespace) -> None:
    removed = cluster.remove(layout.current())
    print("The sandbox is removed." if removed else "There is no sandbox here.", file=sys.stderr)


def _build(_: argparse.Namespace) -> None:
    _tools(Progress(), with_cluster=not os.environ.get("CONTEXT"))


def _status(_: argparse.Namespace) -> None:
    if not cluster.is_up(layout.current()):
        raise SandboxError("The sandbox is not up, or one of its processes is not healthy. Start it with: make sandbox")
    print("The sandbox is up and healthy.")


def _running(here: layout.Layout) -> Processes:
    reaper = namespaces.reapers().get(here.home)
    if reaper is None:
        raise SandboxError("The sandbox is not up. Start it with: make sandbox")
    return Processes(here, reaper)


def _image(arguments: argparse.Namespace) -> None:
    here = layout.current()
    processes = _running(here)
    if invalid := [item for item in arguments.env if "=" not in item]:
        raise SandboxError(f"--env {invalid[0]} does not have the form KEY=VALUE.")
    image = images.app_image(here.bin / "app", arguments.tag, dict(item.split("=", 1) for item in arguments.env))
    digests = images.load([image], processes, here.bin / "ctr")
    print(f"{image.reference} {digests[image.reference]}")


def _notes(_: argparse.Namespace) -> None:
    here, progress = layout.current(), Progress()
    processes, cache = _running(here), toolchain.cache_directory()
    if database.install():
        progress.say("Installed the package postgresql, without a database cluster of its own.")
    built = toolchain.build((toolchain.NOTES,), go.find(cache), cache, progress)
    images.load(images.notes_images(built[toolchain.NOTES.name] / "notes"), processes, here.bin / "ctr")
    database.start(here, processes)
    print(f"DB_HOST={layout.NODE_ADDRESS}\nDB_PORT={layout.DATABASE_PORT}\nDB_USER={database.USER}")
    print(f"DB_PASSWORD_FILE={database.password_file(here)}")


if __name__ == "__main__":
    sys.exit(main())
