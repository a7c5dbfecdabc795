"""What is decided when the cluster is first brought up, and kept while it stands."""

from __future__ import annotations

import ipaddress
import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tests.cluster.harness.errors import HarnessError

NODE = "node-1"


@dataclass(frozen=True)
class Ports:
    """The usual ports; one that somebody else listens on is replaced by a free one."""

    apiserver: int = 6443
    etcd: int = 2379
    etcd_peers: int = 2380
    registry: int = 5000
    kubelet: int = 10250
    kubelet_health: int = 10248
    controller_manager: int = 10257
    scheduler: int = 10259
    kube_proxy_health: int = 10256
    kube_proxy_metrics: int = 10249
    kwok: int = 10247


@dataclass(frozen=True)
class Before:
    """How the machine was, for `make cluster-down` to restore."""

    sysctls: dict[str, str]
    tables: list[str]
    """nftables tables, as "family name"."""
    folders: list[str]
    """Of the folders outside ours that Kubernetes writes to, those that were there."""


@dataclass(frozen=True)
class Settings:
    node_address: str
    pod_cidr: str
    service_cidr: str
    ports: Ports
    tokens: dict[str, str]
    """A bearer token for each user that the API server knows."""
    before: Before
    boot: str
    """The machine's boot id: after a reboot no process, mount or link of ours is left."""
    network: str
    """The network namespace that links, routes and rules are in, as the kernel names it."""
    node_name: str = NODE

    @property
    def server(self) -> str:
        return f"https://{self.node_address}:{self.ports.apiserver}"

    @property
    def registry(self) -> str:
        return f"127.0.0.1:{self.ports.registry}"

    @property
    def api_service_address(self) -> str:
        return str(ipaddress.ip_network(self.service_cidr)[1])

    @property
    def dns_address(self) -> str:
        return str(ipaddress.ip_network(self.service_cidr)[10])


def load(path: Path) -> Settings | None:
    """The settings of the cluster that was brought up, or None if there is none."""
    if not path.exists():
        return None
    try:
        raw: dict[str, Any] = json.loads(path.read_text())
        return Settings(
            **{name.name: raw[name.name] for name in fields(Settings)}
            | {"ports": Ports(**raw["ports"]), "before": Before(**raw["before"])}
        )
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(
            f"{path} cannot be read ({error}); it comes from another version of the harness: "
            "run `make cluster-down` of that version, or remove the folder by hand"
        ) from error


def save(path: Path, settings: Settings) -> None:
    write_atomically(path, json.dumps(asdict(settings), indent=2) + "\n", mode=0o600)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    Path(temporary).chmod(mode)
    Path(temporary).replace(path)


def network_namespace() -> str:
    """The namespace of this process: rules and routes of another one are out of its reach."""
    return str(Path("/proc/self/ns/net").readlink())


def check_place(settings: Settings) -> None:
    """Refuse to touch a cluster of this boot from another network namespace than its own.

    From there it looks broken, and taking it down would leave its rules and routes behind.
    """
    here = network_namespace()
    if settings.boot == boot_id() and settings.network != here:
        raise HarnessError(
            f"a cluster stands at {settings.node_address}, in another network namespace "
            f"({settings.network}, this command is in {here}); run the command there"
        )


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
