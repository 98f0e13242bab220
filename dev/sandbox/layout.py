"""Where everything of a sandbox lives: directories, addresses and ports. The one place that names them.

Every listener binds to loopback or to the bridge of the node, whose network exists on this machine alone. The ports are
unusual ones below the ephemeral range, so that neither a client's port nor a cluster of the user's can be in the way.
"""

from dataclasses import dataclass
from pathlib import Path

LOOPBACK = "127.0.0.1"

BRIDGE = "bluegreen0"
POD_NETWORK = "10.213.0.0/24"
# The bridge's own address. A kubelet refuses a loopback address as that of its node, so the node is here.
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

# Paths that kubelet, containerd, shims and network plugins have compiled in. In the sandbox's mount namespace each is
# an empty tmpfs, so nothing of the machine's is seen or written there.
HIDDEN_PATHS = tuple(map(Path, ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")))
CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")


@dataclass(frozen=True)
class Layout:
    """The directories of the sandbox that belongs to the checkout at `checkout` (an absolute path)."""

    checkout: Path

    @property
    def home(self) -> Path:
        """Everything the sandbox writes into the checkout; `down` removes it whole."""
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
        """The state backend of Pulumi stacks that live in the sandbox."""
        return self.home / "state"

    @property
    def database(self) -> Path:
        """The data of the examples' PostgreSQL, and the password of its user."""
        return self.home / "database"

    @property
    def pulumi_home(self) -> Path:
        return self.home / "pulumi"


def current() -> Layout:
    """The sandbox of the checkout this package belongs to."""
    return Layout(Path(__file__).resolve().parents[2])
