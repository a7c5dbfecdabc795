"""Records whole starts: every state of a pod and its events, from created to running.

``python -m tests.spawner.pods.record_starts KUBECONFIG REGISTRY [NAME ...]`` writes
``data/starts/<name>.json``: the events in the order in which they came, and for each step the pod
and how many of the events were there.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tests.cluster.kube import Kube, Manifest, fresh_namespace
from tests.spawner.pods.record_situations import lab_events, made, plain
from tests.spawner.pods.situations import (
    NAME,
    Situation,
    busybox,
    event,
    no_place,
    pod,
    running,
    shell,
)
from tests.spawner.pods.situations_places import filler, memory, node, on_it, placed

FOLDER = Path(__file__).parent / "data" / "starts"


def open_gate(kube: Kube, namespace: str) -> None:
    kube.patch("Pod", NAME, {"spec": {"schedulingGates": []}}, namespace)


def late_config_map(kube: Kube, namespace: str) -> None:
    metadata = {"name": "late", "namespace": namespace}
    kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}})


def make_room(kube: Kube, namespace: str) -> None:
    kube.delete("Pod", "filler", namespace, gracePeriodSeconds=0)


def starts(registry: str) -> Mapping[str, Situation]:
    box = busybox(registry)
    first = {"name": "prepare", "image": box, **shell("sleep 1")}
    late = [{"name": "files", "configMap": {"name": "late"}}]
    mount = [{"name": "files", "mountPath": "/etc/late"}]
    return {
        "plain": Situation(pod(box, container={"imagePullPolicy": "Always"}), running),
        "home_and_init": Situation(
            pod(
                box,
                schedulingGates=[{"name": "despejado.dev/home"}],
                initContainers=[first],
            ),
            running,
            first=lambda found, events: bool(found["status"].get("conditions")),
            then=open_gate,
        ),
        "late_config_map": Situation(
            pod(box, volumes=late, container={"volumeMounts": mount}),
            running,
            first=event("FailedMount"),
            then=late_config_map,
        ),
        "full_then_free": Situation(
            on_it(container=memory("4Gi")),
            placed,
            before=(node(), filler()),
            first=no_place,
            then=make_room,
        ),
    }


def record(kube: Kube, name: str, start: Situation) -> None:
    events: dict[str, Manifest] = {}
    steps: list[tuple[Manifest, int]] = []
    with fresh_namespace(kube, "start") as namespace, made(kube, start, namespace):
        manifest = copy.deepcopy(start.pod)
        manifest["metadata"]["namespace"] = namespace
        kube.create(manifest)
        deadline = time.monotonic() + start.seconds
        while True:
            for each in lab_events(kube, namespace):
                events.setdefault(each["metadata"]["name"], each)
            found = kube.get("Pod", NAME, namespace)
            assert found is not None and time.monotonic() < deadline, name
            found["metadata"].pop("managedFields", None)
            if not steps or steps[-1] != (found, len(events)):
                steps.append((found, len(events)))
            if start.first and start.then and start.first(found, list(events.values())):
                start.then(kube, namespace)
                start = replace(start, then=None)
            if start.known(found, list(events.values())):
                break
            time.sleep(0.005)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(written(list(events.values()), steps))


def written(events: list[Manifest], steps: list[tuple[Manifest, int]]) -> str:
    pod = steps[-1][0]
    for place, each in enumerate(events, start=1):
        each["metadata"] = {"resourceVersion": str(place), "name": f"{NAME}.{place}"}
        each["involvedObject"] = {"name": NAME, "uid": pod["metadata"]["uid"]}
    events = [{key: value for key, value in each.items() if value} for each in events]
    told = ",\n".join(f"  {json.dumps(each, sort_keys=True)}" for each in events)
    lines = ",\n".join(
        f"  {json.dumps({'events': count, 'pod': found}, sort_keys=True)}" for found, count in steps
    )
    text = f'{{"events": [\n{told}],\n"steps": [\n{lines}]}}\n'
    return plain(text, pod)


def main() -> None:
    kubeconfig, registry, *only = sys.argv[1:]
    kube = Kube(Path(kubeconfig))
    for name, start in starts(registry).items():
        if not only or name in only:
            record(kube, name, start)
            print(name, flush=True)


if __name__ == "__main__":
    main()
