"""Installs commands of the distribution that the sandbox needs and does not build."""

import os
import shutil
import subprocess

from dev.sandbox.errors import SandboxError

# The Debian packages by command. runc comes from the distribution: built without libseccomp (a C library) it rejects the
# default seccomp profile.
PACKAGES = {
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}
SEARCH_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"))


def missing() -> list[str]:
    """The Debian packages whose commands are missing on this machine."""
    return sorted({package for command, package in PACKAGES.items() if not shutil.which(command, path=SEARCH_PATH)})


def install() -> list[str]:
    """Installs missing packages; returns their names. Raises SandboxError with their names if that fails."""
    packages = missing()
    if packages:
        install_by_name(packages)
    return packages


def install_by_name(packages: list[str]) -> None:
    """Installs `packages` with apt. Raises SandboxError with their names if that fails."""
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise SandboxError(f"Commands of these packages are missing (Debian names): {names}. Install them.")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120"]
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        result = subprocess.run([*apt, *command], env=environment, capture_output=True, text=True, check=False)
    # The result of `apt-get update` does not matter: it may fail for a source that has none of these packages.
    if result.returncode != 0:
        end = "\n".join(result.stderr.strip().splitlines()[-3:])
        raise SandboxError(f"apt-get could not install {names}:\n{end}\nInstall them by hand, then run the command again.")
