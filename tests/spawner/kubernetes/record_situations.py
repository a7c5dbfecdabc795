"""Records pods and events of a real cluster in every situation that ``diagnosis`` must tell.

``python -m tests.spawner.kubernetes.record_situations KUBECONFIG REGISTRY`` (the registry has
``library/busybox``) makes each situation in a namespace of its own, waits until the cluster knows,
and writes ``data/situations/<name>.json``. Names, addresses and times are made the same for every
recording: a diff shows what Kubernetes says otherwise than before.
"""

from __future__ import annotations

import copy
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.kube import Kube, Manifest, fresh_namespace

FOLDER = Path(__file__).parent / "data" / "situations"
Known = Callable[[Manifest, list[Manifest]], bool]


def pod(registry: str, **changes: Any) -> Manifest:
    """A lab's pod of busybox that sleeps, with changes to its spec and container."""
    container: Manifest = {
        "name": "notebook",
        "image": f"{registry}/library/busybox:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", "sleep 600"],
        "resources": {"limits": {"cpu": "100m", "memory": "32Mi"}},
        "ports": [{"containerPort": 8888, "name": "notebook-port"}],
    }
    container |= changes.pop("container", {})
    spec: Manifest = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    spec |= changes
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "jupyter-rachel",
            "annotations": {"despejado.dev/image-title": "Weekly 2026_43"},
        },
        "spec": spec,
    }


def waiting(*reasons: str) -> Known:
    def known(found: Manifest, events: list[Manifest]) -> bool:
        status = found.get("status", {})
        every = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
        return any(
            (each.get("state", {}).get("waiting") or {}).get("reason") in reasons for each in every
        )

    return known


def terminated(found: Manifest, events: list[Manifest]) -> bool:
    status = found.get("status", {})
    every = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
    return status.get("phase") == "Failed" and any("terminated" in each["state"] for each in every)


def event(reason: str) -> Known:
    return lambda found, events: any(each["reason"] == reason for each in events)


def phase(name: str) -> Known:
    return lambda found, events: found.get("status", {}).get("phase") == name


def running(found: Manifest, events: list[Manifest]) -> bool:
    """Running, and its events are there."""
    return phase("Running")(found, events) and event("Started")(found, events)


def situations(registry: str) -> dict[str, tuple[Manifest, Known]]:
    """Name to the pod and to what the cluster must have noticed."""
    missing = {"secretKeyRef": {"name": "not-there", "key": "token"}}
    claim = {"persistentVolumeClaim": {"claimName": "not-there"}}
    folder = {"hostPath": {"path": "/not/there", "type": "Directory"}}
    eat = ["sh", "-c", "x=0123456789; while true; do x=$x$x; done"]
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]
            }
        }
    }
    return {
        "running": (pod(registry), running),
        "image_not_found": (
            pod(registry, container={"image": f"{registry}/no/such:w_2026_43"}),
            waiting("ErrImagePull"),
        ),
        "image_backing_off": (
            pod(registry, container={"image": f"{registry}/library/busybox:w_2026_43"}),
            waiting("ImagePullBackOff"),
        ),
        "image_name": (
            pod(registry, container={"image": "No Image"}),
            waiting("InvalidImageName"),
        ),
        "image_never": (
            pod(
                registry,
                container={"image": f"{registry}/never:1", "imagePullPolicy": "Never"},
            ),
            waiting("ErrImageNeverPull"),
        ),
        "registry_away": (
            pod(registry, container={"image": "127.0.0.1:9/despejado/lab:w_2026_43"}),
            waiting("ErrImagePull"),
        ),
        "command": (
            pod(registry, container={"command": ["jupyterhub-singleuser"]}),
            lambda found, events: (
                terminated(found, events) or waiting("RunContainerError")(found, events)
            ),
        ),
        "secret_missing": (
            pod(registry, container={"env": [{"name": "TOKEN", "valueFrom": missing}]}),
            waiting("CreateContainerConfigError"),
        ),
        "root_image": (
            pod(registry, securityContext={"runAsNonRoot": True}),
            waiting("CreateContainerConfigError"),
        ),
        "crashed": (
            pod(registry, container={"command": ["sh", "-c", "echo no config >&2; exit 3"]}),
            terminated,
        ),
        "crashed_with_words": (
            pod(
                registry,
                container={
                    "command": ["sh", "-c", "echo The port is taken > /dev/termination-log; exit 1"]
                },
            ),
            terminated,
        ),
        "out_of_memory": (pod(registry, container={"command": eat}), terminated),
        "crash_loop": (
            pod(registry, restartPolicy="Always", container={"command": ["false"]}),
            waiting("CrashLoopBackOff"),
        ),
        "init_failed": (
            pod(
                registry,
                initContainers=[
                    {
                        "name": "prepare",
                        "image": f"{registry}/library/busybox:latest",
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", "exit 2"],
                    }
                ],
            ),
            terminated,
        ),
        "selector": (pod(registry, nodeSelector={"disk": "fast"}), event("FailedScheduling")),
        "affinity": (pod(registry, affinity=affinity), event("FailedScheduling")),
        "too_big": (
            pod(
                registry,
                container={"resources": {"requests": {"memory": "900Gi"}}},
            ),
            event("FailedScheduling"),
        ),
        "claim_missing": (
            pod(registry, volumes=[{"name": "home", **claim}]),
            event("FailedScheduling"),
        ),
        "folder_missing": (
            pod(
                registry,
                volumes=[{"name": "home", **folder}],
                container={"volumeMounts": [{"name": "home", "mountPath": "/home/rachel"}]},
            ),
            event("FailedMount"),
        ),
        "config_map_missing": (
            pod(
                registry,
                volumes=[{"name": "files", "configMap": {"name": "not-there"}}],
                container={"volumeMounts": [{"name": "files", "mountPath": "/etc/despejado"}]},
            ),
            event("FailedMount"),
        ),
        "home_gate": (
            pod(registry, schedulingGates=[{"name": "despejado.dev/home"}]),
            lambda found, events: (
                found["status"].get("conditions", [{}])[0].get("reason") == "SchedulingGated"
            ),
        ),
        "evicted": (
            pod(
                registry,
                container={
                    "command": ["sh", "-c", "dd if=/dev/zero of=/x bs=1M count=64; sleep 600"],
                    "resources": {"limits": {"ephemeral-storage": "16Mi", "memory": "64Mi"}},
                },
            ),
            lambda found, events: found["status"].get("reason") == "Evicted",
        ),
    }


def record(kube: Kube, name: str, manifest: Manifest, known: Known) -> None:
    with fresh_namespace(kube, "situation") as namespace:
        manifest = copy.deepcopy(manifest)
        manifest["metadata"]["namespace"] = namespace
        kube.create(manifest)
        deadline = time.monotonic() + 120
        while True:
            found = kube.get("Pod", "jupyter-rachel", namespace)
            assert found is not None
            events = kube.list("Event", namespace)
            if known(found, events):
                break
            if time.monotonic() > deadline:
                raise SystemExit(f"{name}: {json.dumps(found['status'])} {events}")
            time.sleep(0.2)
        # The events of what the pod says already may come a moment later.
        settled = time.monotonic() + 1.0
        while time.monotonic() < settled:
            events = kube.list("Event", namespace)
            time.sleep(0.2)
        found = kube.get("Pod", "jupyter-rachel", namespace) or found
    write(name, found, events)


def write(name: str, found: Manifest, events: list[Manifest]) -> None:
    document = {
        "pod": found,
        "events": sorted(events, key=lambda each: each["firstTimestamp"] or ""),
    }
    for each in (found, *events):
        each["metadata"].pop("managedFields", None)
    text = json.dumps(document, indent=1, sort_keys=True)
    text = text.replace(found["metadata"]["uid"], "uid-of-the-pod")
    text = text.replace(found["metadata"]["namespace"], "labs")
    text = re.sub(r'"(resourceVersion|uid)": "(?!uid-of)[^"]+"', r'"\1": "1"', text)
    text = re.sub(r"jupyter-rachel\.[0-9a-f]{10,}", "jupyter-rachel.event", text)
    text = re.sub(r"containerd://[0-9a-f]{64}", "containerd://1", text)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(text + "\n")


def main() -> None:
    kubeconfig, registry, *only = sys.argv[1:]
    kube = Kube(Path(kubeconfig))
    for name, (manifest, known) in situations(registry).items():
        if not only or name in only:
            record(kube, name, manifest, known)
            print(name, flush=True)


if __name__ == "__main__":
    main()
