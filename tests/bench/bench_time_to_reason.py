"""How long until a person reads why a lab does not start: LabSpawner against stock KubeSpawner.

Each failure is one user of two hubs, one with either spawner and the same KubeSpawner traits, on
one real cluster. Measured is the time from the request to the hub's final answer, and whether that
names the reason: a word of the failure that only the cluster knew. Stock has its own
``start_timeout`` of 60 s. All users of a hub ask at once: a failure costs a hub next to nothing,
and stock mostly waits.

Needs the tests' cluster and its images (``make cluster cluster-images``). Writes
``test-output/bench/time_to_reason.json``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.cluster.clusters import Cluster, find_cluster  # noqa: E402  (not installed)
from tests.cluster.kube import Kube, fresh_namespace  # noqa: E402
from tests.cluster.pod_hub import PodHub  # noqa: E402
from tests.cluster.sites import ENFORCE  # noqa: E402

OUTPUT = ROOT / "test-output" / "bench" / "time_to_reason.json"
WHO = ("ours", "stock")
QUOTA = {"requests.memory": "8Gi"}


@dataclass(frozen=True)
class Failure:
    """Traits that no lab can start with, and words of which an answer that explains has one."""

    traits: dict[str, Any]
    words: tuple[str, ...]


def failures(cluster: Cluster) -> dict[str, Failure]:
    busybox = f"{cluster.registry}/library/busybox:latest"
    missing = {"name": "data", "persistentVolumeClaim": {"claimName": "not-there"}}
    return {
        "image not found": Failure(
            {"image": f"{cluster.registry}/despejado/lab:w_1999_01"},
            ("does not exist", "not found"),
        ),
        "no such registry": Failure(
            {"image": "registry.invalid/lab:1"}, ("registry.invalid", "name that is not known")
        ),
        "no such program": Failure({"image": busybox, "cmd": ["no-such-program"]}, ("program",)),
        "ends at once": Failure(
            {"image": busybox, "cmd": ["sh", "-c", "echo no license; exit 3"]},
            ("no license", "code 3", "status 3"),
        ),
        "no machine of that kind": Failure(
            {"node_selector": {"telescope": "none"}}, ("machine", "node")
        ),
        "claim that is not there": Failure(
            {"volumes": [missing], "volume_mounts": [{"name": "data", "mountPath": "/data"}]},
            ("not-there",),
        ),
        "quota": Failure({"mem_guarantee": "20G", "mem_limit": "20G"}, ("quota",)),
        "Pod Security": Failure(
            {"extra_pod_config": {"hostPID": True}}, ("PodSecurity", "Pod Security", "hostPID")
        ),
    }


def settings(cluster: Cluster, wanted: dict[str, Failure], *, stock: bool) -> dict[str, Any]:
    return {
        "stock": stock,
        "patience": 600,
        "identity": False,
        "log_level": "ERROR",
        "kubespawner": {
            "image": cluster.image("despejado-tests/stock:1"),
            "image_pull_policy": "IfNotPresent",
            "mem_guarantee": "64M",
            "mem_limit": "1G",
        },
        "lab": {"pod_security": "as-configured"},
        "users": {user(name): failure.traits for name, failure in wanted.items()},
    }


def user(name: str) -> str:
    return name.lower().replace(" ", "-")


def ask(hub: PodHub, name: str) -> tuple[float, str]:
    began = time.perf_counter()
    answer = hub.ask(user(name))
    seconds = time.perf_counter() - began
    if answer.status_code < 400:
        raise SystemExit(f"{name}: a lab came after all ({answer.status_code})")
    return seconds, str(answer.json().get("message", answer.text))


def measure(cluster: Cluster) -> dict[str, dict[str, Any]]:
    kube = Kube(cluster.kubeconfig)
    wanted = failures(cluster)
    found: dict[str, dict[str, Any]] = {name: {} for name in wanted}
    for who in WHO:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="despejado-")))
            labs = stack.enter_context(fresh_namespace(kube, "bench", **{ENFORCE: "baseline"}))
            kube.create(
                {
                    "apiVersion": "v1",
                    "kind": "ResourceQuota",
                    "metadata": {"name": "memory", "namespace": labs},
                    "spec": {"hard": QUOTA},
                }
            )
            what = settings(cluster, wanted, stock=who == "stock")
            hub = PodHub(folder, cluster.kubeconfig, cluster.node_address, labs, what)
            stack.callback(hub.stop)
            hub.start()
            for name in wanted:
                hub.add_user(user(name))
            threads = stack.enter_context(ThreadPoolExecutor(len(wanted)))
            answers = threads.map(lambda name, at=hub: ask(at, name), wanted)
            for name, (seconds, message) in zip(wanted, answers, strict=True):
                told = any(word in message for word in wanted[name].words)
                found[name][who] = {"seconds": seconds, "told": told, "message": message}
                print(f"{who:6s}{seconds:8.2f} s  {name}: {message}", flush=True)
    return found


def report(found: dict[str, dict[str, Any]]) -> None:
    print(f"{'':26s}{'ours':>8s}{'stock':>8s}{'ratio':>8s}   the reason is told")
    for name, by in found.items():
        ours, stock = by["ours"], by["stock"]
        by["ratio"] = ours["seconds"] / stock["seconds"]
        told = ", ".join(who for who in WHO if by[who]["told"]) or "by none"
        print(f"{name:26s}{ours['seconds']:8.2f}{stock['seconds']:8.2f}{by['ratio']:8.3f}   {told}")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(found, indent=2) + "\n")


def main(argv: Sequence[str] | None = None) -> None:
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    cluster = find_cluster()
    if cluster is None:
        print("no cluster: make cluster brings one up")
        return
    report(measure(cluster))


if __name__ == "__main__":
    main()
