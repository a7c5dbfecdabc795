"""Who may reach a lab and what it may reach, as one NetworkPolicy a lab (pure).

:mod:`despejado_spawner.site.network` says what a site configures.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from despejado_spawner.pods.models import Manifest, NetworkRules
from despejado_spawner.pods.names import MANAGED_BY, lab_labels, object_name
from despejado_spawner.site.network import HUB_PORT, Internet, Network, Peer

NOT_PUBLIC = {
    "0.0.0.0/0": (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
    ),
    "::/0": ("fc00::/7", "fe80::/10"),
}
"""All addresses of a family, and those in it that are private, shared or link-local (RFC 1918, RFC
6598, RFC 3927, RFC 4193, RFC 4291); among them the metadata services of clouds."""


def lab_network_rules(network: Network, port: int) -> NetworkRules:
    """The rules of a lab that listens on ``port``."""
    ingress: list[Manifest] = []
    callers: list[Manifest] = []
    for rule in map(_peer, (*network.proxy, *network.hub)):
        if rule not in callers:  # hub and proxy are often the same
            callers.append(rule)
    if callers:
        ingress.append({"from": callers, "ports": _ports([port], "TCP")})
    egress: list[Manifest] = []
    if network.dns:
        egress.append(_to(network.dns, [*_ports([53], "UDP"), *_ports([53], "TCP")]))
    for hub_port in dict.fromkeys(hub.port or HUB_PORT for hub in network.hub):
        hubs = [hub for hub in network.hub if (hub.port or HUB_PORT) == hub_port]
        egress.append(_to(hubs, _ports([hub_port], "TCP")))
    egress += [_to([each], _ports(each.ports or (), each.protocol)) for each in network.allow]
    if network.internet is not None:
        egress.append(_internet(network.internet))
    return NetworkRules(tuple(ingress), tuple(egress))


def lab_network_policy(
    namespace: str, pod_name: str, start_id: str, rules: NetworkRules
) -> Manifest:
    """The NetworkPolicy of one lab: what its rules do not allow is refused, in both directions."""
    key, value = MANAGED_BY
    own = lab_labels(pod_name, start_id)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": object_name(pod_name, start_id),
            "namespace": namespace,
            "labels": own | {key: value},
        },
        "spec": {
            "podSelector": {"matchLabels": dict(own)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [dict(rule) for rule in rules.ingress],
            "egress": [dict(rule) for rule in rules.egress],
        },
    }


def _peer(peer: Peer) -> Manifest:
    """As a NetworkPolicyPeer."""
    if peer.cidr is not None:
        return {"ipBlock": {"cidr": peer.cidr}}
    rule: Manifest = {}
    if peer.namespace is not None:
        rule["namespaceSelector"] = {"matchLabels": dict(peer.namespace)}
    if peer.pods is not None:
        rule["podSelector"] = {"matchLabels": dict(peer.pods)}
    return rule


def _ports(ports: Sequence[int | str], protocol: str) -> list[Manifest]:
    """As NetworkPolicyPorts."""
    return [{"port": port, "protocol": protocol} for port in ports]


def _to(peers: Iterable[Peer], ports: Sequence[Manifest]) -> Manifest:
    """An entry of ``egress``; no ports mean all of them."""
    rule: Manifest = {"to": [_peer(peer) for peer in peers]}
    return rule | {"ports": ports} if ports else rule


def _internet(internet: Internet) -> Manifest:
    blocks = []
    for everything, private in NOT_PUBLIC.items():
        family = ipaddress.ip_network(everything).version
        more = [each for each in internet.excluded if ipaddress.ip_network(each).version == family]
        blocks.append({"ipBlock": {"cidr": everything, "except": [*private, *more]}})
    rule: Manifest = {"to": blocks}
    ports = _ports(internet.ports or (), "TCP")
    return rule | {"ports": ports} if ports else rule
