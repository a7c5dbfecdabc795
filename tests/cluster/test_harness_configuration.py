"""What the harness writes and reads, without a cluster."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.harness import network, node, processes, programs, registry, settings
from tests.cluster.harness.bringup import bring_up
from tests.cluster.harness.cgroups import roots
from tests.cluster.harness.commands import components
from tests.cluster.harness.components import Components
from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.foreign import server_of
from tests.cluster.harness.layout import Layout
from tests.cluster.harness.programs import PROGRAMS, Built, Program
from tests.cluster.harness.registry import Image, Link
from tests.cluster.harness.settings import Before, Ports, Settings, load, save
from tests.cluster.harness.teardown import mounts_below, tear_down
from tests.cluster.harness.volumes import claim

LAYOUT = Layout(Path("/var/lib/cluster"), Path("/run/cluster"))
SETTINGS = Settings(
    node_address="192.0.2.7",
    pod_cidr="10.244.0.0/16",
    service_cidr="10.96.0.0/16",
    ports=Ports(),
    tokens={user: f"{user}-token" for user in node.USERS},
    before=Before({"net.ipv4.ip_forward": "0"}, [], []),
    boot="boot",
    network="net:[1]",
)
BUILT = Built(
    {program.name: Path("/cache") / program.name for program in PROGRAMS}, (Path("/cache/a.yaml"),)
)


def here(**changes: Any) -> Settings:
    """Settings of a cluster that stands on this machine."""
    now = {"boot": settings.boot_id(), "network": settings.network_namespace()}
    return replace(SETTINGS, **(now | changes))


@pytest.mark.parametrize(
    "render", [node.kubelet, node.kube_proxy, node.containerd, node.network, node.registry]
)
def test_configuration(
    render: Callable[[Layout, Settings], str], golden: Callable[[str, str], None]
) -> None:
    golden(f"harness-{render.__name__}.txt", render(LAYOUT, SETTINGS))


def test_commands(golden: Callable[[str, str], None]) -> None:
    commands = {name: list(component.command) for name, component in components_of(LAYOUT).items()}
    del commands["policies"]  # Runs by the Python of the checkout.
    commands["registry"][0] = commands["containerd"][0] = "DEBIAN"
    golden("harness-commands.json", json.dumps(commands, indent=2) + "\n")


def components_of(layout: Layout) -> dict[str, Any]:
    return dict(components(layout, SETTINGS, BUILT))


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    assert load(path) is None
    save(path, SETTINGS)
    assert load(path) == SETTINGS
    assert path.stat().st_mode & 0o077 == 0, "tokens are secret"


def test_settings_of_another_version_are_told(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json"
    path.write_text('{"node_address": "192.0.2.7"}')
    with pytest.raises(HarnessError, match=r"another version .*make cluster-down"):
        load(path)


def test_ranges_keep_off_the_machines_routes() -> None:
    candidates = ("10.244.0.0/16", "172.29.0.0/16")
    assert node.free_range(candidates, ["10.0.0.0/9"]) == "10.244.0.0/16"
    assert node.free_range(candidates, ["10.244.3.0/24"]) == "172.29.0.0/16"
    assert node.free_range(candidates, ["10.0.0.0/8", "172.16.0.0/12"]) is None


def test_the_ranges_do_not_touch_each_other() -> None:
    nets = [ipaddress.ip_network(it) for it in (*network.POD_RANGES, *network.SERVICE_RANGES)]
    assert not any(a.overlaps(b) for a in nets for b in nets if a is not b)


def test_a_port_that_is_taken_is_replaced() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not network._is_free("127.0.0.1", port)
    assert network._any_free("127.0.0.1") > 0


def test_the_certificate_is_good_for_every_way_to_the_api_server() -> None:
    names = node.serving_names(SETTINGS).split(",")
    assert {"DNS:kubernetes.default.svc", "IP:192.0.2.7", "IP:10.96.0.1"} <= set(names)


def test_every_user_has_a_kubeconfig_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(node.kubeconfig(SETTINGS, "admin", b"certificate"))
    assert server_of(path) == "https://192.0.2.7:6443"
    path.write_text("nothing: here")
    with pytest.raises(HarnessError, match="names no cluster"):
        server_of(path)


def test_only_mounts_of_the_cluster_are_unmounted_the_latest_last() -> None:
    lines = [
        "22 1 0:20 / /run rw - tmpfs tmpfs rw",
        "30 1 8:1 / /var/lib/cluster/kubelet rw - ext4 /dev/vda rw",
        "31 1 8:1 / /var/lib/cluster/kubelet/pods/a\\040b rw - tmpfs tmpfs rw",
        "32 1 8:1 / /var/lib/cluster-of-others rw - ext4 /dev/vda rw",
        "33 22 0:4 net:[1] /run/cluster/containerd/netns/cni-1 rw - nsfs nsfs rw",
    ]
    assert mounts_below("\n".join(lines), LAYOUT) == [
        "/var/lib/cluster/kubelet",
        "/var/lib/cluster/kubelet/pods/a b",
        "/run/cluster/containerd/netns/cni-1",
    ]


def test_cgroups_of_both_versions_are_found() -> None:
    first = (
        "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0"
    )
    second = "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0"
    assert len(roots(first)) == 2
    assert roots(second) == {"2": Path("/sys/fs/cgroup")}
    assert roots("tmpfs /run tmpfs rw 0 0") == {}


def test_a_program_is_built_again_when_its_source_or_go_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "go.mod").write_text("module x")
    (tmp_path / "go.sum").write_text("")
    (tmp_path / "main.go").write_text("package main")
    monkeypatch.setattr(programs, "SOURCES", tmp_path)
    program = Program("x", ".", "a second")
    first = programs.key(program, "go1.26.0")
    assert programs.key(program, "go1.26.0") == first
    assert programs.key(program, "go1.26.1") != first
    (tmp_path / "main.go").write_text("package main // changed")
    assert programs.key(program, "go1.26.0") != first


def test_an_image_is_the_same_each_time_and_keeps_its_links() -> None:
    image = Image({"/bin/busybox": b"program", "/bin/sh": Link("busybox")}, command=("sh",))
    layer = registry.layer_of(image)
    assert layer == registry.layer_of(image)
    assert registry.config_of(image, "sha256:0")["config"]["Cmd"] == ["sh"]


def test_a_shared_volume_is_kept_for_its_claim() -> None:
    volume, wanted = claim("homes", "labs", "1Gi", Path("/folder"))
    assert volume["spec"]["claimRef"] == {"name": "homes", "namespace": "labs"}
    assert wanted["spec"]["volumeName"] == volume["metadata"]["name"]
    assert volume["spec"]["accessModes"] == ["ReadWriteMany"]


def test_a_process_is_ended_by_the_record_of_its_start(tmp_path: Path) -> None:
    record = processes.spawn(("/bin/sleep", "60"), tmp_path / "log", {})
    assert processes.alive(record)
    processes.end(record, 5.0)
    assert not processes.alive(record)


def test_a_process_that_got_the_id_of_ours_is_left_alone(tmp_path: Path) -> None:
    record = processes.spawn(("/bin/sleep", "60"), tmp_path / "log", {})
    other = replace(record, started=record.started - 1)
    assert not processes.alive(other)
    processes.end(other, 5.0)
    assert processes.alive(record)
    processes.end(record, 0.0)


def test_a_component_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root", tmp_path / "run")
    known = components_of(layout)
    known["etcd"] = replace(known["etcd"], command=("/bin/sh", "-c", "echo no space; exit 1"))
    with pytest.raises(HarnessError, match=r"(?s)etcd ended.*no space"):
        Components(layout, known).start("etcd", 5.0)


def test_a_component_that_nobody_knows_is_told() -> None:
    with pytest.raises(HarnessError, match="there are etcd, registry"):
        Components(LAYOUT, components_of(LAYOUT)).stop("dns")


def not_to_be_called(*_: object) -> None:
    """In place of what would harm a cluster that stands while this test fails."""
    raise AssertionError("goes on after it should have refused")


@pytest.mark.parametrize("standing", [here(network="net:[1]"), here(node_address="198.51.100.1")])
def test_a_standing_cluster_is_never_made_anew(
    standing: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody works on it: from another network namespace it only looks broken."""
    layout = Layout(tmp_path / "root", tmp_path / "run")
    save(layout.settings, standing)
    for name in ("machine.prepare", "program_builder.build_all"):
        monkeypatch.setattr(f"tests.cluster.harness.bringup.{name}", lambda: BUILT)
    for name in ("tear_down", "_write_configuration", "_start"):
        monkeypatch.setattr(f"tests.cluster.harness.bringup.{name}", not_to_be_called)
    with pytest.raises(HarnessError, match=standing.node_address):
        bring_up(layout)
    assert load(layout.settings) == standing


def test_a_cluster_is_not_taken_down_from_another_network_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(tmp_path / "root", tmp_path / "run")
    for name in ("cgroups.kill_members", "network.restore", "_remove_outside", "unmount"):
        monkeypatch.setattr(f"tests.cluster.harness.teardown.{name}", not_to_be_called)
    save(layout.settings, here(network="net:[1]"))
    with pytest.raises(HarnessError, match="run the command there"):
        tear_down(layout)
    assert layout.settings.exists()


def test_nothing_to_take_down_is_no_error(tmp_path: Path) -> None:
    assert tear_down(Layout(tmp_path / "root", tmp_path / "run")) is False
