"""What the sandbox needs of the distribution: commands that are not built here."""

import os
import shutil
import subprocess

from dev.sandbox.errors import SandboxError

# The Debian package of each command. runc is the distribution's because a build of it without libseccomp (a C library)
# refuses the default seccomp profile.
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
    """The Debian packages whose commands this machine lacks."""
    return sorted({package for command, package in PACKAGES.items() if not shutil.which(command, path=SEARCH_PATH)})


def install() -> list[str]:
    """Install what is missing; returns the packages. Raises SandboxError, naming them, where it cannot."""
    packages = missing()
    if packages:
        install_by_name(packages)
    return packages


def install_by_name(packages: list[str]) -> None:
    """Install `packages` with apt. Raises SandboxError, naming them, where it cannot."""
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise SandboxError(f"This machine lacks commands of the packages {names} (their Debian names). Install them.")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120"]
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        result = subprocess.run([*apt, *command], env=environment, capture_output=True, text=True, check=False)
    # Only the installation's result counts: an update may fail for a source that has none of these packages.
    if result.returncode != 0:
        end = "\n".join(result.stderr.strip().splitlines()[-3:])
        raise SandboxError(f"apt-get could not install {names}:\n{end}\nInstall them by hand and run the command again.")
