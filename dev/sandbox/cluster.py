"""Bringing the sandbox up and taking it down, whatever state either finds.

Up is done in an order in which nothing waits for what it does not need: the store and the container runtime first;
images are loaded while the control plane starts, and the node joins while the mesh's resource types are applied.
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
from dev.sandbox.processes import Processes, Service, answers

# These watch the mesh's resource types: started before they exist, they would look for them again ever more slowly.
ON_MESH_TYPES = ("istiod", "envoy")


def services(layout: Layout, reaper: int) -> list[Service]:
    """All processes of the sandbox, in the order in which they are needed."""
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
    """Whether the sandbox is complete and every process of it answers."""
    reaper = namespaces.reapers().get(layout.home)
    if reaper is None or not layout.environment_file.exists():
        return False
    processes = Processes(layout, reaper)
    wanted = services(layout, reaper)
    with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
        return all(pool.map(lambda service: processes.is_alive(service) and answers(service), wanted))


def start(layout: Layout, folders: dict[str, Path]) -> list[str]:
    """Start what is not running of the sandbox, with the tools in `folders`; returns the names of what was started.

    Raises SandboxError when a part does not come up, with the end of its log.
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
        started += [name for name in by_name if name not in ON_MESH_TYPES and processes.start(by_name[name])]
        _apply_mesh(layout, folders["istio"])
        started += [name for name in ON_MESH_TYPES if processes.start(by_name[name])]
        for service in by_name.values():
            processes.wait(service)
        loading.result()
    _wait_for_node(layout)
    return started


def _enter(layout: Layout) -> int:
    """The first process of this sandbox, started if need be on a machine cleaned of whatever a dead one left."""
    running = namespaces.reapers()
    if layout.home in running:
        return running[layout.home]
    remove(layout)
    for directory in (layout.home, layout.logs, layout.config, layout.state):
        directory.mkdir(exist_ok=True)
    machine.remember(layout.home)
    return namespaces.open_namespaces(layout.home)


def refuse_taken_machine(layout: Layout) -> None:
    """Raise SandboxError when another checkout's sandbox is up on this machine, or another cluster's node."""
    for home in namespaces.reapers():
        if home != layout.home:
            raise SandboxError(
                f"Another sandbox is up on this machine, in {home.parent}: use that one, or remove it first "
                f"(make -C {home.parent} sandbox-down)."
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
    """Bring a sandbox that is up to the tools in `folders`, as far as that goes without restarting it.

    A changed sample application is loaded again; what no process runs takes the old version's place.
    Returns the tools whose processes still run in another version.
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
    """Run the sandbox's kubectl as its admin; returns what it printed. Raises SandboxError with its complaint."""
    command = [str(layout.bin / "kubectl"), f"--kubeconfig={layout.kubeconfig}", *arguments]
    result = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SandboxError(f"'kubectl {' '.join(arguments)}' failed: {result.stderr.strip()[-1500:]}")
    return result.stdout


def remove(layout: Layout) -> bool:
    """Remove this checkout's sandbox, or what is left of one; returns whether there was anything.

    A sandbox that is up in another checkout is not touched. Raises SandboxError when it would lose the only state of
    resources in a cluster of the user's.
    """
    if stacks := external.stacks_left(layout):
        raise SandboxError(
            f"The stacks {', '.join(stacks)} still have resources in your cluster, and {layout.state} is the only "
            "state of them. Remove those first (. .sandbox/env; pulumi destroy --stack <name>), or move the state away."
        )
    running = namespaces.reapers()
    was_there = layout.home in running or layout.home.exists()
    if layout.home in running:
        namespaces.close_namespaces(running.pop(layout.home))
    if machine.owner() not in running:
        was_there = was_there or machine.owner() is not None
        machine.restore()
    _remove_files(layout.home)
    return was_there


def _remove_files(home: Path) -> None:
    """Delete `home`, unless something is mounted below it: that would be somebody else's data."""
    table = Path("/proc/self/mountinfo")
    mounts = [line.split()[4] for line in table.read_text().splitlines()] if table.exists() else []
    below = [mount for mount in mounts if Path(mount).is_relative_to(home)]
    if below:
        raise SandboxError(f"{', '.join(below)} is mounted inside {home}, but not by the sandbox. Unmount it and try again.")
    if home.exists():
        shutil.rmtree(home)
