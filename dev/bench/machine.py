"""What a run was measured on, and with which versions: a figure without them says nothing."""

import os
import platform
from importlib.metadata import version
from pathlib import Path

from dev.bench.cluster import run
from dev.bench.peers import ARGO_VERSION, FLAGGER_VERSION
from dev.sandbox.mesh import ISTIO_VERSION
from dev.sandbox.toolchain import KUBERNETES_VERSION


def machine() -> dict[str, object]:
    """Processor, memory and kernel."""
    cpu = _first("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    memory = int((_first("/proc/meminfo", "MemTotal") or "0").split()[0])
    return {
        "processor": cpu,
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 1024**2, 1),
        "system": _first("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        "kernel": platform.release(),
    }


def processor_time() -> tuple[int, int]:
    """Ticks of all cores since the machine began: all of them, and those that the host gave to others meanwhile."""
    ticks = [int(value) for value in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    return sum(ticks), ticks[7]


def stolen_percent(since: tuple[int, int]) -> float:
    """How much of the time `since` a reading of `processor_time` the host gave to others: figures of a busy host differ."""
    every, stolen = (now - then for now, then in zip(processor_time(), since, strict=True))
    return round(100 * stolen / every, 1) if every else 0.0


def versions() -> dict[str, str]:
    """What took part, and the commit of this project, with a plus sign when the program has changed since."""
    programs = (
        "__main__.py",
        "Pulumi.yaml",
        "automation",
        "components",
        "gate",
        "release",
        "bench/contestants",
        "bench/bare",
        "bench/nothing",
    )
    changed = run("git", "status", "--porcelain", "--", *programs)
    return {
        "this project": run("git", "rev-parse", "--short", "HEAD").strip() + ("+" if changed else ""),
        "Pulumi": run("pulumi", "version").strip().lstrip("v"),
        "pulumi_kubernetes": version("pulumi-kubernetes"),
        "Python": platform.python_version(),
        "Kubernetes": KUBERNETES_VERSION,
        "Istio": ISTIO_VERSION,
        "Argo Rollouts": ARGO_VERSION,
        "Flagger": FLAGGER_VERSION,
    }


def _first(file: str, key: str, separator: str = ":") -> str:
    for line in Path(file).read_text().splitlines() if Path(file).exists() else ():
        name, _, value = line.partition(separator)
        if name.strip() == key:
            return value.strip()
    return ""
