"""The node: the pods' bridge, and the configuration and command lines of containerd, the kubelet and kube-proxy."""

import json
import shutil
import socket
import subprocess
from pathlib import Path

from dev.sandbox import certificates
from dev.sandbox.errors import SandboxError
from dev.sandbox.files import write
from dev.sandbox.layout import (
    BRIDGE,
    CONTAINERD_SOCKET,
    KUBELET_HEALTH_PORT,
    KUBELET_PORT,
    LOOPBACK,
    NODE_ADDRESS,
    NODE_MAC,
    NODE_NAME,
    POD_NETWORK,
    PROXY_HEALTH_PORT,
    PROXY_METRICS_PORT,
    SERVICE_NETWORK,
    Layout,
)
from dev.sandbox.processes import Service, over_http

PAUSE_IMAGE = "bluegreen.example/pause:1"

CONTAINERD_CONFIG = """\
version = 3
root = "{home}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "{socket}"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "{snapshotter}"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "{config}/registries"

[plugins."io.containerd.cri.v1.runtime"]
  # Root without CAP_SYS_RESOURCE may not lower an OOM score; runc would fail with "can't get final child's PID".
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = "{runc}"
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{bin}"]
    conf_dir = "{config}/cni"
"""

# Images of this registry are loaded and never pulled, so a missing tag must fail at once instead of waiting for the network.
NO_REGISTRY = 'server = "http://127.0.0.1:1"\n'


def create_bridge() -> None:
    """Creates the bridge that pods are attached to and whose address is the node's, unless it exists."""
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        _refuse_used_networks()
        _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "replace", f"{NODE_ADDRESS}/{POD_NETWORK.rpartition('/')[2]}", "dev", BRIDGE)
    # Without a MAC address of its own, a bridge takes the lowest one of its ports. When that pod terminates, the other pods
    # send to a dead address until ARP is refreshed, seconds later, and responses of pods that terminate meanwhile are lost.
    _ip("link", "set", BRIDGE, "address", NODE_MAC, "up")


def _ip(*arguments: str) -> None:
    result = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SandboxError(f"'ip {' '.join(arguments)}' failed: {result.stderr.strip()}. The node needs a bridge device.")


def _refuse_used_networks() -> None:
    routes = json.loads(subprocess.run(["ip", "-json", "-4", "route"], capture_output=True, check=True).stdout or "[]")
    for network in (POD_NETWORK, SERVICE_NETWORK):
        prefix = network.rpartition(".")[0] + "."
        for route in routes:
            if route["dst"].startswith(prefix):
                raise SandboxError(
                    f"The network {network}, which the sandbox needs, is in use by {route['dev']} on this machine. "
                    "Remove that route, or change the networks in dev/sandbox/layout.py."
                )


def write_config(layout: Layout) -> None:
    """Writes the configuration of containerd, the CNI plugins, the kubelet and kube-proxy."""
    config = layout.config
    write(config / "registries" / "bluegreen.example" / "hosts.toml", NO_REGISTRY)
    write(config / "containerd.toml", _containerd_config(layout))
    write(config / "cni" / "10-bridge.conflist", json.dumps(_network_config(layout), indent=1))
    write(config / "kubelet.json", json.dumps(_kubelet_config(layout), indent=1))
    write(config / "kube-proxy.json", json.dumps(_proxy_config(layout), indent=1))
    # The cluster has no DNS. Loopback as the name server makes lookups in pods fail at once.
    write(config / "resolv.conf", f"nameserver {LOOPBACK}\noptions timeout:1 attempts:1\n")


def _containerd_config(layout: Layout) -> str:
    return CONTAINERD_CONFIG.format(
        home=layout.home,
        config=layout.config,
        bin=layout.bin,
        socket=CONTAINERD_SOCKET,
        snapshotter=_snapshotter(layout.home),
        pause=PAUSE_IMAGE,
        runc=shutil.which("runc", path="/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"),
    )


def _snapshotter(home: Path) -> str:
    """overlayfs, but native where `home` is on an overlayfs itself, such as a container's root: the kernel cannot stack it."""
    kind = subprocess.run(["stat", "--file-system", "--format=%T", str(home)], capture_output=True, text=True, check=True)
    return "native" if kind.stdout.strip() in {"overlayfs", "UNKNOWN (0x794c7630)"} else "overlayfs"


def _network_config(layout: Layout) -> dict[str, object]:
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.home / "cni"),
            "ranges": [[{"subnet": POD_NETWORK}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    # All clients of a pod are this machine, behind one address, so under load masquerading reuses a port long before the pod's
    # TIME_WAIT (60 s) is over. The pod would reject half of these connections, which delays the client by a second. With many
    # client machines that is rare. On one bridge no packet is late, so TIME_WAIT is not needed.
    tuning = {"type": "tuning", "sysctl": {"net.ipv4.tcp_max_tw_buckets": "0"}}
    return {"cniVersion": "1.0.0", "name": "sandbox", "plugins": [bridge, tuning]}


def _kubelet_config(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "port": KUBELET_PORT,
        "healthzBindAddress": LOOPBACK,
        "healthzPort": KUBELET_HEALTH_PORT,
        "tlsCertFile": str(layout.pki / "server.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "server.key"),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "podLogsDir": str(layout.logs / "pods"),
        "resolvConf": str(layout.config / "resolv.conf"),
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "makeIPTablesUtilChains": False,
        "oomScoreAdj": 0,
        "serializeImagePulls": False,
        # A full disk on the developer's machine must not evict pods or images.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
    }


def _proxy_config(layout: Layout) -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(certificates.client_kubeconfig(layout, "proxy"))},
        "mode": "iptables",
        "hostnameOverride": NODE_NAME,
        "bindAddress": NODE_ADDRESS,
        "healthzBindAddress": f"{LOOPBACK}:{PROXY_HEALTH_PORT}",
        "metricsBindAddress": f"{LOOPBACK}:{PROXY_METRICS_PORT}",
        "nodePortAddresses": [f"{LOOPBACK}/8", POD_NETWORK],
        # Between two pods on one bridge, responses through a Service must come back through the node.
        "iptables": {"masqueradeAll": True, "minSyncPeriod": "10ms"},
        "oomScoreAdj": 0,
        # Do not change the machine's connection tracking limits.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def containerd(layout: Layout, reaper: int) -> Service:
    def is_listening() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"/proc/{reaper}/root{CONTAINERD_SOCKET}")
        return True

    return Service(
        name="containerd",
        command=[str(layout.bin / "containerd"), f"--config={layout.config / 'containerd.toml'}"],
        health_check=is_listening,
    )


def kubelet(layout: Layout) -> Service:
    return Service(
        name="kubelet",
        command=[
            str(layout.bin / "kubelet"),
            f"--config={layout.config / 'kubelet.json'}",
            f"--kubeconfig={certificates.client_kubeconfig(layout, 'kubelet')}",
            f"--root-dir={layout.home / 'kubelet'}",
            f"--node-ip={NODE_ADDRESS}",
            f"--hostname-override={NODE_NAME}",
        ],
        health_check=over_http(f"http://{LOOPBACK}:{KUBELET_HEALTH_PORT}/healthz"),
    )


def proxy(layout: Layout) -> Service:
    return Service(
        name="kube-proxy",
        command=[str(layout.bin / "kube-proxy"), f"--config={layout.config / 'kube-proxy.json'}"],
        health_check=over_http(f"http://{LOOPBACK}:{PROXY_HEALTH_PORT}/livez"),
    )
