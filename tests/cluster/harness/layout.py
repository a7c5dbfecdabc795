"""Where things of the cluster are: all under three folders, so that a stop can remove them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

NAME = os.environ.get("DESPEJADO_CLUSTER_NAME") or "despejado-cluster"
"""Of the folders, the cgroup and the network: a second cluster beside a standing one needs another
name and a network namespace of its own."""
_CACHE = "despejado-cluster"


def cache_folder() -> Path:
    """What outlives the cluster: built programs and the base image's tar."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / _CACHE


@dataclass(frozen=True)
class Layout:
    """``root`` holds data, logs and certificates; ``run`` sockets, whose paths must be short."""

    root: Path = Path("/var/lib") / NAME
    run: Path = Path("/run") / NAME

    @property
    def settings(self) -> Path:
        return self.root / "cluster.json"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def certificates(self) -> Path:
        return self.root / "pki"

    @property
    def configuration(self) -> Path:
        return self.root / "etc"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pod_logs(self) -> Path:
        return self.root / "logs" / "pods"

    @property
    def cni_programs(self) -> Path:
        return self.root / "cni" / "bin"

    @property
    def cni_configuration(self) -> Path:
        return self.root / "cni" / "net.d"

    @property
    def cni_addresses(self) -> Path:
        return self.root / "cni" / "addresses"

    @property
    def registries(self) -> Path:
        """containerd's folder of registry hosts, each with a hosts.toml."""
        return self.configuration / "registries"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet"

    @property
    def containerd(self) -> Path:
        return self.root / "containerd"

    @property
    def containerd_state(self) -> Path:
        return self.run / "containerd"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def policies_socket(self) -> Path:
        return self.run / "policies.sock"

    @property
    def records(self) -> Path:
        """One file for each process that was started."""
        return self.run / "processes"

    @property
    def lock(self) -> Path:
        return self.run.with_suffix(".lock")

    def kubeconfig_of(self, user: str) -> Path:
        return self.configuration / f"{user}.kubeconfig"
