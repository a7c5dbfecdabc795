"""NetworkPolicies, and the pods and namespaces that they speak about, as the API describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Pod:
    """A pod with a network of its own; one of the host's network is the host."""

    uid: str
    namespace: str
    name: str
    labels: Mapping[str, str]
    address: str
    ports: Mapping[tuple[str, str], int]
    """The container ports that have names, by (name, protocol)."""


@dataclass(frozen=True)
class Requirement:
    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        if self.operator == "In":
            return labels.get(self.key) in self.values
        if self.operator == "NotIn":
            return labels.get(self.key) not in self.values
        return (self.key in labels) == (self.operator == "Exists")


@dataclass(frozen=True)
class Selector:
    """All of these hold; an empty one selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def selects(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.holds(labels) for requirement in self.requirements)


@dataclass(frozen=True)
class Block:
    cidr: str
    excepted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Peer:
    """Either addresses, or pods: ``namespaces`` None means the policy's own namespace."""

    block: Block | None = None
    pods: Selector | None = None
    namespaces: Selector | None = None


@dataclass(frozen=True)
class Port:
    protocol: str
    port: int | str | None = None
    """A number, a name, or None for every port of the protocol."""
    end: int | None = None


@dataclass(frozen=True)
class Rule:
    """Traffic with any of ``peers`` on any of ``ports``; None means all."""

    peers: tuple[Peer, ...] | None
    ports: tuple[Port, ...] | None


@dataclass(frozen=True)
class Policy:
    namespace: str
    name: str
    pods: Selector
    ingress: tuple[Rule, ...] | None
    """None where the policy says nothing about this direction; () allows nothing."""
    egress: tuple[Rule, ...] | None

    def selects(self, pod: Pod) -> bool:
        return pod.namespace == self.namespace and self.pods.selects(pod.labels)


def parse_pod(item: Json, address: str | None = None) -> Pod | None:
    """A pod whose traffic can be told by its address; None for others.

    ``address`` is known before the API server knows it.
    """
    status = item.get("status") or {}
    spec = item.get("spec") or {}
    address = address or status.get("podIP")
    # An ended pod's address may belong to another one already.
    if not address or spec.get("hostNetwork") or status.get("phase") in ("Succeeded", "Failed"):
        return None
    containers: Iterable[Json] = [*(spec.get("containers") or ()), *_sidecars(spec)]
    ports = {
        (port["name"], port.get("protocol", "TCP")): int(port["containerPort"])
        for container in containers
        for port in container.get("ports") or ()
        if port.get("name")
    }
    metadata = item["metadata"]
    return Pod(
        metadata["uid"],
        metadata["namespace"],
        metadata["name"],
        metadata.get("labels") or {},
        address,
        ports,
    )


def parse_policy(item: Json) -> Policy:
    metadata, spec = item["metadata"], item.get("spec") or {}
    types = spec.get("policyTypes") or (["Ingress"] + (["Egress"] if "egress" in spec else []))
    return Policy(
        metadata["namespace"],
        metadata["name"],
        _selector(spec.get("podSelector") or {}),
        _rules(spec.get("ingress"), "from") if "Ingress" in types else None,
        _rules(spec.get("egress"), "to") if "Egress" in types else None,
    )


def _sidecars(spec: Json) -> list[Json]:
    return [it for it in spec.get("initContainers") or () if it.get("restartPolicy") == "Always"]


def _rules(items: Iterable[Json] | None, side: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            tuple(_peer(peer) for peer in item[side]) if item.get(side) else None,
            tuple(_port(port) for port in item["ports"]) if item.get("ports") else None,
        )
        for item in items or ()
    )


def _peer(item: Json) -> Peer:
    block = item.get("ipBlock")
    if block is not None:
        return Peer(Block(block["cidr"], tuple(block.get("except") or ())))
    pods, namespaces = item.get("podSelector"), item.get("namespaceSelector")
    return Peer(
        None,
        Selector() if pods is None else _selector(pods),
        None if namespaces is None else _selector(namespaces),
    )


def _port(item: Json) -> Port:
    return Port(item.get("protocol") or "TCP", item.get("port"), item.get("endPort"))


def _selector(item: Json) -> Selector:
    equal = [
        Requirement(key, "In", (value,))
        for key, value in sorted((item.get("matchLabels") or {}).items())
    ]
    expressions = [
        Requirement(it["key"], it["operator"], tuple(it.get("values") or ()))
        for it in item.get("matchExpressions") or ()
    ]
    return Selector((*equal, *expressions))
