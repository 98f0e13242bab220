"""Starts and removes the sandbox, from any state.

Order of the start: etcd and containerd first; images are loaded while the control plane starts, and the node joins while the
mesh's CRDs are applied. So nothing waits for something that it does not need.
"""

import concurrent.futures
import json
import shutil
import subprocess
import time
from pathlib import Path

from dev.sandbox import certificates, control_plane, external, images, installation, machine, mesh, namespaces, node, toolchain
from dev.sandbox.errors import SandboxError
from dev.sandbox.layout import NODE_NAME, Layout
from dev.sandbox.processes import Processes, Service, is_healthy

# Started after the CRDs of the mesh exist: istiod looks for missing CRDs with a growing back-off.
AFTER_MESH_CRDS = ("istiod", "envoy")


def services(layout: Layout, reaper: int) -> list[Service]:
    """All processes of the sandbox, in start order."""
    return [
        control_plane.etcd(layout),
        node.containerd(layout, reaper),
        control_plane.api_server(layout),
        control_plane.controller_manager(layout),
        control_plane.scheduler(layout),
        node.kubelet(layout),
        node.proxy(layout),
        mesh.istiod(layout),
        mesh.envoy(layout),
    ]


def is_up(layout: Layout) -> bool:
    """Whether every process of the sandbox runs and is healthy."""
    reaper = namespaces.reapers().get(layout.home)
    if reaper is None or not layout.environment_file.exists():
        return False
    processes = Processes(layout, reaper)
    expected = services(layout, reaper)
    with concurrent.futures.ThreadPoolExecutor(len(expected)) as pool:
        return all(pool.map(lambda service: processes.is_alive(service) and is_healthy(service), expected))


def start(layout: Layout, folders: dict[str, Path]) -> list[str]:
    """Starts the processes of the sandbox that do not run, with the tools in `folders`; returns their names.

    Raises SandboxError with the end of its log if a process does not become healthy.
    """
    reaper = _enter(layout)
    _prepare(layout, folders)
    processes = Processes(layout, reaper)
    by_name = {service.name: service for service in services(layout, reaper)}
    started = [name for name in ("etcd", "containerd", "kube-apiserver") if processes.start(by_name[name])]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        processes.wait(by_name["containerd"])
        loading = pool.submit(_load_images, layout, processes)
        processes.wait(by_name["kube-apiserver"])
        started += [name for name in by_name if name not in AFTER_MESH_CRDS and processes.start(by_name[name])]
        _apply_mesh(layout, folders["istio"])
        started += [name for name in AFTER_MESH_CRDS if processes.start(by_name[name])]
        for service in by_name.values():
            processes.wait(service)
        loading.result()
    _wait_for_node(layout)
    return started


def _enter(layout: Layout) -> int:
    """The pid of this sandbox's first process. If it does not run, removes the remains of an earlier sandbox and starts it."""
    running = namespaces.reapers()
    if layout.home in running:
        return running[layout.home]
    remove(layout)
    for directory in (layout.home, layout.logs, layout.config, layout.state):
        directory.mkdir(exist_ok=True)
    machine.remember(layout.home)
    return namespaces.open_namespaces(layout.home)


def refuse_taken_machine(layout: Layout) -> None:
    """Raises SandboxError if the sandbox of another checkout is up on this machine, or it is a node of another cluster."""
    for home in namespaces.reapers():
        if home != layout.home:
            raise SandboxError(
                f"Another sandbox is up on this machine, in {home.parent}. Use it, or remove it first: "
                f"make -C {home.parent} sandbox-down"
            )
    machine.refuse_other_node()


def _prepare(layout: Layout, folders: dict[str, Path]) -> None:
    installation.install(layout, folders)
    node.create_bridge()
    certificates.create(layout)
    node.write_config(layout)
    mesh.write_config(layout)


def _load_images(layout: Layout, processes: Processes) -> None:
    pause = images.Image(repository="bluegreen.example/pause", tag="1", binary=layout.bin / "pause")
    app = layout.bin / "app"
    images.load([pause, *(images.app_image(app, tag) for tag in images.APP_TAGS)], processes, layout.bin / "ctr")


def refresh(layout: Layout, folders: dict[str, Path]) -> list[str]:
    """Updates a running sandbox to the tools in `folders`, as far as possible without restarting a process.

    Reloads a changed sample application and replaces tools that no process runs. Returns the tools whose processes still run
    another version.
    """
    outdated = set(installation.outdated(layout, folders))
    if needs_restart := outdated - {tool.name for tool in (toolchain.APP, *toolchain.BESIDE)}:
        return sorted(needs_restart)
    installation.install(layout, folders)
    if toolchain.APP.name in outdated:
        _load_images(layout, Processes(layout, namespaces.reapers()[layout.home]))
    return []


def _apply_mesh(layout: Layout, istio: Path) -> None:
    applied = layout.config / "mesh-applied"
    if applied.exists():
        return
    kubectl(layout, "apply", "--server-side", "--recursive", "--filename", str(istio / "crds"))
    kubectl(layout, "wait", "--for=condition=Established", "crd", "envoyfilters.networking.istio.io")
    listing = json.dumps({"apiVersion": "v1", "kind": "List", "items": mesh.manifests()})
    kubectl(layout, "apply", "--server-side", "--filename", "-", stdin=listing)
    applied.touch()


def _wait_for_node(layout: Layout) -> None:
    deadline = time.monotonic() + 60
    while kubectl(layout, "get", "nodes", "--no-headers").split()[:2] != [NODE_NAME, "Ready"]:
        if time.monotonic() > deadline:
            raise SandboxError(f"The node is not Ready after 60 s; see {layout.logs / 'kubelet.log'}.")
        time.sleep(0.2)


def kubectl(layout: Layout, *arguments: str, stdin: str | None = None) -> str:
    """Runs the sandbox's kubectl as admin; returns its stdout. Raises SandboxError with its stderr."""
    command = [str(layout.bin / "kubectl"), f"--kubeconfig={layout.kubeconfig}", *arguments]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SandboxError(f"'kubectl {' '.join(arguments)}' failed: {result.stderr.strip()[-1500:]}")
    return result.stdout


def remove(layout: Layout) -> bool:
    """Removes this checkout's sandbox, or the remains of one; returns whether there was anything to remove.

    Does not touch the sandbox of another checkout. Raises SandboxError if that would delete the only Pulumi state of resources
    in the user's own cluster.
    """
    if stacks := external.stacks_left(layout):
        raise SandboxError(
            f"The stacks {', '.join(stacks)} still have resources in your cluster, and {layout.state} has their only state. "
            "Remove the resources first (. .sandbox/env; pulumi destroy --stack <name>), or move that folder elsewhere."
        )
    running = namespaces.reapers()
    existed = layout.home in running or layout.home.exists()
    if layout.home in running:
        namespaces.close_namespaces(running.pop(layout.home))
    if machine.owner() not in running:
        existed = existed or machine.owner() is not None
        machine.restore()
    _remove_files(layout.home)
    return existed


def _remove_files(home: Path) -> None:
    """Deletes `home`. Raises SandboxError if something is mounted in it, which would be somebody else's data."""
    table = Path("/proc/self/mountinfo")
    mounts = [line.split()[4] for line in table.read_text().splitlines()] if table.exists() else []
    below = [mount for mount in mounts if Path(mount).is_relative_to(home)]
    if below:
        raise SandboxError(f"{', '.join(below)} is mounted in {home}, but not by the sandbox. Unmount it and try again.")
    if home.exists():
        shutil.rmtree(home)
