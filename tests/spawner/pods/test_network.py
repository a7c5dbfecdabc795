"""The network rules of a lab: what they let through, and what the configuration may say."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from despejado_spawner.pods.models import Manifest, NetworkRules
from despejado_spawner.pods.plan.network import lab_network_policy, lab_network_rules
from despejado_spawner.site.network import Network

from tests.spawner.pods.example_labs import NETWORK

HUB = {"pods": {"component": "hub"}, "namespace": "hub"}


def rules_of(config: dict[str, Any], port: int) -> NetworkRules:
    return lab_network_rules(Network.model_validate(config), port)


def allowed(rules: Any, address: str, port: int, protocol: str = "TCP") -> bool:
    """Whether a rule lets a packet to (or from) an address through: the policy's semantics."""
    target = ipaddress.ip_address(address)
    for rule in rules:
        ports = rule.get("ports")
        right = {"port": port, "protocol": protocol}
        if ports is not None and right not in ports:
            continue
        for peer in rule.get("to") or rule.get("from") or []:
            block = peer.get("ipBlock")
            if block is None:
                continue
            inside = target in ipaddress.ip_network(block["cidr"])
            excepted = any(target in ipaddress.ip_network(each) for each in block.get("except", []))
            if inside and not excepted:
                return True
    return False


def to_pods(rules: Any, pods: dict[str, str], port: int, protocol: str = "TCP") -> bool:
    return any(
        {"port": port, "protocol": protocol} in rule["ports"]
        and any(
            peer.get("podSelector", {}).get("matchLabels") == pods
            for peer in rule.get("to") or rule["from"]
        )
        for rule in rules
    )


def test_hub_and_proxy_reach_the_lab_s_port_and_nobody_reaches_another() -> None:
    rules = rules_of(NETWORK, 8888)
    for component in ("hub", "proxy"):
        assert to_pods(rules.ingress, {"component": component}, 8888)
        assert not to_pods(rules.ingress, {"component": component}, 8889)
    [rule] = rules.ingress
    assert all("namespaceSelector" in peer for peer in rule["from"])


def test_a_proxy_outside_the_cluster_is_an_address() -> None:
    rules = rules_of({"hub": [HUB], "proxy": {"cidr": "192.0.2.2"}}, 8888)
    assert allowed(rules.ingress, "192.0.2.2", 8888)
    assert not allowed(rules.ingress, "192.0.2.3", 8888)
    assert not allowed(rules.egress, "192.0.2.2", 8888)


def test_hub_and_proxy_in_one_are_one_peer() -> None:
    rules = rules_of({"hub": HUB, "proxy": HUB}, 8888)
    assert len(rules.ingress[0]["from"]) == 1


def test_without_hub_and_proxy_nobody_gets_in() -> None:
    assert rules_of({}, 8888).ingress == ()


def test_labs_reach_the_hub_s_port_and_not_the_proxy() -> None:
    rules = rules_of(NETWORK | {"hub": HUB | {"port": 9000}}, 8888)
    assert to_pods(rules.egress, {"component": "hub"}, 9000)
    assert not to_pods(rules.egress, {"component": "hub"}, 8081)
    assert not to_pods(rules.egress, {"component": "proxy"}, 8081)


def test_each_hub_has_its_port() -> None:
    other = {"cidr": "192.0.2.9"}
    rules = rules_of({"hub": [HUB | {"port": 9000}, other]}, 8888)
    assert to_pods(rules.egress, {"component": "hub"}, 9000)
    assert allowed(rules.egress, "192.0.2.9", 8081)
    assert not allowed(rules.egress, "192.0.2.9", 9000)


def test_dns_is_that_of_the_cluster_unless_the_site_says_otherwise() -> None:
    for protocol in ("TCP", "UDP"):
        assert to_pods(rules_of({}, 1).egress, {"k8s-app": "kube-dns"}, 53, protocol)
    own = rules_of({"dns": [{"cidr": "169.254.20.10"}]}, 1).egress
    assert allowed(own, "169.254.20.10", 53, "UDP")
    assert not to_pods(own, {"k8s-app": "kube-dns"}, 53)
    assert rules_of({"dns": []}, 1).egress == ()


def test_a_data_service_is_reached_on_its_ports_only() -> None:
    egress = rules_of(NETWORK | {"internet": False}, 8888).egress
    assert allowed(egress, "198.51.100.7", 443)
    assert not allowed(egress, "198.51.100.7", 80)
    assert not allowed(egress, "198.51.100.8", 443)
    assert to_pods(egress, {"app": "tap"}, 8080)
    assert not to_pods(egress, {"app": "tap"}, 8081)


def test_a_port_may_be_a_name_or_of_another_protocol() -> None:
    peer: dict[str, Any] = {"cidr": "192.0.2.0/24", "ports": ["http", 123], "protocol": "UDP"}
    [rule] = rules_of({"dns": [], "allow": [peer]}, 1).egress
    assert rule["ports"] == [
        {"port": "http", "protocol": "UDP"},
        {"port": 123, "protocol": "UDP"},
    ]


@pytest.mark.parametrize(
    "private",
    [
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "fd00::1",
        "fe80::1",
    ],
)
def test_the_internet_has_no_private_addresses(private: str) -> None:
    egress = rules_of({"internet": True}, 1).egress
    assert not allowed(egress, private, 443)


def test_the_internet_has_all_others_on_the_ports_that_the_site_names() -> None:
    some = rules_of({"dns": [], "internet": {"ports": [443]}}, 1).egress
    for address in ("203.0.113.5", "172.32.0.1", "2001:db8::1"):
        assert allowed(some, address, 443)
        assert not allowed(some, address, 25)
    [rule] = rules_of({"dns": [], "internet": True}, 1).egress
    assert "ports" not in rule


def test_networks_of_the_site_can_be_taken_out_of_the_internet() -> None:
    out = ["203.0.113.0/24", "2001:db8::/32"]
    egress = rules_of({"internet": {"except": out, "ports": [443]}}, 1).egress
    assert not allowed(egress, "203.0.113.5", 443)
    assert not allowed(egress, "2001:db8::1", 443)
    assert allowed(egress, "203.0.114.5", 443)


def test_without_internet_no_public_address_is_reached() -> None:
    assert not allowed(rules_of({"internet": False}, 1).egress, "203.0.113.5", 443)


def test_the_policy_is_of_this_start_alone_and_denies_what_it_does_not_name() -> None:
    policy: Manifest = lab_network_policy("labs", "jupyter-rachel", "0a1b", rules_of({}, 1))
    assert policy["metadata"]["namespace"] == "labs"
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["ingress"] == []
    assert policy["spec"]["podSelector"]["matchLabels"] == {
        "despejado.dev/lab": "jupyter-rachel",
        "despejado.dev/start": "0a1b",
    }
