"""Who may reach a lab and what it may reach, as one NetworkPolicy a lab (pure).

The configuration, with all keys optional::

    hub:      {pods: {app: jupyterhub, component: hub}, namespace: hub, port: 8081}
    proxy:    [{pods: {...}, namespace: hub}, {cidr: 192.0.2.0/24}]
    dns:      {pods: {k8s-app: kube-dns}, namespace: kube-system}
    allow:    [{cidr: 198.51.100.7, ports: [443]}, {pods: {...}, namespace: data, ports: [8080]}]
    internet: true | {ports: [80, 443], except: [203.0.113.0/24]}

A peer is ``pods`` (labels), ``namespace`` (a name, or labels), both, or ``cidr`` (an address or a
network); pods without a namespace are those of the labs' own. Hub and proxy may connect to the
lab's port and nobody else may connect at all. A lab may connect to DNS (by default kube-dns in
kube-system), the hub's port, what ``allow`` lists, and with ``internet`` to all public addresses.
Policies see the address behind a Service, so name pods rather than a cluster IP.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from despejado_spawner.pods.models import Manifest, NetworkRules
from despejado_spawner.pods.names import MANAGED_BY, lab_labels, object_name
from despejado_spawner.site.homes import SettingsError

HUB_PORT = 8081
NAMESPACE_LABEL = "kubernetes.io/metadata.name"
"""The label that Kubernetes itself puts on every namespace."""
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
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_PEER_KEYS = ("pods", "namespace", "cidr")


@dataclass(frozen=True)
class Peer:
    """One entry of ``from`` or ``to``: pods, namespaces, both, or addresses."""

    pods: Mapping[str, str] | None = None
    namespace: Mapping[str, str] | None = None
    cidr: str | None = None

    def to_rule(self) -> Manifest:
        """As a NetworkPolicyPeer."""
        if self.cidr is not None:
            return {"ipBlock": {"cidr": self.cidr}}
        rule: Manifest = {}
        if self.namespace is not None:
            rule["namespaceSelector"] = {"matchLabels": dict(self.namespace)}
        if self.pods is not None:
            rule["podSelector"] = {"matchLabels": dict(self.pods)}
        return rule


@dataclass(frozen=True)
class Port:
    """A port of a peer: a number, or the name that the peer's containers give it."""

    port: int | str
    protocol: str = "TCP"

    def to_rule(self) -> Manifest:
        """As a NetworkPolicyPort."""
        return {"port": self.port, "protocol": self.protocol}


@dataclass(frozen=True)
class Destination:
    """A service that labs may use; no ports mean all of them."""

    peer: Peer
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True)
class Internet:
    """All public addresses: on which ports (none means all), and without which networks."""

    ports: tuple[Port, ...] = ()
    excluded: tuple[str, ...] = ()


KUBE_DNS = Peer({"k8s-app": "kube-dns"}, {NAMESPACE_LABEL: "kube-system"})


@dataclass(frozen=True)
class NetworkConfig:
    """The peers of all labs of a site."""

    hub: tuple[Peer, ...] = ()
    hub_port: int = HUB_PORT
    proxy: tuple[Peer, ...] = ()
    dns: tuple[Peer, ...] = (KUBE_DNS,)
    allow: tuple[Destination, ...] = ()
    internet: Internet | None = None


def parse_network(value: Mapping[str, Any], port: int) -> NetworkRules:
    """The rules of a lab that listens on ``port``, from plain configuration.

    Raises
    ------
    SettingsError
        Naming the key and what is allowed.
    """
    return lab_network_rules(parse_network_config(value), port)


def lab_network_rules(config: NetworkConfig, port: int) -> NetworkRules:
    """The rules of a lab that listens on ``port``."""
    ingress: list[Manifest] = []
    # Hub and proxy are often the same.
    callers = [*config.proxy, *(peer for peer in config.hub if peer not in config.proxy)]
    if callers:
        peers = [peer.to_rule() for peer in callers]
        ingress.append({"from": peers, "ports": [Port(port).to_rule()]})
    egress: list[Manifest] = []
    if config.dns:
        egress.append(_to(config.dns, (Port(53, "UDP"), Port(53))))
    if config.hub:
        egress.append(_to(config.hub, (Port(config.hub_port),)))
    egress += [_to((each.peer,), each.ports) for each in config.allow]
    if config.internet is not None:
        egress.append(_internet(config.internet))
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


def parse_network_config(value: Mapping[str, Any]) -> NetworkConfig:
    """The typed configuration; see the module for its keys.

    Raises
    ------
    SettingsError
        Naming the key and what is allowed.
    """
    where = "network"
    _only(where, value, ("hub", "proxy", "dns", "allow", "internet"))
    hub_port = HUB_PORT
    hubs = [dict(each) for each in _mappings(f"{where}.hub", value.get("hub"))]
    for each in hubs:
        hub_port = _number(f"{where}.hub.port", each.pop("port", hub_port))
    dns = value.get("dns", KUBE_DNS)
    return NetworkConfig(
        hub=_peers(f"{where}.hub", hubs),
        hub_port=hub_port,
        proxy=_peers(f"{where}.proxy", value.get("proxy")),
        dns=(KUBE_DNS,) if dns is KUBE_DNS else _peers(f"{where}.dns", dns),
        allow=tuple(
            _destination(f"{where}.allow[{number}]", each)
            for number, each in enumerate(_mappings(f"{where}.allow", value.get("allow")))
        ),
        internet=_parse_internet(f"{where}.internet", value.get("internet", False)),
    )


def _to(peers: Iterable[Peer], ports: Sequence[Port]) -> Manifest:
    rule: Manifest = {"to": [peer.to_rule() for peer in peers]}
    return rule | {"ports": [port.to_rule() for port in ports]} if ports else rule


def _internet(internet: Internet) -> Manifest:
    blocks = []
    for everything, private in NOT_PUBLIC.items():
        network = ipaddress.ip_network(everything)
        more = [each for each in internet.excluded if _version(each) == network.version]
        blocks.append({"ipBlock": {"cidr": everything, "except": [*private, *more]}})
    rule: Manifest = {"to": blocks}
    ports = [port.to_rule() for port in internet.ports]
    return rule | {"ports": ports} if ports else rule


def _version(cidr: str) -> int:
    return ipaddress.ip_network(cidr).version


def _parse_internet(where: str, value: object) -> Internet | None:
    if isinstance(value, bool) or value is None:
        return Internet() if value else None
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where} must be true, false or a mapping, not {value!r}.")
    _only(where, value, ("ports", "except"))
    excluded = value.get("except") or []
    if not isinstance(excluded, list | tuple):
        raise SettingsError(f"{where}.except must be a list of networks, not {excluded!r}.")
    return Internet(
        ports=_ports(f"{where}.ports", value.get("ports"), "TCP"),
        excluded=tuple(_cidr(f"{where}.except", each) for each in excluded),
    )


def _destination(where: str, value: Mapping[str, Any]) -> Destination:
    _only(where, value, (*_PEER_KEYS, "ports", "protocol"))
    protocol = value.get("protocol", "TCP")
    if protocol not in _PROTOCOLS:
        allowed = ", ".join(_PROTOCOLS)
        raise SettingsError(f"{where}.protocol is {protocol!r}. Allowed: {allowed}.")
    peer = {key: value[key] for key in _PEER_KEYS if key in value}
    return Destination(_peer(where, peer), _ports(f"{where}.ports", value.get("ports"), protocol))


def _ports(where: str, value: object, protocol: str) -> tuple[Port, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not value:
        raise SettingsError(f"{where} must be a list of ports, not {value!r}.")
    return tuple(
        Port(each if isinstance(each, str) and each else _number(where, each), protocol)
        for each in value
    )


def _peers(where: str, value: object) -> tuple[Peer, ...]:
    return tuple(_peer(where, each) for each in _mappings(where, value))


def _mappings(where: str, value: object) -> list[Mapping[str, Any]]:
    """One mapping or a list of them."""
    found = [value] if isinstance(value, Mapping) else value or []
    if not isinstance(found, list | tuple) or not all(isinstance(each, Mapping) for each in found):
        raise SettingsError(f"{where} must be a mapping or a list of mappings, not {value!r}.")
    return list(found)


def _peer(where: str, value: Mapping[str, Any]) -> Peer:
    _only(where, value, _PEER_KEYS)
    pods, namespace, cidr = (value.get(key) for key in _PEER_KEYS)
    if (cidr is None) == (pods is None and namespace is None):
        raise SettingsError(f"{where} needs either cidr, or pods and namespace or one of the two.")
    if cidr is not None:
        return Peer(cidr=_cidr(f"{where}.cidr", cidr))
    if isinstance(namespace, str):
        namespace = {NAMESPACE_LABEL: namespace}
    return Peer(_labels(f"{where}.pods", pods), _labels(f"{where}.namespace", namespace))


def _labels(where: str, value: object) -> Mapping[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(
        isinstance(part, str) for item in value.items() for part in item
    ):
        raise SettingsError(f"{where} must be labels, a mapping of texts, not {value!r}.")
    return dict(value)


def _cidr(where: str, value: object) -> str:
    # A number would be taken as an address.
    text = value if isinstance(value, str) else ""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise SettingsError(
            f"{where} is {value!r}. A NetworkPolicy knows addresses (192.0.2.7) and networks "
            "(192.0.2.0/24, without host bits) only, no host names."
        ) from None


def _number(where: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise SettingsError(f"{where} must be a port from 1 to 65535, not {value!r}.")
    return value


def _only(where: str, value: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in value:
        if key not in allowed:
            raise SettingsError(f"{where}: {key!r} is unknown. Allowed: {', '.join(allowed)}.")
