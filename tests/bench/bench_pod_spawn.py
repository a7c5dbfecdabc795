"""From the click to a usable lab and to its first answered cell, as pods of a real cluster.

Four hubs on one cluster, their starts alternating: LabSpawner and stock KubeSpawner, each
with a plain image of JupyterHub and JupyterLab and with an image of this project. All labs have the
user's home from one claim, and all images are on the node. (A pod without any volume, which is no
lab for anybody, starts 0.3 s earlier: the kubelet looks every 300 ms whether volumes are mounted.)
Also counted: the API calls of a start, by a door before the API server.

Needs the tests' cluster and its images (``make cluster cluster-images``). Writes
``test-output/bench/pod_spawn.json``. Goals: ours at most 0.5 of stock with the plain image, at most
0.75 with our own image under both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.cluster.api_gate import Gate, api_gate  # noqa: E402  (not installed)
from tests.cluster.clusters import Cluster, find_cluster  # noqa: E402
from tests.cluster.kube import Kube, fresh_namespace  # noqa: E402
from tests.cluster.pod_hub import PodHub  # noqa: E402
from tests.cluster.sites import execute, shared_volume  # noqa: E402

IMAGES = {"plain": "despejado-tests/stock:1", "own": "despejado/lab:plain"}
GOALS = {"plain": 0.5, "own": 0.75}
OUTPUT = ROOT / "test-output" / "bench" / "pod_spawn.json"
USER = "rachel"
HOME = f"/home/{USER}"
OWNERS = {"ours": 5000 + sum(USER.encode()) % 1000, "stock": 1000}
"""Who labs run as: by tests/cluster/data/pod_hub_config.py, and the user of both images."""


def settings(image: str, *, stock: bool, own: bool) -> dict[str, Any]:
    """A hub with LabSpawner or KubeSpawner, and one of the images."""
    kubespawner: dict[str, Any] = {
        "image": image,
        "image_pull_policy": "IfNotPresent",
        "cmd": ["/opt/despejado/bin/lab"] if own else ["jupyterhub-singleuser"],
        "cpu_limit": 2,
        "cpu_guarantee": 0.1,
        "mem_limit": "2G",
        "mem_guarantee": "256M",
        "start_timeout": 120,
    }
    if stock:
        volume = {"name": "home", "persistentVolumeClaim": {"claimName": "homes"}}
        return {
            "stock": True,
            "kubespawner": {
                **kubespawner,
                "uid": OWNERS["stock"],
                "gid": OWNERS["stock"],
                "environment": {"HOME": HOME},
                "working_dir": HOME,
                "volumes": [volume],
                "volume_mounts": [{"name": "home", "mountPath": HOME, "subPath": USER}],
            },
        }
    size = {"cpu": 2.0, "memory": "2G", "cpu_guarantee": 0.1, "memory_guarantee": "256M"}
    offered = {"lab": {"image": image, "launcher": own}}
    lab = {"images": offered, "sizes": {"small": size}, "homes": {"claim": "homes"}}
    return {"kubespawner": kubespawner, "lab": lab}


def click_to_usable(hub: PodHub) -> float:
    """Seconds from the request to its answer, which comes when the lab answers the hub."""
    began = time.perf_counter()
    answer = hub.ask(USER)
    seconds = time.perf_counter() - began
    if answer.status_code != 201:
        raise SystemExit(f"no lab: {answer.status_code} {answer.text}\n{hub.log()[-3000:]}")
    return seconds


def first_cell(hub: PodHub) -> float:
    """Seconds from the request for a kernel to the answer of its first cell."""
    token = hub.token_for(USER)
    url = hub.lab_url(USER)
    began = time.perf_counter()
    said = execute(url, token, "print(1 + 1)")
    seconds = time.perf_counter() - began
    if said.strip() != "2":
        raise SystemExit(f"the first cell answered {said!r}")
    return seconds


def start_hub(
    stack: ExitStack, cluster: Cluster, what: dict[str, Any], owner: int
) -> tuple[PodHub, Gate]:
    kube = Kube(cluster.kubeconfig)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="despejado-bench-")))
    namespace = stack.enter_context(fresh_namespace(kube, "bench"))
    homes = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="despejado-bench-")))
    homes.chmod(0o755)
    (homes / USER).mkdir(mode=0o700)
    os.chown(homes / USER, owner, owner)
    stack.enter_context(shared_volume(kube, namespace, "homes", homes))
    gate, kubeconfig = stack.enter_context(api_gate(cluster.kubeconfig, folder))
    hub = PodHub(folder, kubeconfig, cluster.node_address, namespace, what)
    hub.start()
    stack.callback(hub.stop)
    hub.add_user(USER)
    return hub, gate


def measure(cluster: Cluster, runs: int) -> dict[str, Any]:
    images = {name: cluster.image(reference) for name, reference in IMAGES.items()}
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        hubs = {
            (image, who): start_hub(
                stack,
                cluster,
                settings(reference, stock=who == "stock", own=image == "own"),
                OWNERS[who],
            )
            for image, reference in images.items()
            for who in ("ours", "stock")
        }
        for hub, _ in hubs.values():  # once unmeasured: images on the node, files in the cache
            click_to_usable(hub)
            hub.end(USER)
        for _ in range(runs):
            for (image, who), (hub, gate) in hubs.items():
                empty: dict[str, list[float]] = {"start": [], "cell": [], "calls": []}
                entry = found.setdefault(image, {}).setdefault(who, empty)
                gate.calls.clear()
                entry["start"].append(click_to_usable(hub))
                entry["calls"].append(sum(call.verb != "watch" for call in gate.calls))
                entry["cell"].append(first_cell(hub))
                hub.end(USER)
                print(
                    f"{image:5s} {who:5s} {entry['start'][-1]:6.2f} s to usable, "
                    f"{entry['cell'][-1]:5.2f} s to the first cell, "
                    f"{entry['calls'][-1]} API calls",
                    flush=True,
                )
    return found


def report(found: dict[str, Any]) -> None:
    document: dict[str, Any] = {"seconds": found, "ratios": {}, "goals": GOALS}
    for image, by in found.items():
        median = {
            (who, what): statistics.median(values)
            for who, entry in by.items()
            for what, values in entry.items()
        }
        ratio = median["ours", "start"] / median["stock", "start"]
        document["ratios"][image] = ratio
        print(
            f"{image}: ours {median['ours', 'start']:.2f} s, stock {median['stock', 'start']:.2f} "
            f"s, ratio {ratio:.2f} (goal: at most {GOALS[image]}); first cell "
            f"{median['ours', 'cell']:.2f} s against {median['stock', 'cell']:.2f} s; "
            f"{median['ours', 'calls']:.0f} against {median['stock', 'calls']:.0f} API calls"
        )
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(document, indent=2) + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args(argv)
    cluster = find_cluster()
    if cluster is None:
        print("no cluster: make cluster brings one up")
        return
    report(measure(cluster, arguments.runs))


if __name__ == "__main__":
    main()
