"""Simulated nodes: kwok answers for their kubelets, everything else of the cluster is real."""

from __future__ import annotations

from tests.cluster.harness.api import Api, Json
from tests.cluster.harness.components import until
from tests.cluster.harness.errors import HarnessError

KEY = "kwok.x-k8s.io/node"
TOLERATION: Json = {"key": KEY, "operator": "Equal", "value": "fake", "effect": "NoSchedule"}
"""What a pod needs to be placed on a simulated node."""
SELECTOR = {"type": "kwok"}
"""The label by which a pod can ask for a simulated node."""


def fake_node(number: int, cpu: str = "64", memory: str = "256Gi", pods: str = "500") -> Json:
    """A node as big as wanted, which real pods keep off by its taint."""
    name = f"fake-{number}"
    size = {"cpu": cpu, "memory": memory, "pods": pods, "ephemeral-storage": "1Ti"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {KEY: "fake"},
            "labels": SELECTOR
            | {
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
            },
        },
        "spec": {"taints": [{"key": KEY, "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": size, "capacity": size},
    }


def add(api: Api, count: int, seconds: float = 30.0) -> list[str]:
    """Have ``count`` simulated nodes, fake-1 to fake-N, all Ready; returns their names."""
    for number in range(1, count + 1):
        node = fake_node(number)
        api.apply(node)
    names = [f"fake-{number}" for number in range(1, count + 1)]
    if not until(lambda: set(names) <= _ready_nodes(api), seconds, 0.1):
        missing = sorted(set(names) - _ready_nodes(api))
        raise HarnessError(f"simulated nodes are not Ready: {missing}; does kwok run? (`status`)")
    return names


def remove(api: Api) -> list[str]:
    """Remove all simulated nodes and their pods; returns the names."""
    items = api.get("/api/v1/nodes", labelSelector="type=kwok")["items"]
    names = [str(it["metadata"]["name"]) for it in items]
    for name in names:
        pods = api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={name}")["items"]
        for pod in pods:
            metadata = pod["metadata"]
            path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
            api.delete(path, gracePeriodSeconds="0")
        api.delete(f"/api/v1/nodes/{name}")
    return names


def _ready_nodes(api: Api) -> set[str]:
    items = api.get("/api/v1/nodes", labelSelector="type=kwok")["items"]
    return {
        str(item["metadata"]["name"])
        for item in items
        for condition in item["status"].get("conditions", ())
        if condition["type"] == "Ready" and condition["status"] == "True"
    }
