"""The situations of places: nodes that are full, closed, lost; pods that are taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cluster.kube import Kube, Manifest
from tests.spawner.pods.situations import (
    NAME,
    Situation,
    busybox,
    disrupted,
    event,
    no_place,
    pod,
    reason,
    running,
)

NODE = "situation-node"
KWOK = "kwok.x-k8s.io/node"
KEPT = ["despejado.dev/recording"]
"""Finalizers of pods that are looked at after their deletion."""


def node(*, alive: bool = True, taints: tuple[Manifest, ...] = (), **spec: Any) -> Manifest:
    """A simulated node that only pods of these situations are placed on.

    One that is not ``alive`` says once that it is ready, and never again.
    """
    size = {"cpu": "4", "memory": "8Gi", "pods": "10", "ephemeral-storage": "100Gi"}
    ours = {"key": "despejado.dev/situation", "effect": "NoSchedule"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": NODE,
            "annotations": {KWOK: "fake"} if alive else {},
            "labels": {"despejado.dev/situation": "yes", "kubernetes.io/hostname": NODE},
        },
        "spec": {"taints": [ours, *taints], **spec},
        "status": {"allocatable": size, "capacity": size},
    }


def on_it(**changes: Any) -> Manifest:
    """A lab that only the simulated node may have."""
    tolerations = [
        {"key": "despejado.dev/situation", "operator": "Exists"},
        *changes.pop("tolerations", []),
    ]
    return pod(
        "lab:1",
        nodeSelector={"despejado.dev/situation": "yes"},
        tolerations=tolerations,
        **changes,
    )


def kept(manifest: Manifest, seconds: int = 5) -> Manifest:
    manifest["metadata"]["finalizers"] = KEPT
    manifest["spec"]["terminationGracePeriodSeconds"] = seconds
    return manifest


def memory(amount: str) -> Manifest:
    return {"resources": {"requests": {"memory": amount}}}


def filler() -> Manifest:
    """A pod that takes most of the node."""
    manifest = on_it(container=memory("6Gi"))
    manifest["metadata"]["name"] = "filler"
    return manifest


def urgent(kube: Kube, namespace: str) -> None:
    """A pod that ranks higher, for which the lab must go."""
    manifest = on_it(container=memory("6Gi"), priorityClassName="system-cluster-critical")
    manifest["metadata"] |= {"name": "urgent", "namespace": namespace}
    kube.create(manifest)


def delete(kube: Kube, namespace: str) -> None:
    kube.delete("Pod", NAME, namespace)


def evict(kube: Kube, namespace: str) -> None:
    """What a drained node does to its pods."""
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": NAME, "namespace": namespace},
    }
    answer = kube.call("POST", f"/api/v1/namespaces/{namespace}/pods/{NAME}/eviction", json=body)
    answer.raise_for_status()


def call_ready(kube: Kube) -> None:
    """What a kubelet says of its node, said once."""
    status = {"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Recorded"}]}}
    _patch_status(kube, f"/api/v1/nodes/{NODE}", status)


def call_running(kube: Kube, namespace: str) -> None:
    """What the kubelet of a node that is not alive would have said of the lab."""
    began = kube.get("Pod", NAME, namespace) or {}
    since = began["metadata"]["creationTimestamp"]
    container = {
        "name": "notebook",
        "image": "lab:1",
        "imageID": "lab@1",
        "ready": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": since}},
    }
    kinds = ("Initialized", "Ready", "ContainersReady", "PodReadyToStartContainers")
    status = {
        "phase": "Running",
        "podIP": "198.18.0.9",
        "containerStatuses": [container],
        "conditions": [
            {"type": kind, "status": "True", "lastTransitionTime": since} for kind in kinds
        ],
    }
    _patch_status(kube, f"/api/v1/namespaces/{namespace}/pods/{NAME}", {"status": status})


def _patch_status(kube: Kube, path: str, patch: Manifest) -> None:
    headers = {"Content-Type": "application/strategic-merge-patch+json"}
    kube.call("PATCH", f"{path}/status", json=patch, headers=headers).raise_for_status()


def remove_node(kube: Kube, namespace: str) -> None:
    kube.delete("Node", NODE)


def away(found: Manifest, events: list[Manifest]) -> bool:
    return event("NodeNotReady")(found, events)


def gone_with_its_end(found: Manifest, events: list[Manifest]) -> bool:
    over = found["status"].get("phase") in ("Failed", "Succeeded")
    return over and "deletionTimestamp" in found["metadata"]


def placed(found: Manifest, events: list[Manifest]) -> bool:
    return bool(found["status"].get("phase") == "Running")


def assigned(found: Manifest, events: list[Manifest]) -> bool:
    return "nodeName" in found["spec"]


def of_places(registry: str) -> Mapping[str, Situation]:
    """No place for a lab, now or ever."""
    box = busybox(registry)
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]
            }
        }
    }
    reserved = {"key": "reserved", "value": "gpu", "effect": "NoSchedule"}
    return {
        "selector": Situation(pod(box, nodeSelector={"disk": "fast"}), no_place),
        "affinity": Situation(pod(box, affinity=affinity), no_place),
        "too_big": Situation(pod(box, container=memory("900Gi")), no_place),
        "no_gpu": Situation(
            pod(box, container={"resources": {"limits": {"nvidia.com/gpu": "1"}}}), no_place
        ),
        "taint": Situation(on_it(), no_place, before=(node(taints=(reserved,)),)),
        "cordoned": Situation(on_it(), no_place, before=(node(unschedulable=True),)),
        "full": Situation(on_it(container=memory("4Gi")), no_place, before=(node(), filler())),
        "refused_by_the_node": Situation(
            pod(box, nodeName="node-1", container={"resources": {"requests": {"cpu": "900"}}}),
            reason("OutOfcpu"),
        ),
    }


def of_ends(registry: str) -> Mapping[str, Situation]:
    """Labs that are taken away."""
    box = busybox(registry)
    unreachable = [
        {
            "key": f"node.kubernetes.io/{key}",
            "operator": "Exists",
            "effect": "NoExecute",
            "tolerationSeconds": seconds,
        }
        for key, seconds in (("unreachable", 1), ("not-ready", 1))
    ]
    return {
        "deleted": Situation(
            kept(pod(box)),
            lambda found, events: "deletionTimestamp" in found["metadata"],
            first=running,
            then=delete,
        ),
        "deleted_and_over": Situation(
            kept(pod(box), 1), gone_with_its_end, first=running, then=delete
        ),
        "drained": Situation(
            kept(pod(box)), disrupted("EvictionByEvictionAPI"), first=running, then=evict
        ),
        "preempted": Situation(
            kept(on_it(container=memory("4Gi"))),
            disrupted("PreemptionByScheduler"),
            before=(node(),),
            first=placed,
            then=urgent,
        ),
        "machine_away": Situation(
            kept(on_it()),
            away,
            before=(node(alive=False),),
            first=assigned,
            then=call_running,
            seconds=180,
        ),
        "machine_lost": Situation(
            kept(on_it(tolerations=unreachable)),
            disrupted("DeletionByTaintManager"),
            before=(node(alive=False),),
            first=assigned,
            then=call_running,
            seconds=180,
        ),
        "machine_removed": Situation(
            kept(on_it()),
            disrupted("DeletionByPodGC"),
            before=(node(),),
            first=placed,
            then=remove_node,
            seconds=180,
        ),
    }
