"""What it costs the hub to know its pods and their events: our watches against KubeSpawner's.

A small API server holds 500 labs and 10,000 events, most of pods that are gone, as a busy
namespace does. One process after the other watches them with stock reflectors and with ours: first
quietly, then while labs change. Memory and processor time are those of the watching process.

Prints the figures and ratios (ours / stock) and writes ``test-output/bench/watch.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.spawner.pods.fake_api import (  # noqa: E402  (the sources are not installed)
    FakeApi,
    Manifest,
    event,
    pod,
)

OUTPUT = ROOT / "test-output" / "bench" / "watch.json"
LABELS = {"component": "singleuser-server"}
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
WORDS = "Pulling image registry.example.org/observatory/lab@sha256:" + "0123456789abcdef" * 4


def whole_pod(name: str, phase: str) -> Manifest:
    """A lab as large as real ones are: about 13 kB of JSON, a third of it ``managedFields``."""
    environment = [{"name": f"JUPYTERHUB_{n}", "value": f"value of {n}"} for n in range(60)]
    mounts = [{"name": f"volume-{n}", "mountPath": f"/mnt/folder/{n}"} for n in range(12)]
    item = pod(name, phase=phase)
    fields: Manifest = {
        f"f:{step}": {f"f:{n}": {} for n in range(60)} for step in ("spec", "status", "env")
    }
    item["metadata"]["managedFields"] = [{"manager": "hub", "fieldsV1": fields}]
    item["spec"]["containers"][0] |= {"env": environment, "volumeMounts": mounts}
    item["status"]["conditions"] = [
        {"type": kind, "status": "True", "lastTransitionTime": "2026-11-25T20:00:00Z"}
        for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    ]
    return item


def whole_event(name: str, about: Manifest, age: float) -> Manifest:
    """An event with all that a kubelet writes into one."""
    when = (datetime.now(UTC) - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
    item = event(name, about, message=WORDS, lastTimestamp=when, firstTimestamp=when)
    item["source"] = {"component": "kubelet", "host": "node-1"}
    item["reportingComponent"], item["reportingInstance"] = "kubelet", "node-1"
    names = ("count", "firstTimestamp", "lastTimestamp", "message", "reason", "source", "type")
    fields: Manifest = {f"f:{field}": {} for field in names}
    item["metadata"]["managedFields"] = [{"manager": "kubelet", "fieldsV1": fields}]
    return item


def fill(api: FakeApi, pods: int, events: int) -> list[Manifest]:
    labs = [api.put("pods", whole_pod(f"jupyter-{n}", "Running")) for n in range(pods)]
    gone = [pod(f"jupyter-gone-{n}", metadata={"uid": f"gone-{n}"}) for n in range(pods * 4)]
    everybody = labs + gone
    for number in range(events):
        about = everybody[number % len(everybody)]
        age = 3500.0 * (events - number) / events
        api.put("events", whole_event(f"event-{number}", about, age))
    api.history.clear()
    return labs


# -- the watching process -----------------------------------------------------------------------


async def watch(kind: str, url: str) -> None:
    """Watch and answer each line of the standard input with figures."""
    from despejado_spawner.pods.cluster.watches import LabEventReflector, LabPodReflector
    from kubernetes_asyncio.client import Configuration
    from kubespawner.spawner import EventReflector, PodReflector

    settings = Configuration()
    settings.host = url
    Configuration.set_default(settings)
    gc.collect()
    before, began, used = memory(), time.perf_counter(), time.process_time()
    pods: Any
    events: Any
    fields = {"involvedObject.kind": "Pod"}
    if kind == "ours":
        pods = LabPodReflector(namespace="labs", labels=LABELS)
        events = LabEventReflector(namespace="labs", fields=fields)
        events.follow_pods(pods)
    else:
        pods = PodReflector(namespace="labs", labels=LABELS)
        events = EventReflector(namespace="labs", fields=fields)
    await pods.start()
    await events.start()
    tell(load_seconds=time.perf_counter() - began, load_cpu=time.process_time() - used)
    while await asyncio.to_thread(sys.stdin.readline):
        gc.collect()
        figures = {"cpu": time.process_time() - used, "memory": memory() - before}
        tell(**figures, pods=len(pods.pods), events=len(events.resources), look=look(kind, events))
    await pods.stop()
    await events.stop()


def look(kind: str, events: Any) -> float:
    """Seconds to find the events of one lab, as each page of a starting lab does every second."""
    name = "jupyter-7"
    finding: Callable[[], list[Any]] = (
        (lambda: events.events_of("labs", name))
        if kind == "ours"
        else (lambda: [each for each in events.events if each["involvedObject"]["name"] == name])
    )
    began = time.perf_counter()
    for _ in range(20):
        assert finding()
    return (time.perf_counter() - began) / 20


def memory() -> float:
    """Resident memory in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_SIZE / 1e6


def tell(**figures: float) -> None:
    print(json.dumps(figures), flush=True)


# -- the measuring process ----------------------------------------------------------------------


async def measure(kind: str, arguments: argparse.Namespace) -> dict[str, Any]:
    api = FakeApi()
    await api.start()
    labs = fill(api, arguments.pods, arguments.events)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--watch", kind, api.url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin is not None
    assert child.stdout is not None

    async def figures(ask: bool = True) -> dict[str, float]:
        assert child.stdin is not None
        assert child.stdout is not None
        if ask:
            child.stdin.write(b"\n")
            await child.stdin.drain()
        found: dict[str, float] = json.loads(await child.stdout.readline())
        return found

    loaded = {**await figures(ask=False), **await figures()}
    before = len(api.requests)
    await asyncio.sleep(arguments.seconds)
    quiet = await figures()
    quiet_requests = len(api.requests) - before
    for number in range(arguments.changes):
        name = labs[number % len(labs)]["metadata"]["name"]
        api.put("pods", whole_pod(name, f"Phase{number}"))
        api.put("events", whole_event(f"late-{number}", labs[number % len(labs)], 0.0))
        api.history.clear()
        await asyncio.sleep(arguments.busy / arguments.changes)
    busy = await figures()
    child.stdin.close()
    await child.wait()
    await api.stop()
    return {
        "seconds to load": loaded["load_seconds"],
        "cpu to load": loaded["load_cpu"],
        "memory after loading, MB": loaded["memory"],
        f"cpu of {arguments.seconds} quiet seconds": quiet["cpu"] - loaded["cpu"],
        f"cpu of {arguments.changes} changed pods and events": busy["cpu"] - quiet["cpu"],
        "memory at the end, MB": busy["memory"],
        "requests to load": before,
        f"requests in {arguments.seconds} quiet seconds": quiet_requests,
        "events held": busy["events"],
        "finding one lab's events, ms": busy["look"] * 1000,
    }


async def compare(arguments: argparse.Namespace) -> None:
    found = {kind: await measure(kind, arguments) for kind in ("stock", "ours")}
    ratios = {
        name: found["ours"][name] / value if value else None
        for name, value in found["stock"].items()
    }
    print(f"{'':48s}{'stock':>10s}{'ours':>10s}{'ratio':>10s}")
    for name, value in found["stock"].items():
        ratio = ratios[name]
        shown = f"{ratio:10.3f}" if ratio is not None else f"{'-':>10s}"
        print(f"{name:48s}{value:10.3f}{found['ours'][name]:10.3f}{shown}")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps({**found, "ratio": ratios}, indent=2) + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=500)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=60, help="of quiet watching")
    parser.add_argument("--changes", type=int, default=2000)
    parser.add_argument("--busy", type=float, default=20.0, help="seconds for the changes")
    parser.add_argument("--watch", nargs=2, metavar=("KIND", "URL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.watch:
        asyncio.run(watch(*arguments.watch))
    else:
        asyncio.run(compare(arguments))


if __name__ == "__main__":
    main()
