"""Records pods and events of a real cluster in every situation that ``diagnosis`` must tell.

``python -m tests.spawner.pods.record_situations KUBECONFIG REGISTRY [NAME ...]``, on the
machine of a cluster of ``make cluster`` (REGISTRY has ``library/busybox``, kwok simulates nodes),
makes each situation in a namespace of its own, waits until the cluster knows, and writes
``data/situations/<name>.json``. Names and addresses are made the same for every recording: a diff
shows what Kubernetes says otherwise than before.
"""

from __future__ import annotations

import copy
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.kube import GROUPS, Kube, Manifest, fresh_namespace
from tests.spawner.pods.situations import (
    NAME,
    Known,
    Situation,
    of_containers,
    of_images,
    of_volumes,
)
from tests.spawner.pods.situations_places import call_ready, of_ends, of_places
from tests.spawner.pods.unwilling_registry import unwilling_registry

FOLDER = Path(__file__).parent / "data" / "situations"
GROUPS["RuntimeClass"] = "apis/node.k8s.io/v1/runtimeclasses"
OF_THE_CLUSTER = ("Node", "RuntimeClass")
TIMES = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"


def record(kube: Kube, name: str, situation: Situation) -> None:
    with fresh_namespace(kube, "situation") as namespace, made(kube, situation, namespace):
        manifest = copy.deepcopy(situation.pod)
        manifest["metadata"]["namespace"] = namespace
        kube.create(manifest)
        if situation.first is not None and situation.then is not None:
            look_until(kube, namespace, name, situation.first, situation.seconds)
            situation.then(kube, namespace)
        found, events = look_until(kube, namespace, name, situation.known, situation.seconds)
        # The events of what the pod says already may come a moment later.
        settled = time.monotonic() + 1.0
        while time.monotonic() < settled:
            events = lab_events(kube, namespace)
            time.sleep(0.2)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(written(found, events))


@contextmanager
def made(kube: Kube, situation: Situation, namespace: str) -> Iterator[None]:
    """What the situation needs, and away with what outlives the namespace."""
    try:
        for each in situation.before:
            wanted = copy.deepcopy(each)
            if wanted["kind"] not in OF_THE_CLUSTER:
                wanted["metadata"]["namespace"] = namespace
            kube.create(wanted)
            if wanted["kind"] == "Node":
                if not wanted["metadata"]["annotations"]:
                    call_ready(kube)
                kube.wait("Node", wanted["metadata"]["name"], is_ready)
            if wanted["kind"] == "Pod":
                until(lambda: has_place(kube, "filler", namespace), "a place for the filler")
        yield
    finally:
        for each in kube.list("Pod", namespace):
            kube.patch(
                "Pod", each["metadata"]["name"], {"metadata": {"finalizers": None}}, namespace
            )
        for each in situation.before:
            if each["kind"] in OF_THE_CLUSTER:
                for pod in kube.list("Pod", namespace):
                    path = pod["metadata"]["name"]
                    kube.delete("Pod", path, namespace, gracePeriodSeconds=0)
                kube.delete(each["kind"], each["metadata"]["name"])


def is_ready(found: Manifest | None) -> bool:
    conditions = (found or {}).get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def has_place(kube: Kube, name: str, namespace: str) -> bool:
    found = kube.get("Pod", name, namespace)
    return found is not None and "nodeName" in found["spec"]


def until(holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {seconds:g} s for {what}")
        time.sleep(0.1)


def look_until(
    kube: Kube, namespace: str, name: str, known: Known, seconds: float
) -> tuple[Manifest, list[Manifest]]:
    deadline = time.monotonic() + seconds
    while True:
        found = kube.get("Pod", NAME, namespace)
        assert found is not None, name
        events = lab_events(kube, namespace)
        if known(found, events):
            return found, events
        if time.monotonic() > deadline:
            raise SystemExit(f"{name}: {json.dumps(found['status'])} {events}")
        time.sleep(0.1)


def lab_events(kube: Kube, namespace: str) -> list[Manifest]:
    events = kube.list("Event", namespace)
    return [each for each in events if each["involvedObject"]["name"] == NAME]


def written(found: Manifest, events: list[Manifest]) -> str:
    """The recording as text: one line for each part of the pod and for each event."""
    events = sorted(events, key=lambda each: int(each["metadata"]["resourceVersion"]))
    for place, each in enumerate(events, start=1):
        each["metadata"] = {"resourceVersion": str(place), "name": f"{NAME}.{place}"}
        each["involvedObject"] = {"name": NAME, "uid": found["metadata"]["uid"]}
    events = [{key: value for key, value in each.items() if value} for each in events]
    found["metadata"].pop("managedFields", None)
    found["metadata"]["resourceVersion"] = "1"
    lines = ['{"pod": {']
    for key in ("metadata", "spec"):
        lines.append(f'  "{key}": {json.dumps(found[key], sort_keys=True)},')
    status = [
        f'    "{key}": {json.dumps(value, sort_keys=True)}'
        for key, value in sorted(found["status"].items())
    ]
    lines.append('  "status": {\n' + ",\n".join(status) + "}},")
    told = [f"  {json.dumps(each, sort_keys=True)}" for each in events]
    lines.append('"events": [\n' + ",\n".join(told) + "]}")
    return plain("\n".join(lines) + "\n", found)


def plain(text: str, found: Manifest) -> str:
    """The same words for what is another name at each recording."""
    text = text.replace(found["metadata"]["uid"], "uid-of-the-pod")
    text = text.replace(found["metadata"]["namespace"], "labs")
    text = re.sub(r"containerd://[0-9a-f]{64}", "containerd://1", text)
    text = re.sub(r'("(?:c|k)ontainerID": )"[^"]*"', r'\1"1"', text)
    text = re.sub(r"127\.0\.0\.1:(?!9/|5000/)\d{4,5}", "registry.example.org", text)
    return re.sub(r"127\.0\.0\.1:5000", "images.example.org", text)


def main() -> None:
    kubeconfig, registry, *only = sys.argv[1:]
    kube = Kube(Path(kubeconfig))
    with unwilling_registry() as unwilling:
        every = {
            **of_images(registry, unwilling),
            **of_containers(registry),
            **of_volumes(registry),
            **of_places(registry),
            **of_ends(registry),
        }
        for name, situation in every.items():
            if not only or name in only:
                began = time.monotonic()
                record(kube, name, situation)
                print(f"{name} {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
