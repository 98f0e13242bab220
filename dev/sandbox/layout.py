"""The directories, addresses and ports of a sandbox. No other module defines any.

Every process listens on loopback or on the node's bridge, whose network exists only on this machine. The ports are below the
ephemeral range and not the usual ones, so that they conflict neither with clients nor with another cluster on the machine.
"""

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"

BRIDGE = "bluegreen0"
POD_NETWORK = "10.213.0.0/24"
# The bridge's address, which is also the node's: a kubelet does not accept a loopback address.
NODE_ADDRESS = "10.213.0.1"
NODE_MAC = "02:00:0a:d5:00:01"
SERVICE_NETWORK = "10.213.1.0/24"
SERVICE_ADDRESS_OF_API = "10.213.1.1"

NODE_NAME = "sandbox"
MESH_NAMESPACE = "istio-system"

ETCD_PORT = 26379
ETCD_PEER_PORT = 26380
API_PORT = 26443
CONTROLLER_MANAGER_PORT = 26257
SCHEDULER_PORT = 26259
KUBELET_PORT = 26250
KUBELET_HEALTH_PORT = 26248
PROXY_HEALTH_PORT = 26256
PROXY_METRICS_PORT = 26249
ISTIOD_HTTP_PORT = 26080
ISTIOD_XDS_PORT = 26010
ISTIOD_MONITORING_PORT = 26014
ENVOY_ADMIN_PORT = 26000
GATEWAY_PORT = 26800
DATABASE_PORT = 26432

PORTS_BY_PROCESS: dict[str, tuple[int, ...]] = {
    "etcd": (ETCD_PORT, ETCD_PEER_PORT),
    "kube-apiserver": (API_PORT,),
    "kube-controller-manager": (CONTROLLER_MANAGER_PORT,),
    "kube-scheduler": (SCHEDULER_PORT,),
    "kubelet": (KUBELET_PORT, KUBELET_HEALTH_PORT),
    "kube-proxy": (PROXY_HEALTH_PORT, PROXY_METRICS_PORT),
    "istiod": (ISTIOD_HTTP_PORT, ISTIOD_XDS_PORT, ISTIOD_MONITORING_PORT),
    "envoy": (ENVOY_ADMIN_PORT, GATEWAY_PORT),
    "postgres": (DATABASE_PORT,),
}

# Paths that are compiled into the kubelet, containerd, its shims and network plugins. The sandbox's mount namespace has an
# empty tmpfs on each of them, so that it neither reads nor writes the machine's.
HIDDEN_PATHS = tuple(map(Path, ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")))
CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")


@dataclass(frozen=True)
class Layout:
    """The directories of the sandbox that belongs to the checkout at `checkout` (an absolute path)."""

    checkout: Path

    @property
    def home(self) -> Path:
        """Contains everything that the sandbox writes into the checkout; `down` removes it."""
        return self.checkout / ".sandbox"

    @property
    def bin(self) -> Path:
        return self.home / "bin"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def pki(self) -> Path:
        return self.home / "pki"

    @property
    def config(self) -> Path:
        """Generated configuration files of the processes."""
        return self.home / "config"

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    @property
    def environment_file(self) -> Path:
        return self.home / "env"

    @property
    def state(self) -> Path:
        """The state backend of the Pulumi stacks in the sandbox."""
        return self.home / "state"

    @property
    def database(self) -> Path:
        """The data of PostgreSQL for examples/notes, and the password of its user."""
        return self.home / "database"

    @property
    def pulumi_home(self) -> Path:
        return self.home / "pulumi"


def current() -> Layout:
    """The sandbox of this checkout."""
    return Layout(Path(__file__).resolve().parents[2])
