"""NetworkPolicies as one nftables table. Pure: policies, pods and namespaces in, text out.

As the Kubernetes documentation has it: a pod that some policy selects for a direction accepts in
that direction what any of its policies allows, and nothing else; what the node itself sends to a
pod is never refused, since probes come from there. Rules stand behind kube-proxy's translation of
Services, so they see pod addresses and target ports. A refused packet is dropped, not answered.

Traffic from a pod to the node passes `input`, traffic to others `forward`; what a pod sends is
judged in both, so that an allow list covers the processes of this machine, too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.cluster.harness.policies import Block, Peer, Pod, Policy, Port, Rule

TABLE = "despejado-policies"
_ESTABLISHED = "ct state established,related accept"


@dataclass(frozen=True)
class _Direction:
    chain: str
    """Also the name of the field of the policy."""
    peer: str
    """What nft calls the other side's address."""

    def rules(self, policy: Policy) -> tuple[Rule, ...] | None:
        return policy.ingress if self.chain == "ingress" else policy.egress


_INGRESS = _Direction("ingress", "ip saddr")
_EGRESS = _Direction("egress", "ip daddr")


def render_table(
    policies: Sequence[Policy], pods: Sequence[Pod], namespaces: Mapping[str, Mapping[str, str]]
) -> str:
    """The input of ``nft -f`` that replaces the table at once.

    Policies in force, pods with an address (older ones first), and each namespace's labels.
    """
    # An address may be given anew before its last pod's object goes: the later pod has it.
    holders = {pod.address: pod for pod in pods}
    known = sorted(holders.values(), key=lambda pod: (pod.namespace, pod.name))
    world = _World(known, namespaces)
    ordered = sorted(policies, key=lambda policy: (policy.namespace, policy.name))
    ingress, ingress_chains = _judge(_INGRESS, ordered, world)
    egress, egress_chains = _judge(_EGRESS, ordered, world)
    lines = [f"table ip {TABLE}", f"delete table ip {TABLE}", f"table ip {TABLE} {{"]
    sent = [f"ip saddr vmap {{ {egress} }}"] if egress else []
    received = [f"ip daddr vmap {{ {ingress} }}"] if ingress else []
    lines += _hook("input", sent)
    lines += ["", *_hook("forward", [*sent, *received])]
    lines += [*egress_chains, *ingress_chains, "}"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _World:
    pods: list[Pod]
    namespaces: Mapping[str, Mapping[str, str]]

    def meant_by(self, peer: Peer, policy: Policy) -> list[Pod]:
        return [
            pod
            for pod in self.pods
            if peer.pods is not None
            and peer.pods.selects(pod.labels)
            and (
                pod.namespace == policy.namespace
                if peer.namespaces is None
                else peer.namespaces.selects(self.namespaces.get(pod.namespace, {}))
            )
        ]


def _judge(
    direction: _Direction, policies: Sequence[Policy], world: _World
) -> tuple[str, list[str]]:
    """The elements of the map from a pod's address to its chain, and the chains.

    Pods with the same rules share a chain: the labs of a namespace all do.
    """
    numbers: dict[tuple[str, ...], int] = {}
    elements: list[str] = []
    for pod in world.pods:
        mine = [it for it in policies if it.selects(pod) and direction.rules(it) is not None]
        if not mine:
            continue
        body = tuple(line for policy in mine for line in _allow(direction, policy, pod, world))
        number = numbers.setdefault(body, len(numbers) + 1)
        elements.append(f"{pod.address} : jump {direction.chain}-{number}")
    chains: list[str] = []
    for body, number in numbers.items():
        inner = [f"\t\t{line}" for line in (*body, "counter drop")]
        chains += ["", f"\tchain {direction.chain}-{number} {{", *inner, "\t}"]
    return ", ".join(elements), chains


def _allow(direction: _Direction, policy: Policy, pod: Pod, world: _World) -> list[str]:
    """Rules that return from the chain, which means: go on with the other direction."""
    lines = [f"# {policy.namespace}/{policy.name}"]
    for rule in direction.rules(policy) or ():
        for peers, targets in _peers(direction, rule, policy, pod, world):
            lines += [
                " ".join(filter(None, (peers, port, "return")))
                for port in _ports(rule.ports, direction, targets)
            ]
    return lines


def _peers(
    direction: _Direction, rule: Rule, policy: Policy, pod: Pod, world: _World
) -> list[tuple[str, list[Pod]]]:
    """nft's condition on the other side, each with the pods whose named ports are meant."""
    own = [pod] if direction is _INGRESS else []
    if rule.peers is None:
        return [("", own or world.pods)]
    found: list[tuple[str, list[Pod]]] = []
    meant: list[Pod] = []
    for peer in rule.peers:
        if peer.block is not None:
            condition = _block(direction, peer.block)
            if condition:
                found.append((condition, own))
        else:
            meant += [it for it in world.meant_by(peer, policy) if it not in meant]
    if meant:
        found.append((f"{direction.peer} {_set(it.address for it in meant)}", own or meant))
    return found


def _block(direction: _Direction, block: Block) -> str:
    if ipaddress.ip_network(block.cidr, strict=False).version != 4:
        return ""
    condition = f"{direction.peer} {block.cidr}"
    if block.excepted:
        condition += f" {direction.peer} != {_set(block.excepted)}"
    return condition


def _ports(
    ports: tuple[Port, ...] | None, direction: _Direction, targets: Sequence[Pod]
) -> list[str]:
    """nft's conditions on the port, any of which is enough."""
    if ports is None:
        return [""]
    conditions: list[str] = []
    numbers: dict[str, list[str]] = {}
    for port in ports:
        protocol = port.protocol.lower()
        if port.port is None:
            conditions.append(f"meta l4proto {protocol}")
        elif isinstance(port.port, int):
            span = str(port.port) if port.end is None else f"{port.port}-{port.end}"
            numbers.setdefault(protocol, []).append(span)
        else:
            conditions += _named(port, direction, targets)
    return conditions + [f"{name} dport {_set(spans)}" for name, spans in numbers.items()]


def _named(port: Port, direction: _Direction, targets: Sequence[Pod]) -> list[str]:
    """A named port is a number of the pod that is called: another one for each pod."""
    key = (str(port.port), port.protocol)
    protocol = port.protocol.lower()
    if direction is _INGRESS:
        return [f"{protocol} dport {it.ports[key]}" for it in targets if key in it.ports]
    pairs = [f"{it.address} . {it.ports[key]}" for it in targets if key in it.ports]
    return [f"ip daddr . {protocol} dport {_set(pairs)}"] if pairs else []


def _hook(name: str, lines: Sequence[str]) -> list[str]:
    return [
        f"\tchain {name} {{",
        f"\t\ttype filter hook {name} priority filter; policy accept;",
        *(f"\t\t{line}" for line in ((_ESTABLISHED, *lines) if lines else ())),
        "\t}",
    ]


def _set(elements: Iterable[str]) -> str:
    return "{ " + ", ".join(dict.fromkeys(elements)) + " }"
