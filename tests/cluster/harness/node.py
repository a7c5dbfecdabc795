"""The configuration files of the node's programs. Pure: text in, text out."""

from __future__ import annotations

import base64
import ipaddress
import json
from typing import Any

from tests.cluster.harness.layout import NAME, Layout
from tests.cluster.harness.settings import Settings

PAUSE = "library/pause:1"
BUSYBOX = "library/busybox:latest"
MIRRORED = ("docker.io", "quay.io", "ghcr.io", "registry.k8s.io")
"""Registries whose images are answered from the local one."""

USERS = {
    "admin": ("admin", "system:masters"),
    "node": ("system:node:{node}", "system:nodes"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "proxy": ("system:kube-proxy", ""),
}
"""Who may speak to the API server: its name for them, and their group."""


def tokens_csv(settings: Settings) -> str:
    """The API server's static token file."""
    lines = []
    for user, token in sorted(settings.tokens.items()):
        name, group = USERS[user]
        lines.append(f'{token},{name.format(node=settings.node_name)},{user},"{group}"\n')
    return "".join(lines)


def kubeconfig(settings: Settings, user: str, authority: bytes) -> str:
    return f"""\
apiVersion: v1
kind: Config
clusters:
- name: {NAME}
  cluster:
    server: {settings.server}
    certificate-authority-data: {base64.b64encode(authority).decode()}
users:
- name: {user}
  user:
    token: {settings.tokens[user]}
contexts:
- name: {NAME}
  context:
    cluster: {NAME}
    user: {user}
current-context: {NAME}
"""


def kubelet(layout: Layout, settings: Settings) -> str:
    """KubeletConfiguration; JSON is YAML.

    Machines that run tests often lack CAP_SYS_RESOURCE and have cgroup v1: neither is fatal here.
    Timing of the node's lease is that of `controller-manager`'s short grace period: a lost node is
    noticed in 20 s.
    """
    return _json(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": settings.node_address,
            "port": settings.ports.kubelet,
            "healthzPort": settings.ports.kubelet_health,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(layout.certificates / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{NAME}",
            "clusterDNS": [settings.dns_address],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
            "enforceNodeAllocatable": [],
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "nodefs.inodesFree": "1%",
                "imagefs.available": "1%",
            },
            "failCgroupV1": False,
            "failSwapOn": False,
            "featureGates": {"KubeletInUserNamespace": True},
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "makeIPTablesUtilChains": False,
            "maxPods": 250,
            "nodeLeaseDurationSeconds": 12,
            "oomScoreAdj": 0,
            "podLogsDir": str(layout.pod_logs),
            "podPidsLimit": 4096,
            "serializeImagePulls": False,
            "volumePluginDir": str(layout.kubelet / "plugins-of-volumes"),
        }
    )


def kube_proxy(layout: Layout, settings: Settings) -> str:
    return _json(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "bindAddress": settings.node_address,
            "clientConnection": {"kubeconfig": str(layout.kubeconfig_of("proxy"))},
            "clusterCIDR": settings.pod_cidr,
            "healthzBindAddress": f"127.0.0.1:{settings.ports.kube_proxy_health}",
            "metricsBindAddress": f"127.0.0.1:{settings.ports.kube_proxy_metrics}",
            "hostnameOverride": settings.node_name,
            # 0: leave the machine's own limits alone.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
        }
    )


def containerd(layout: Layout, settings: Settings) -> str:
    """containerd 1.6 or newer, with root, state and socket of its own."""
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{layout.containerd}"
state = "{layout.containerd_state}"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "{layout.containerd_socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.containerd}/opt"

[{cri}]
  # Without CAP_SYS_RESOURCE runc cannot lower a score: it dies with "can't get final child's PID".
  restrict_oom_score_adj = true
  sandbox_image = "{settings.registry}/{PAUSE}"
  netns_mounts_under_state_dir = true
  [{cri}.cni]
    bin_dir = "{layout.cni_programs}"
    conf_dir = "{layout.cni_configuration}"
  [{cri}.registry]
    config_path = "{layout.registries}"
  [{cri}.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [{cri}.containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "{layout.run}/runc"
"""


def hosts_toml(settings: Settings) -> str:
    """containerd's answer to "where are this registry's images"."""
    return f"""\
server = "http://{settings.registry}"

[host."http://{settings.registry}"]
  capabilities = ["pull", "resolve"]
"""


def registry(layout: Layout, settings: Settings) -> str:
    return _json(
        {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(layout.root / "registry")},
                "delete": {"enabled": True},
            },
            "http": {"addr": settings.registry},
        }
    )


def network(layout: Layout, settings: Settings) -> str:
    """CNI: ptp, not bridge, so that traffic between pods is routed and nftables sees it.

    No masquerading and no host ports by plugins: both write iptables rules that would stay.
    """
    return _json(
        {
            "cniVersion": "0.4.0",
            "name": NAME,
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": str(layout.cni_addresses),
                        "ranges": [[{"subnet": settings.pod_cidr}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "await-policies", "socket": str(layout.policies_socket)},
            ],
        }
    )


def masquerading(settings: Settings) -> str:
    """nftables: what pods send out of the cluster leaves with the node's address."""
    return f"""\
table ip {NAME}
delete table ip {NAME}
table ip {NAME} {{
	chain postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr {settings.pod_cidr} ip daddr != {settings.pod_cidr} masquerade
	}}
}}
"""


def provisioner(layout: Layout) -> str:
    """local-path-provisioner: where claims get their folders."""
    folder = str(layout.volumes / "local-path")
    paths = [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [folder]}]
    return _json({"nodePathMap": paths})


def serving_names(settings: Settings) -> str:
    """subjectAltName of the API server's certificate."""
    service = ["kubernetes", "default", "svc", "cluster", "local"]
    names = ["localhost", *(".".join(service[:n]) for n in (1, 2, 3, 5))]
    addresses = ["127.0.0.1", settings.node_address, settings.api_service_address]
    return ",".join([f"DNS:{name}" for name in names] + [f"IP:{it}" for it in addresses])


def free_range(candidates: tuple[str, ...], taken: list[str]) -> str | None:
    """The first range that no route of the machine reaches into."""
    routes = [ipaddress.ip_network(route, strict=False) for route in taken]
    for candidate in candidates:
        network_ = ipaddress.ip_network(candidate)
        if not any(network_.overlaps(route) for route in routes if route.version == 4):
            return candidate
    return None


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"
