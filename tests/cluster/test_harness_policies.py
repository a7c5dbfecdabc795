"""NetworkPolicies as rules: what is let through and what is not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.harness.policies import Pod, parse_pod, parse_policy
from tests.cluster.harness.policy_table import render_table

SPACES = {"labs": {"kubernetes.io/metadata.name": "labs"}, "hub": {"tier": "platform"}}


def pod(name: str, address: str, namespace: str = "labs", **labels: str) -> Pod:
    return Pod(name, namespace, name, labels, address, {("http", "TCP"): 8888})


RACHEL = pod("rachel", "10.244.0.2", component="lab")
SIMON = pod("simon", "10.244.0.3", component="lab")
HUB = pod("hub", "10.244.0.4", "hub", component="hub")


def policy(spec: dict[str, Any], name: str = "one", namespace: str = "labs") -> Any:
    return parse_policy({"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def rules(spec: dict[str, Any], *pods: Pod) -> list[str]:
    """The rules of the only chain that judges pods."""
    table = render_table([policy(spec)], pods or (RACHEL, SIMON, HUB), SPACES)
    [chain] = [part for part in table.split("\n\n") if "counter drop" in part]
    lines = [line.strip() for line in chain.splitlines()]
    return [line for line in lines if line.endswith("return")]


def lab_policy() -> dict[str, Any]:
    """A typical one: in from the hub, out to DNS, the hub, and the world without this network."""
    dns = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    hub = {"namespaceSelector": {"matchLabels": {"tier": "platform"}}}
    return {
        "podSelector": {"matchLabels": {"component": "lab"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": [hub], "ports": [{"port": "http"}]}],
        "egress": [
            {"to": [dns], "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]},
            {"to": [hub], "ports": [{"port": 8081}]},
            {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}}]},
        ],
    }


def test_the_table_of_a_platform(golden: Callable[[str, str], None]) -> None:
    dns = pod("coredns", "10.244.0.9", "kube-system", **{"k8s-app": "kube-dns"})
    others = policy({"podSelector": {}, "policyTypes": ["Ingress"]}, "closed", "hub")
    pods = [SIMON, RACHEL, HUB, dns]
    golden("policies.nft", render_table([policy(lab_policy()), others], pods, SPACES))


@pytest.mark.root
def test_nft_understands_the_table() -> None:
    if shutil.which("nft") is None:
        pytest.skip("nft is not installed (Debian: apt-get install nftables)")
    text = render_table([policy(lab_policy())], [RACHEL, SIMON, HUB], SPACES)
    checked = subprocess.run(
        ["nft", "--check", "-f", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_pods_without_policies_are_not_judged() -> None:
    assert "vmap" not in render_table([], [RACHEL], SPACES)
    elsewhere = policy({"podSelector": {}}, namespace="hub")
    assert RACHEL.address not in render_table([elsewhere], [RACHEL], SPACES)


def test_a_policy_without_rules_lets_nothing_in() -> None:
    assert rules({"podSelector": {}}) == []


def test_an_empty_rule_lets_all_in() -> None:
    assert rules({"podSelector": {}, "ingress": [{}]}) == ["return"]


def test_a_pod_selector_alone_means_the_policys_namespace() -> None:
    peer: dict[str, Any] = {"podSelector": {}}
    assert rules({"podSelector": {}, "ingress": [{"from": [peer]}]}) == [
        "ip saddr { 10.244.0.2, 10.244.0.3 } return"
    ]


def test_selectors_of_one_peer_hold_together_and_peers_add_up() -> None:
    both = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"component": "hub"}}}
    only_space = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "labs"}}}
    assert rules({"podSelector": {}, "ingress": [{"from": [both]}]}) == [
        "ip saddr { 10.244.0.4 } return"
    ]
    assert rules({"podSelector": {}, "ingress": [{"from": [both, only_space]}]}) == [
        "ip saddr { 10.244.0.4, 10.244.0.2, 10.244.0.3 } return"
    ]


def test_a_selector_that_selects_nobody_lets_nobody_in() -> None:
    nobody = {"podSelector": {"matchLabels": {"component": "stranger"}}}
    assert rules({"podSelector": {}, "ingress": [{"from": [nobody]}]}) == []


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ["lab", "x"], True),
        ("NotIn", ["lab"], False),
        ("NotIn", ["x"], True),
        ("Exists", None, True),
        ("DoesNotExist", None, False),
    ],
)
def test_expressions_select(operator: str, values: list[str] | None, selected: bool) -> None:
    expression = {"key": "component", "operator": operator, "values": values}
    found = policy({"podSelector": {"matchExpressions": [expression]}})
    assert found.selects(RACHEL) is selected


def test_a_pod_without_the_label_is_not_in_a_set_and_is_outside_of_it() -> None:
    bare = pod("bare", "10.244.0.8")
    for operator, selected in (("In", False), ("NotIn", True)):
        expression = {"key": "component", "operator": operator, "values": ["lab"]}
        found = policy({"podSelector": {"matchExpressions": [expression]}})
        assert found.selects(bare) is selected


@pytest.mark.parametrize(
    ("port", "condition"),
    [
        ({"port": 80}, "tcp dport { 80 } return"),
        ({"port": 53, "protocol": "UDP"}, "udp dport { 53 } return"),
        ({"port": 8000, "endPort": 8010}, "tcp dport { 8000-8010 } return"),
        ({"protocol": "SCTP"}, "meta l4proto sctp return"),
        ({"port": "http"}, "tcp dport 8888 return"),
    ],
)
def test_ports(port: dict[str, Any], condition: str) -> None:
    assert rules({"podSelector": {}, "ingress": [{"ports": [port]}]}, RACHEL) == [condition]


def test_a_named_port_nobody_has_lets_nothing_in() -> None:
    assert rules({"podSelector": {}, "ingress": [{"ports": [{"port": "ssh"}]}]}, RACHEL) == []


def test_a_named_port_that_is_called_is_the_called_pods() -> None:
    hub = {"namespaceSelector": {"matchLabels": {"tier": "platform"}}}
    spec = {
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{"to": [hub], "ports": [{"port": "http"}]}],
    }
    called = "ip daddr { 10.244.0.4 } ip daddr . tcp dport { 10.244.0.4 . 8888 } return"
    assert rules(spec) == [called]


def test_two_policies_of_a_pod_add_up() -> None:
    spec = {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}
    more = {"podSelector": {}, "ingress": [{"ports": [{"port": 443}]}]}
    table = render_table([policy(spec), policy(more, "two")], [RACHEL], SPACES)
    assert "tcp dport { 80 } return" in table
    assert "tcp dport { 443 } return" in table
    assert table.count("counter drop") == 1


def test_what_pods_send_is_judged_on_the_way_to_this_machine_and_to_others() -> None:
    table = render_table([policy({"podSelector": {}, "policyTypes": ["Egress"]})], [RACHEL], SPACES)
    element = "ip saddr vmap { 10.244.0.2 : jump egress-1 }"
    assert table.count(element) == 2
    assert "hook output" not in table, "probes of the kubelet must reach pods"


@pytest.mark.parametrize(
    "change",
    [
        {"status": {"phase": "Running"}},
        {"status": {"phase": "Succeeded", "podIP": "10.244.0.7"}},
        {"status": {"phase": "Running", "podIP": "192.0.2.2"}, "spec": {"hostNetwork": True}},
    ],
)
def test_addresses_that_are_not_a_pods_own_are_not_used(change: dict[str, Any]) -> None:
    metadata = {"uid": "1", "name": "x", "namespace": "labs"}
    assert parse_pod({"metadata": metadata, "spec": {}} | change) is None


def test_an_address_that_was_given_anew_is_the_later_pods() -> None:
    open_, closed = pod("old", "10.244.0.2"), pod("new", "10.244.0.2", component="lab")
    selected = policy({"podSelector": {"matchLabels": {"component": "lab"}}})
    assert "10.244.0.2 : jump ingress-1" in render_table([selected], [open_, closed], SPACES)
    assert "10.244.0.2" not in render_table([selected], [closed, open_], SPACES)


def test_an_address_is_used_before_the_api_server_knows_it() -> None:
    metadata = {"uid": "1", "name": "x", "namespace": "labs"}
    found = parse_pod({"metadata": metadata, "spec": {}, "status": {}}, "10.244.0.7")
    assert found is not None
    assert found.address == "10.244.0.7"
