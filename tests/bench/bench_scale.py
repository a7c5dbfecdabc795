"""Hundreds of labs at once on a real API server: LabSpawner against stock KubeSpawner.

One hub after the other asks for all its labs in one moment and waits for each, then stops all of
them in one moment. The hubs are JupyterHub processes with the rights of a service account; API
server, scheduler and etcd are real. What is simulated:

- Nodes: kwok answers for their kubelets, so a pod runs as soon as it has a node. Both spawners
  tolerate the nodes' taint and select their label.
- Servers: such a pod has an address of the benchmark range (RFC 2544) and nothing behind it. A
  local route lets this machine answer for the whole range, and one small HTTP server says to every
  lab's ``/user/<name>/api`` what a single-user server says, at once. The spawners are untouched:
  both ask the address that the API server told them.

So neither images, containers nor Python's imports are in the figures: they are what the hub and the
cluster cost. Where JupyterHub limits how many start at once, the limit is off. A lab of LabSpawner
is that of the platform: image menu, Secret and ConfigMap. API calls are counted in runs of their
own, as the door that counts them takes time. Memory is the most that the hub's process had.

Needs root (for the route) and the tests' cluster (``make cluster``). Writes
``test-output/bench/scale.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from despejado_hub.kubernetes_role import role_objects  # noqa: E402

from tests.cluster.api_gate import Gate, api_gate  # noqa: E402  (not installed)
from tests.cluster.clusters import Cluster, find_cluster  # noqa: E402
from tests.cluster.harness.simulated import TOLERATION  # noqa: E402
from tests.cluster.kube import Kube, fresh_namespace  # noqa: E402
from tests.cluster.pod_hub import PodHub, free_port  # noqa: E402
from tests.cluster.simulated_labs import (  # noqa: E402
    LABEL,
    answered_here,
    simulated_nodes,
    single_user_servers,
)

OUTPUT = ROOT / "test-output" / "bench" / "scale.json"
PATIENCE = 1800.0
START_TIMEOUT = 300
"""Seconds that both spawners give a start; the default of Zero to JupyterHub."""
TICKS = os.sysconf("SC_CLK_TCK")
WHO = ("stock", "ours")


# -- one hub ------------------------------------------------------------------------------------


def settings(cluster: Cluster, port: int, *, stock: bool) -> dict[str, Any]:
    image = cluster.image("library/busybox:latest")  # never run
    document: dict[str, Any] = {
        "stock": stock,
        "patience": PATIENCE,
        "stop_patience": PATIENCE,
        "log_level": "WARN",
        "kubespawner": {
            "image": image,
            "cmd": ["jupyterhub-singleuser"],
            "port": port,
            "node_selector": LABEL,
            "tolerations": [TOLERATION],
            "cpu_limit": 1,
            "cpu_guarantee": 0.05,
            "mem_limit": "1G",
            "mem_guarantee": "256M",
            "start_timeout": START_TIMEOUT,
            "http_timeout": START_TIMEOUT,
        },
    }
    if not stock:
        size = {"cpu": 1.0, "memory": "1G", "cpu_guarantee": 0.05, "memory_guarantee": "256M"}
        document["lab"] = {"images": {"lab": {"image": image}}, "sizes": {"small": size}}
    return document


@contextmanager
def running_hub(
    kube: Kube, cluster: Cluster, port: int, *, stock: bool, counted: bool
) -> Iterator[tuple[PodHub, Gate | None]]:
    """A hub with two namespaces of its own, which are gone when the next one begins."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="despejado-bench-")))
        labs = stack.enter_context(namespace(kube, "bench-labs"))
        platform = stack.enter_context(namespace(kube, "bench-platform"))
        for manifest in role_objects(labs, platform, account="hub"):
            kube.create(manifest)
        gate, account = None, kube.as_account("hub", platform, folder)
        if counted:
            gate, account = stack.enter_context(api_gate(account, folder))
        what = settings(cluster, port, stock=stock)
        hub = PodHub(folder, account, cluster.node_address, labs, what)
        stack.callback(hub.stop)
        hub.start()
        yield hub, gate


@contextmanager
def namespace(kube: Kube, prefix: str) -> Iterator[str]:
    with fresh_namespace(kube, prefix) as name:
        yield name
    kube.wait("Namespace", name, lambda found: found is None, timeout=300)


@dataclass(frozen=True)
class Used:
    """What a process has used so far: seconds of processor time, MB now and at most."""

    cpu: float
    resident: float
    peak: float

    @classmethod
    def by(cls, pid: int) -> Used:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        kilobytes = {
            name: int(rest.split()[0])
            for name, _, rest in (line.partition(":") for line in status)
            if name in ("VmRSS", "VmHWM")
        }
        cpu = (int(fields[11]) + int(fields[12])) / TICKS
        return cls(cpu, kilobytes["VmRSS"] / 1000, kilobytes["VmHWM"] / 1000)


async def all_at_once(hub: PodHub, method: str, users: Sequence[str]) -> tuple[float, list[str]]:
    """Ask for or stop the labs of all; seconds until the last one's answer, and what went wrong.

    The hub answers when the lab is up or gone: nothing is polled that would cost it time.
    """
    headers = {"Authorization": f"token {hub.token}"}
    everything = aiohttp.ClientTimeout(total=PATIENCE)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        headers=headers, timeout=everything, connector=connector
    ) as session:

        async def one(user: str) -> str:
            async with session.request(method, f"{hub.api}/users/{user}/server") as answer:
                done = answer.status in (201, 204)
                return "" if done else f"{user}: {answer.status} {await answer.text()}"

        began = time.perf_counter()
        answers = await asyncio.gather(*map(one, users))
        seconds = time.perf_counter() - began
    wrong = [answer for answer in answers if answer]
    if wrong:
        print(f"{method} failed for {len(wrong)} of {len(users)}, first for {wrong[0]}", flush=True)
    return seconds, wrong


async def measure(hub: PodHub, gate: Gate | None, labs: int, idle: float) -> dict[str, float]:
    users = [f"user-{number}" for number in range(labs)]
    with hub.client() as client:
        client.post("/users", json={"usernames": users}).raise_for_status()
    assert hub.process is not None
    pid = hub.process.pid
    before = Used.by(pid)
    start, not_started = await all_at_once(hub, "POST", users)
    started = Used.by(pid)
    calls = len(gate.calls) if gate else 0
    if gate is not None:
        await all_at_once(hub, "DELETE", users)
        print(f"  {dict(gate.counted().most_common())}")
        return {
            "API calls of a start": calls / labs,
            "API calls of a stop": (len(gate.calls) - calls) / labs,
        }
    await asyncio.sleep(idle)  # a time to measure, not a wait for anything
    rested = Used.by(pid)
    stop, not_stopped = await all_at_once(hub, "DELETE", users)
    stopped = Used.by(pid)
    return {
        "seconds to all running": start,
        "seconds to all stopped": stop,
        "labs not started or not stopped": len(not_started) + len(not_stopped),
        "cpu seconds of the hub, starting": started.cpu - before.cpu,
        f"cpu seconds of the hub, {idle:g} s at rest": rested.cpu - started.cpu,
        "cpu seconds of the hub, stopping": stopped.cpu - rested.cpu,
        "peak memory of the hub, MB": stopped.peak,
        "memory of a running lab in the hub, kB": (rested.resident - before.resident) * 1e3 / labs,
    }


async def compare(cluster: Cluster, labs: int, idle: float) -> dict[str, dict[str, float]]:
    kube = Kube(cluster.kubeconfig)
    found: dict[str, dict[str, float]] = {}
    port = free_port()
    with answered_here(), simulated_nodes(kube, labs):
        async with single_user_servers(port):
            for counted in (False, True):
                for who in WHO:
                    stock = who == "stock"
                    with running_hub(kube, cluster, port, stock=stock, counted=counted) as it:
                        figures = await measure(*it, labs, idle)
                    found[who] = {**found.get(who, {}), **figures}
                    for name, value in figures.items():
                        print(f"{who:6s}{value:10.2f} {name}", flush=True)
    return found


def report(found: dict[str, dict[str, float]], labs: int) -> None:
    stock, ours = (found[who] for who in WHO)
    ratios = {name: ours[name] / value if value else None for name, value in stock.items()}
    print(f"{f'{labs} labs':48s}{'stock':>10s}{'ours':>10s}{'ratio':>10s}")
    for name, ratio in ratios.items():
        shown = f"{ratio:10.2f}" if ratio is not None else f"{'-':>10s}"
        print(f"{name:48s}{stock[name]:10.2f}{ours[name]:10.2f}{shown}")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    document = {"labs": labs, "cores": os.cpu_count(), **found, "ratio": ratios}
    OUTPUT.write_text(json.dumps(document, indent=2) + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labs", type=int, default=500)
    parser.add_argument(
        "--idle", type=float, default=35.0, help="seconds of rest that are measured"
    )
    arguments = parser.parse_args(argv)
    cluster = find_cluster()
    if cluster is None:
        print("no cluster: make cluster brings one up")
        return
    # An end by kill cleans up like one by Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report(asyncio.run(compare(cluster, arguments.labs, arguments.idle)), arguments.labs)


if __name__ == "__main__":
    main()
