"""Addresses, routes, ports and kernel settings of the machine that the cluster uses."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.cluster.harness import node
from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import NAME
from tests.cluster.harness.policy_table import TABLE
from tests.cluster.harness.settings import Before, Ports, Settings

POD_RANGES = ("10.244.0.0/16", "10.212.0.0/16", "172.29.0.0/16", "192.168.224.0/19")
SERVICE_RANGES = ("10.96.0.0/16", "10.208.0.0/16", "172.28.0.0/16", "192.168.192.0/19")
KUBE_PROXY_TABLES = ("ip kube-proxy", "ip6 kube-proxy")
OUR_TABLES = (f"ip {NAME}", f"ip {TABLE}")
WANTED_SYSCTLS = {
    "net.ipv4.ip_forward": 1,
    "fs.inotify.max_user_instances": 1024,
    "fs.inotify.max_user_watches": 262144,
}
"""The least value of each."""
KUBELET_SYSCTLS = (
    "vm.overcommit_memory",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
)
"""What a kubelet sets by itself."""
FOREIGN_FOLDERS = (
    "/opt/containerd",
    "/run/containerd",
    "/usr/libexec/kubernetes",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
)
"""Folders outside ours whose paths are fixed in the programs."""


def node_address() -> str:
    """The machine's own IPv4 address: that of the default route, or any that is not loopback."""
    for route in _ip("route", "get", "192.0.2.1") + _ip("route", "get", "1.1.1.1"):
        source = route.get("prefsrc")
        if source and not source.startswith("127."):
            return str(source)
    for link in _ip("addr", "show"):
        for address in link.get("addr_info", []):
            if address["family"] == "inet" and address["scope"] == "global":
                return str(address["local"])
    raise HarnessError("the machine has no IPv4 address except loopback; pods need one to reach it")


def ranges() -> tuple[str, str]:
    """Address ranges of pods and Services which no route of the machine leads into."""
    taken = [
        route["dst"]
        for route in _ip("route", "show", "table", "all")
        if route["dst"] != "default" and route.get("type") not in ("broadcast", "multicast")
    ]
    pods = node.free_range(POD_RANGES, taken)
    services = node.free_range(SERVICE_RANGES, taken)
    if pods is None or services is None:
        raise HarnessError(
            f"no free address range for pods (of {', '.join(POD_RANGES)}) or Services (of "
            f"{', '.join(SERVICE_RANGES)}): the machine has routes into each (`ip route`)"
        )
    return pods, services


def free_ports(address: str) -> Ports:
    """The usual ports, with a free one in place of each that somebody listens on."""
    chosen: dict[str, int] = {}
    for port in fields(Ports):
        host = address if port.name in ("apiserver", "kubelet") else "127.0.0.1"
        usual = int(str(port.default))
        chosen[port.name] = usual if _is_free(host, usual) else _any_free(host)
    return Ports(**chosen)


def before() -> Before:
    """How the machine is now."""
    names = (*WANTED_SYSCTLS, *KUBELET_SYSCTLS)
    return Before(
        sysctls={name: _sysctl(name).read_text().strip() for name in names},
        tables=sorted(set(tables()) & set(KUBE_PROXY_TABLES)),
        folders=[folder for folder in FOREIGN_FOLDERS if Path(folder).exists()],
    )


def prepare(settings: Settings) -> None:
    """Forwarding between pods, and masquerading of what they send out."""
    for name, least in WANTED_SYSCTLS.items():
        if int(_sysctl(name).read_text()) < least:
            _sysctl(name).write_text(str(least))
    nft(node.masquerading(settings))


def restore(before: Before) -> None:
    """Remove our tables and give kernel settings their values of before."""
    present = tables()
    for table in (*OUR_TABLES, *KUBE_PROXY_TABLES):
        if table in present and table not in before.tables:
            nft(f"delete table {table}\n")
    for name, value in before.sysctls.items():
        if _sysctl(name).read_text().strip() != value:
            _sysctl(name).write_text(value)


def tables() -> list[str]:
    """All nftables tables, as "family name"."""
    result = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False)
    return [line.removeprefix("table ") for line in result.stdout.splitlines()]


def nft(text: str) -> None:
    result = subprocess.run(
        ["nft", "-f", "-"], input=text, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise HarnessError(f"nft refused rules ({result.stderr.strip()}); they were:\n{text}")


def _ip(*arguments: str) -> list[dict[str, Any]]:
    result = subprocess.run(
        ["ip", "-json", "-4", *arguments], capture_output=True, text=True, check=False
    )
    if result.returncode != 0 or not result.stdout.strip():
        return []
    answer: list[dict[str, Any]] = json.loads(result.stdout)
    return answer


def _sysctl(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        # Without this, connections of a predecessor in TIME_WAIT count as listeners.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def _any_free(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
