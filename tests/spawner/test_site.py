"""What a site configures: plain settings become models, and a wrong one is told in a sentence."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from despejado_spawner.processes.spawner import LocalLabSpawner
from despejado_spawner.site.homes import Homes
from despejado_spawner.site.network import Network
from despejado_spawner.site.quantity import parse_memory
from despejado_spawner.site.sizes import Sizes, named_sizes
from despejado_spawner.site.storage import Mount, Temporary
from despejado_spawner.site.trait import ModelTrait
from despejado_spawner.site.values import Memory
from despejado_spawner.units import format_memory
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError
from traitlets.config import Config, Configurable

HUB = {"pods": {"component": "hub"}, "namespace": "hub"}
MAKER = {"namespace": "hub", "claim": "homes", "image": "registry.example.org/lab:plain"}


class Lab(Configurable):
    """A spawner without the rest of one."""

    homes = ModelTrait(Homes, {}, config=True)
    network = ModelTrait(Network, {}, config=True)
    mounts = ModelTrait(tuple[Mount, ...], [], config=True)
    temporary = ModelTrait(Temporary, {}, config=True)
    ephemeral_storage = ModelTrait(Memory, "", config=True)
    sizes = ModelTrait(Sizes, {}, config=True)


def lab(**traits: Any) -> Any:
    return Lab(config=Config({"Lab": traits}))


def test_plain_configuration_becomes_the_model() -> None:
    found = lab(
        homes={"claim": "homes", "path": "/u/", "layout": "initial/username", "provisioner": MAKER},
        mounts=[{"claim": "data-{username}", "path": "/data", "sub_path": "{unescaped_username}"}],
        ephemeral_storage="10Gi",
        temporary={"size": "1Gi", "in_memory": True},
        sizes={"small": {"cpu": "500m", "memory": "3Gi", "cpu_guarantee": 0}},
    )
    assert (found.homes.path, found.homes.folder("rachel")) == ("/u", "r/rachel")
    assert found.homes.provisioner.timeout == 60
    assert found.mounts == (
        Mount(claim="data-{username}", path="/data", sub_path="{unescaped_username}"),
    )
    assert found.ephemeral_storage == 10 * 2**30
    assert found.temporary == Temporary(size=2**30, in_memory=True)
    [small] = named_sizes(found.sizes)
    assert (small.name, small.cpu, small.memory) == ("small", 0.5, 3 * 2**30)
    assert (small.cpu_guarantee, small.memory_guarantee) == (0, None)


def test_a_ready_model_stays_what_it_is() -> None:
    homes = Homes(own_claim=True)
    assert lab(homes=homes).homes == homes


def test_nothing_is_configured_until_something_is() -> None:
    assert lab().homes == {}
    assert lab(homes=None, network={}, mounts=(), ephemeral_storage="").mounts == []


def test_configuration_that_adds_to_the_default() -> None:
    config = Config()
    config.Lab.homes.update({"claim": "homes"})
    config.Lab.mounts.append({"claim": "data", "path": "/data"})
    found: Any = Lab(config=config)
    assert found.homes == Homes(claim="homes")
    assert found.mounts == (Mount(claim="data", path="/data"),)


def test_a_setting_on_the_command_line() -> None:
    trait = Lab.class_traits()["ephemeral_storage"]
    assert trait.from_string("10Gi") == "10Gi"
    homes = Lab.class_traits()["homes"].from_string("{'claim': 'homes'}")
    assert lab(homes=homes).homes == Homes(claim="homes")


@pytest.mark.parametrize(
    ("trait", "value", "words"),
    [
        ("homes", {"clam": "homes"}, "Lab.homes.clam: unknown key.*Did you mean claim?"),
        ("homes", {"path": "/home"}, "Lab.homes: needs either claim.*own_claim"),
        ("homes", {"claim": "homes", "own_claim": True}, "Lab.homes: needs either claim"),
        ("homes", {"claim": "h", "own_claim": 1}, "own_claim: is neither true nor false"),
        ("homes", {"claim": 7}, "Lab.homes.claim: is not text"),
        ("homes", {"claim": "Homes"}, "RFC 1123"),
        ("homes", {"claim": "h", "path": "home"}, "Lab.homes.path: .*'home'.*absolute"),
        ("homes", {"claim": "h", "path": "/home/../etc"}, "Lab.homes.path"),
        ("homes", {"claim": "h", "layout": "flat"}, "layout: .*'flat'.*username, initial/username"),
        ("homes", {"claim": "h", "provisioner": True}, "Lab.homes.provisioner: is not a section"),
        ("homes", {"claim": "h", "provisioner": {"claim": "h"}}, "provisioner.namespace: is miss"),
        ("homes", {"own_claim": True, "provisioner": MAKER}, "own_claim needs none"),
        ("mounts", {"claim": "data"}, "Lab.mounts: is not a list"),
        ("mounts", [{"path": "/data"}], r"Lab.mounts\[0\].claim: is missing"),
        ("mounts", [{"claim": "a_b", "path": "/a"}], r"\[0\].claim: .*templates"),
        ("mounts", [{"claim": "a", "path": "a"}], r"Lab.mounts\[0\].path"),
        ("mounts", [{"claim": "a", "path": "/a", "ro": True}], r"\[0\].ro: unknown key"),
        ("ephemeral_storage", "10 gigabytes", "Lab.ephemeral_storage: .*'10 gigabytes'.*3Gi"),
        (
            "temporary",
            {"siz": "1Gi"},
            "Lab.temporary.siz: unknown key .*Allowed: size, in_memory. Did you",
        ),
        ("sizes", {"small": {"cpu": 1}}, "Lab.sizes.small.memory: is missing"),
        ("sizes", {"small": {"cpu": 1, "memory": 1, "gpu": 1}}, "small.gpu: unknown key"),
        ("sizes", {"small": {"cpu": "much", "memory": "3Gi"}}, "sizes.small.cpu: .*'much'"),
        ("sizes", {"Small": {"cpu": 1, "memory": "3Gi"}}, "sizes.Small: .*lower case"),
        ("sizes", {"small": {"cpu": 0, "memory": "3Gi"}}, "sizes.small.cpu: .*above zero"),
        (
            "sizes",
            {"small": {"cpu": 1, "memory": "3Gi", "memory_guarantee": "4Gi"}},
            "sizes.small: has a memory_guarantee above the limit memory",
        ),
        ("network", {"proxys": HUB}, "network.proxys: .*Allowed: hub, proxy, dns, allow, internet"),
        ("network", {"hub": "hub"}, "Lab.network.hub: is neither a section"),
        ("network", {"hub": ["hub"]}, r"Lab.network.hub\[0\]: is not a section"),
        ("network", {"hub": [{}]}, r"Lab.network.hub\[0\]: needs either cidr"),
        ("network", {"hub": HUB | {"cidr": "192.0.2.1"}}, "Lab.network.hub: needs either cidr"),
        ("network", {"hub": HUB | {"port": "8081"}}, "Lab.network.hub.port: is not a whole number"),
        ("network", {"hub": HUB | {"port": True}}, "Lab.network.hub.port"),
        ("network", {"hub": HUB | {"port": 65536}}, "hub.port: .*65536.*at most 65535"),
        ("network", {"hub": {"prot": 1}}, "network.hub.prot: .*pods, namespace, cidr, port"),
        ("network", {"proxy": {"cidr": "proxy.example.org"}}, "proxy.cidr: .*no host names"),
        ("network", {"proxy": {"cidr": "192.0.2.1/24"}}, "without host bits"),
        ("network", {"proxy": {"cidr": 3221225985}}, r"network.proxy.cidr: .*\(3221225985\)"),
        ("network", {"dns": {"pods": "kube-dns"}}, "network.dns.pods: is not a section"),
        ("network", {"dns": {"pods": {"a": 1}}}, "network.dns.pods.a: is not text"),
        ("network", {"dns": {"pods": {"a b": "c"}}}, "dns.pods.a b: is not the name of a label"),
        ("network", {"allow": [{"cidr": "192.0.2.1", "port": 1}]}, r"allow\[0\].port: unknown key"),
        (
            "network",
            {"allow": [{"cidr": "192.0.2.1", "ports": 1}]},
            r"allow\[0\].ports: is not a l",
        ),
        ("network", {"allow": [{"cidr": "192.0.2.1", "ports": []}]}, r"ports: is too short"),
        ("network", {"allow": [{"cidr": "192.0.2.1", "ports": [0]}]}, r"ports\[0\]: .*1 to 65535"),
        ("network", {"allow": [{"cidr": "192.0.2.1", "ports": ["h--"]}]}, "name that containers"),
        ("network", {"allow": {"cidr": "192.0.2.1", "protocol": "ICMP"}}, "TCP, UDP, SCTP"),
        ("network", {"internet": "yes"}, "Lab.network.internet: is neither yes, no nor a section"),
        ("network", {"internet": {"except": "192.0.2.1"}}, "internet.except: is not a list"),
        ("network", {"internet": {"excluded": []}}, "excluded: .*Allowed: ports, except"),
    ],
)
def test_a_setting_that_cannot_be_meant_names_its_key(trait: str, value: Any, words: str) -> None:
    with pytest.raises(TraitError, match=f"(?s){words}"):
        lab(**{trait: value})


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(TraitError, match=r"(?s)Lab\.homes\.path.*Lab\.homes\.layout"):
        lab(homes={"claim": "h", "path": "home", "layout": "flat"})


def test_a_machine_without_a_size_is_refused() -> None:
    with pytest.raises(TraitError, match=r"LocalLabSpawner.sizes: .*at least 1"):
        LocalLabSpawner(config=Config({"LocalLabSpawner": {"sizes": {}}}))


NETWORKS = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).flatmap(
    lambda address: st.integers(0, address.max_prefixlen).map(
        lambda length: ipaddress.ip_network(f"{address}/{length}", strict=False)
    )
)
WORDS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,12}[a-z0-9])?", fullmatch=True)
LABELS = st.dictionaries(WORDS, WORDS, max_size=3)
PEERS = st.one_of(
    NETWORKS.map(lambda network: {"cidr": str(network)}),
    st.fixed_dictionaries({"pods": LABELS}, optional={"namespace": st.one_of(WORDS, LABELS)}),
    st.fixed_dictionaries({"namespace": st.one_of(WORDS, LABELS)}),
)


@given(st.lists(PEERS, max_size=4))
def test_peers_are_kept_in_their_order_and_read_back(peers: list[dict[str, Any]]) -> None:
    network = Network.model_validate({"proxy": peers})
    assert len(network.proxy) == len(peers)
    assert Network.model_validate(network.model_dump(by_alias=True)) == network
    for peer, written in zip(network.proxy, peers, strict=True):
        assert peer.cidr == written.get("cidr")
        assert peer.pods == written.get("pods")


@given(PEERS)
def test_a_peer_alone_is_a_list_of_one(peer: dict[str, Any]) -> None:
    assert Network.model_validate({"hub": peer}) == Network.model_validate({"hub": [peer]})


@given(NETWORKS, st.data())
def test_a_network_with_host_bits_is_refused(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network, data: st.DataObject
) -> None:
    host = data.draw(st.integers(0, network.num_addresses - 1))
    text = f"{network.network_address + host}/{network.prefixlen}"
    if host == 0:
        assert Network.model_validate({"dns": {"cidr": text}}).dns[0].cidr == str(network)
    else:
        with pytest.raises(ValueError, match="neither an address nor a network"):
            Network.model_validate({"dns": {"cidr": text}})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@given(
    st.sampled_from(["homes", "network", "mounts", "temporary", "ephemeral_storage", "sizes"]),
    JSON | st.dictionaries(st.sampled_from(["claim", "hub", "allow", "internet", "size"]), JSON),
)
def test_anything_is_a_setting_or_a_sentence(trait: str, value: Any) -> None:
    try:
        lab(**{trait: value})
    except TraitError as error:
        assert str(error).startswith(f"Lab.{trait}")


@given(st.integers(1, 2**50))
def test_an_amount_of_memory_is_the_same_however_it_is_written(amount: int) -> None:
    for written in (amount, str(amount), float(amount), format_memory(amount)):
        assert parse_memory(written) == amount
