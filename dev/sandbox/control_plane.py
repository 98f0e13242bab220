"""Command lines of etcd, the API server, the controller manager and the scheduler."""

from collections.abc import Callable

from dev.sandbox import certificates
from dev.sandbox.layout import (
    API_PORT,
    CONTROLLER_MANAGER_PORT,
    ETCD_PEER_PORT,
    ETCD_PORT,
    LOOPBACK,
    NODE_ADDRESS,
    SCHEDULER_PORT,
    SERVICE_NETWORK,
    Layout,
)
from dev.sandbox.processes import Service, over_http


def etcd(layout: Layout) -> Service:
    client, peer = f"http://{LOOPBACK}:{ETCD_PORT}", f"http://{LOOPBACK}:{ETCD_PEER_PORT}"
    return Service(
        name="etcd",
        command=[
            str(layout.bin / "etcd"),
            f"--data-dir={layout.home / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # A disposable cluster need not survive a power failure, and fsync is the slowest part of a write.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        health_check=over_http(f"{client}/health"),
    )


def api_server(layout: Layout) -> Service:
    pki = layout.pki
    return Service(
        name="kube-apiserver",
        command=[
            str(layout.bin / "kube-apiserver"),
            f"--etcd-servers=http://{LOOPBACK}:{ETCD_PORT}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={API_PORT}",
            f"--advertise-address={NODE_ADDRESS}",
            # It would publish an address that nothing listens on: the API is reachable from this machine, not from pods.
            "--endpoint-reconciler-type=none",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            f"--client-ca-file={pki / 'ca.crt'}",
            f"--tls-cert-file={pki / 'server.crt'}",
            f"--tls-private-key-file={pki / 'server.key'}",
            # There are no aggregated API servers. An empty list would allow any name, so this is one that no certificate has.
            f"--requestheader-client-ca-file={pki / 'ca.crt'}",
            "--requestheader-allowed-names=nobody",
            f"--kubelet-client-certificate={pki / 'apiserver-kubelet.crt'}",
            f"--kubelet-client-key={pki / 'apiserver-kubelet.key'}",
            f"--kubelet-certificate-authority={pki / 'ca.crt'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki / 'service-account.key'}",
            f"--service-account-signing-key-file={pki / 'service-account.key'}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--anonymous-auth=false",
            "--profiling=false",
        ],
        health_check=over_http(f"https://{LOOPBACK}:{API_PORT}/readyz", certificates.client_context(layout)),
    )


def controller_manager(layout: Layout) -> Service:
    pki = layout.pki
    return Service(
        name="kube-controller-manager",
        command=[
            str(layout.bin / "kube-controller-manager"),
            *_common(layout, "controller-manager", CONTROLLER_MANAGER_PORT),
            # Every controller uses its own service account; the manager's own account has almost no rights.
            "--use-service-account-credentials=true",
            f"--root-ca-file={pki / 'ca.crt'}",
            f"--service-account-private-key-file={pki / 'service-account.key'}",
        ],
        health_check=_healthz(layout, CONTROLLER_MANAGER_PORT),
    )


def scheduler(layout: Layout) -> Service:
    return Service(
        name="kube-scheduler",
        command=[str(layout.bin / "kube-scheduler"), *_common(layout, "scheduler", SCHEDULER_PORT)],
        health_check=_healthz(layout, SCHEDULER_PORT),
    )


def _common(layout: Layout, client: str, port: int) -> list[str]:
    kubeconfig = certificates.client_kubeconfig(layout, client)
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={port}",
        f"--tls-cert-file={layout.pki / 'server.crt'}",
        f"--tls-private-key-file={layout.pki / 'server.key'}",
        # There is only one instance, so an election would only cost time.
        "--leader-elect=false",
        # The defaults (20 and 50 a second) protect clusters of a thousand nodes; here they would be the bottleneck.
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]


def _healthz(layout: Layout, port: int) -> Callable[[], bool]:
    return over_http(f"https://{LOOPBACK}:{port}/healthz", certificates.client_context(layout))
