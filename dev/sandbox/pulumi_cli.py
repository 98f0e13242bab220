"""Chooses the Pulumi CLI of the sandbox: the machine's own, otherwise the official release, otherwise our own build.

The machine's own CLI has its language host and installs its provider plugin itself. The official release is downloaded with
Pulumi's own installer if its host is reachable; checking that takes at most a few seconds.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from dev.sandbox.progress import Progress
from dev.sandbox.toolchain import PROVIDER, PROVIDER_VERSION, PULUMI, PULUMI_VERSION

# The program enforces its rules in resource hooks. They exist since 3.182; since this version the CLI never ignores their
# errors.
OLDEST = (3, 238, 0)
HOST = "get.pulumi.com"
PROBE_SECONDS = 4
DOWNLOAD_SECONDS = 300

_PROBE = f"import socket; socket.create_connection(({HOST!r}, 443), {PROBE_SECONDS - 1})"
# With an explicit version: the default is that of the SDK, which may be older.
_INSTALL = """
import sys
from pulumi.automation import PulumiCommand
from semver import VersionInfo
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


def on_path() -> Path | None:
    """The machine's `pulumi` if it is new enough, otherwise None. Ignores one that a sandbox has put on PATH."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if not folder.endswith("/.sandbox/bin")]
    command = shutil.which("pulumi", path=os.pathsep.join(folders))
    if command is None:
        return None
    result = _run([command, "version"], seconds=30)
    version = tuple(int(number) for number in re.findall(r"\d+", result or "")[:3])
    return Path(command) if version >= OLDEST else None


def official(cache: Path, progress: Progress) -> dict[str, Path] | None:
    """The folders of the official CLI and plugin in `cache`, downloaded if they are missing; None if that fails."""
    root = cache / f"pulumi-official-{PULUMI_VERSION}-{PROVIDER_VERSION}"
    if not root.exists() and not _download(root, progress):
        return None
    return {PULUMI.name: root / "bin", PROVIDER.name: _plugin(root)}


def _plugin(root: Path) -> Path:
    return root / "home" / "plugins" / f"resource-kubernetes-v{PROVIDER_VERSION}"


def _download(root: Path, progress: Progress) -> bool:
    # In a child process, because a DNS lookup has no timeout.
    if _run([sys.executable, "-c", _PROBE], seconds=PROBE_SECONDS) is None:
        return False
    progress.say(f"Downloading Pulumi {PULUMI_VERSION} from {HOST}.")
    work = root.with_name(f"{root.name}.new")
    shutil.rmtree(work, ignore_errors=True)
    install = [sys.executable, "-c", _INSTALL, str(work), PULUMI_VERSION]
    plugin = [str(work / "bin" / "pulumi"), "plugin", "install", "resource", "kubernetes", PROVIDER_VERSION]
    home = {"PULUMI_HOME": str(work / "home"), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    if any(_run(command, seconds=DOWNLOAD_SECONDS, environment=home) is None for command in (install, plugin)):
        progress.say("The download failed; building Pulumi instead.")
        shutil.rmtree(work, ignore_errors=True)
        return False
    work.rename(root)
    return True


def _run(command: list[str], *, seconds: float, environment: dict[str, str] | None = None) -> str | None:
    """The stdout of `command`; None if it fails or takes longer than `seconds`."""
    try:
        result = subprocess.run(
            command,
            env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout
