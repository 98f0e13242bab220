"""Records and reverts the sandbox's changes to the machine outside of its own directory.

The record is in /run: a reboot removes it together with the changes. Only recorded changes are reverted, so that rules and
devices of another Kubernetes node on this machine are never touched.
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from dev.sandbox.errors import SandboxError
from dev.sandbox.files import write
from dev.sandbox.layout import BRIDGE, HIDDEN_PATHS

RECORD = Path("/run/pulumi-blue-green.json")

# The kernel settings that the kubelet, kube-proxy and the CNI plugins write.
SETTINGS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/bridge/bridge-nf-call-ip6tables",
    "net/bridge/bridge-nf-call-iptables",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)
CGROUPS = Path("/sys/fs/cgroup")
CHAIN_PREFIX = "KUBE-"


def owner() -> Path | None:
    """The directory of the sandbox for which this machine was changed; None if it is not changed."""
    with contextlib.suppress(OSError, ValueError):
        return Path(json.loads(RECORD.read_text())["home"])
    return None


def remember(home: Path) -> None:
    """Records that the machine will be changed for the sandbox in `home`, with its current kernel settings."""
    settings = {}
    for name in SETTINGS:
        with contextlib.suppress(OSError):
            settings[name] = (Path("/proc/sys") / name).read_text().strip()
    absent = [str(path) for path in HIDDEN_PATHS if not path.exists()]
    write(RECORD, json.dumps({"home": str(home), "settings": settings, "absent": absent}))


def refuse_other_node() -> None:
    """Raises SandboxError if this machine is a node of another cluster."""
    if owner() is None and (_pod_cgroups() or _chains("iptables-save", "nat")):
        raise SandboxError(
            "This machine already is a Kubernetes node: it has iptables chains or control groups of another kubelet or "
            "kube-proxy, which the sandbox would overwrite. Use that cluster (CONTEXT=...) or another machine."
        )


def restore() -> None:
    """Reverts the recorded changes; does nothing without a record. Call it after the sandbox's processes have ended."""
    if not RECORD.exists():
        return
    record = json.loads(RECORD.read_text())
    _remove_devices()
    for family in ("iptables", "ip6tables"):
        _remove_chains(family)
    for name, value in record["settings"].items():
        with contextlib.suppress(OSError):
            (Path("/proc/sys") / name).write_text(value)
    for path in record["absent"]:
        with contextlib.suppress(OSError):
            Path(path).rmdir()
    _remove_cgroups()
    RECORD.unlink()


def _remove_devices() -> None:
    """Removes the bridge and the pods' devices on it; the kernel removes them too, but later."""
    ports = Path(f"/sys/class/net/{BRIDGE}/brif")
    for device in [*(port.name for port in ports.glob("*")), BRIDGE]:
        subprocess.run(["ip", "link", "delete", device], capture_output=True, check=False)


def _chains(save: str, table: str) -> set[str]:
    """The names of Kubernetes' chains in an iptables `table`, listed by the command `save`."""
    if not shutil.which(save):
        return set()
    listing = subprocess.run([save, "-t", table], capture_output=True, text=True, check=False).stdout
    names = (line[1:].split()[0] for line in listing.splitlines() if line.startswith(":"))
    return {name for name in names if name.startswith(CHAIN_PREFIX)}


def _remove_chains(family: str) -> None:
    for table in ("nat", "filter", "mangle"):
        chains = _chains(f"{family}-save", table)
        if not chains:
            continue
        listing = subprocess.run([f"{family}-save", "-t", table], capture_output=True, text=True, check=True).stdout
        script = removal_script(table, listing)
        restore = [f"{family}-restore", "--noflush", "--wait", "10"]
        result = subprocess.run(restore, input=script, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SandboxError(
                f"{family} could not remove the sandbox's chains in table {table}: {result.stderr.strip()}. Try again."
            )


def removal_script(table: str, listing: str) -> str:
    """The input for `iptables-restore --noflush` that removes Kubernetes' chains and the rules that jump to them.

    `listing` is the output of iptables-save for `table`. All other rules and chains stay.
    """
    lines = listing.splitlines()
    chains = [line[1:].split()[0] for line in lines if line.startswith(f":{CHAIN_PREFIX}")]
    jumps = [
        line
        for line in lines
        if line.startswith("-A ") and not line.startswith(f"-A {CHAIN_PREFIX}") and f" -j {CHAIN_PREFIX}" in line
    ]
    script = [f"*{table}", *(f":{chain} - [0:0]" for chain in chains)]
    script += [f"-D {jump.removeprefix('-A ')}" for jump in jumps]
    script += [f"-X {chain}" for chain in chains]
    return "\n".join([*script, "COMMIT", ""])


def _pod_cgroups() -> set[Path]:
    """The parent control groups of all pods: one with cgroup v2, one per controller with cgroup v1."""
    names = ("kubepods", "*/kubepods", "kubepods.slice", "*/kubepods.slice")
    return {path.resolve() for name in names for path in CGROUPS.glob(name)}


def _remove_cgroups() -> None:
    roots = _pod_cgroups()
    deadline = time.monotonic() + 5
    while roots and time.monotonic() < deadline:
        for root in roots:
            for directory, _, _ in os.walk(root, topdown=False):
                # A group stays busy for a moment after its last process was killed.
                with contextlib.suppress(OSError):
                    Path(directory).rmdir()
        roots = {root for root in roots if root.exists()}
