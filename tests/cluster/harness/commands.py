"""The command line of each process of the cluster. Pure."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.harness.layout import NAME, Layout
from tests.cluster.harness.programs import Built
from tests.cluster.harness.settings import Settings

CHECKOUT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Answer:
    """How a component shows that it works: an address that says 200, a socket, or its life."""

    url: str = ""
    socket: str = ""
    body: str = ""
    """What the address must say, where 200 alone says too little."""


@dataclass(frozen=True)
class Component:
    name: str
    command: tuple[str, ...]
    answer: Answer
    patience: float = 5.0
    """Seconds between the request to end and the kill."""
    environment: dict[str, str] = field(default_factory=dict)


def components(layout: Layout, settings: Settings, built: Built) -> dict[str, Component]:
    """All components, in the order in which they start."""
    kubernetes = built["kubernetes"]
    ports = settings.ports
    etc = layout.configuration
    pki = layout.certificates
    listed = [
        Component(
            "etcd",
            (
                *(kubernetes, "etcd", "--data-dir", str(layout.root / "etcd")),
                # The data live as long as the tests.
                "--unsafe-no-fsync",
                *("--listen-client-urls", f"http://127.0.0.1:{ports.etcd}"),
                *("--advertise-client-urls", f"http://127.0.0.1:{ports.etcd}"),
                *("--listen-peer-urls", f"http://127.0.0.1:{ports.etcd_peers}"),
                *("--initial-advertise-peer-urls", f"http://127.0.0.1:{ports.etcd_peers}"),
                *("--initial-cluster", f"default=http://127.0.0.1:{ports.etcd_peers}"),
                *("--log-level", "warn"),
            ),
            Answer(f"http://127.0.0.1:{ports.etcd}/health", body='"health":"true"'),
        ),
        Component(
            "registry",
            (_which("docker-registry"), "serve", str(etc / "registry.json")),
            Answer(f"http://{settings.registry}/v2/"),
            # A set telemetry endpoint of the machine is none of the registry's.
            environment={"OTEL_TRACES_EXPORTER": "none"},
        ),
        Component(
            "apiserver",
            (
                *(kubernetes, "kube-apiserver"),
                *("--etcd-servers", f"http://127.0.0.1:{ports.etcd}"),
                *("--bind-address", settings.node_address),
                *("--advertise-address", settings.node_address),
                *("--secure-port", str(ports.apiserver)),
                *("--tls-cert-file", str(pki / "apiserver.crt")),
                *("--tls-private-key-file", str(pki / "apiserver.key")),
                *("--client-ca-file", str(pki / "ca.crt")),
                *("--token-auth-file", str(etc / "tokens.csv")),
                *("--authorization-mode", "Node,RBAC"),
                *("--enable-admission-plugins", "NodeRestriction"),
                *("--service-cluster-ip-range", settings.service_cidr),
                *("--service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
                *("--service-account-key-file", str(pki / "accounts.pub")),
                *("--service-account-signing-key-file", str(pki / "accounts.key")),
                *("--kubelet-client-certificate", str(pki / "kubelet-client.crt")),
                *("--kubelet-client-key", str(pki / "kubelet-client.key")),
                *("--kubelet-preferred-address-types", "InternalIP"),
                "--allow-privileged",
            ),
            Answer(f"{settings.server}/readyz"),
        ),
        Component(
            "containerd",
            (_which("containerd"), "--config", str(etc / "containerd.toml")),
            Answer(socket=str(layout.containerd_socket)),
        ),
        Component(
            "controller-manager",
            (
                *(kubernetes, "kube-controller-manager"),
                *("--kubeconfig", str(layout.kubeconfig_of("controller-manager"))),
                *("--bind-address", "127.0.0.1"),
                *("--secure-port", str(ports.controller_manager)),
                *("--root-ca-file", str(pki / "ca.crt")),
                *("--service-account-private-key-file", str(pki / "accounts.key")),
                "--use-service-account-credentials",
                # One of each: nobody to elect a leader from, and no wait for the old one's lease.
                "--leader-elect=false",
                *("--node-monitor-grace-period", "20s"),
                *("--node-monitor-period", "2s"),
            ),
            Answer(f"https://127.0.0.1:{ports.controller_manager}/healthz"),
        ),
        Component(
            "scheduler",
            (
                *(kubernetes, "kube-scheduler"),
                *("--kubeconfig", str(layout.kubeconfig_of("scheduler"))),
                *("--bind-address", "127.0.0.1"),
                *("--secure-port", str(ports.scheduler)),
                "--leader-elect=false",
            ),
            Answer(f"https://127.0.0.1:{ports.scheduler}/healthz"),
        ),
        Component(
            "policies",
            (sys.executable, "-m", "tests.cluster.harness", "policies"),
            Answer(socket=str(layout.policies_socket)),
            environment={
                "PYTHONPATH": str(CHECKOUT),
                "PYTHONDONTWRITEBYTECODE": "1",
                "DESPEJADO_CLUSTER_NAME": NAME,
            },
        ),
        Component(
            "kubelet",
            (
                *(kubernetes, "kubelet", "--config", str(etc / "kubelet.json")),
                *("--kubeconfig", str(layout.kubeconfig_of("node"))),
                *("--hostname-override", settings.node_name),
                *("--node-ip", settings.node_address),
                *("--root-dir", str(layout.kubelet)),
                *("--cert-dir", str(layout.kubelet / "pki")),
            ),
            Answer(f"http://127.0.0.1:{ports.kubelet_health}/healthz"),
        ),
        Component(
            "kube-proxy",
            (kubernetes, "kube-proxy", "--config", str(etc / "kube-proxy.json")),
            Answer(f"http://127.0.0.1:{ports.kube_proxy_health}/livez"),
        ),
        Component(
            "local-path",
            (
                *(built["local-path-provisioner"], "start"),
                *("--kubeconfig", str(layout.kubeconfig)),
                *("--config", str(etc / "provisioner.json")),
                *("--helper-image", f"{settings.registry}/library/busybox:latest"),
                *("--namespace", "local-path-storage"),
                *("--service-account-name", "default"),
            ),
            Answer(),
        ),
        Component(
            "kwok",
            (
                built["kwok"],
                *("--kubeconfig", str(layout.kubeconfig)),
                *("--manage-nodes-with-annotation-selector", "kwok.x-k8s.io/node=fake"),
                # Of the range that RFC 2544 keeps for benchmarks: such pods have no real address.
                *("--cidr", "198.18.0.1/16"),
                *("--server-address", f"127.0.0.1:{ports.kwok}"),
                *(part for stage in built.stages for part in ("--config", str(stage))),
            ),
            Answer(f"http://127.0.0.1:{ports.kwok}/healthz"),
        ),
    ]
    return {component.name: component for component in listed}


def _which(program: str) -> str:
    """Debian's daemons are below /usr; the search path of whoever calls may lack /usr/sbin."""
    for folder in ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"):
        if (Path(folder) / program).exists():
            return f"{folder}/{program}"
    return f"/usr/bin/{program}"
