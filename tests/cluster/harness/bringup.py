"""Bringing the cluster up; what stands already is left as it is, what died is started again."""

from __future__ import annotations

import fcntl
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.harness import certificates, cgroups, images, machine, manifests, network, node
from tests.cluster.harness import programs as program_builder
from tests.cluster.harness.api import Api, ApiError, Json
from tests.cluster.harness.commands import components
from tests.cluster.harness.components import Components, until
from tests.cluster.harness.errors import HarnessError
from tests.cluster.harness.layout import Layout
from tests.cluster.harness.programs import Built
from tests.cluster.harness.say import say
from tests.cluster.harness.settings import (
    Settings,
    boot_id,
    check_place,
    load,
    network_namespace,
    save,
    write_atomically,
)
from tests.cluster.harness.teardown import tear_down

_CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
_CNI_PROGRAMS = ("ptp", "host-local", "loopback")


def bring_up(layout: Layout) -> Settings:
    """Bring the cluster up, or repair it; returns when the node is Ready and DNS answers."""
    began = time.monotonic()
    machine.prepare()
    built = program_builder.build_all()
    with only_one(layout):
        settings = _settings(layout)
        control = control_of(layout, settings, built)
        if not _stands(layout, settings, control):
            _write_configuration(layout, settings, built)
            _start(layout, settings, control, built)
    say(
        f"The cluster stands ({time.monotonic() - began:.0f} s): node {settings.node_name} at "
        f"{settings.node_address}, registry {settings.registry}, pods {settings.pod_cidr}"
    )
    return settings


def control_of(layout: Layout, settings: Settings, built: Built | None = None) -> Components:
    """The handles of the cluster's processes."""
    return Components(layout, components(layout, settings, built or program_builder.build_all()))


@contextmanager
def only_one(layout: Layout) -> Iterator[None]:
    """Two commands at once would each start what the other does not see yet."""
    layout.lock.parent.mkdir(parents=True, exist_ok=True)
    with layout.lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another command brings the cluster up or down; waiting for it")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _settings(layout: Layout) -> Settings:
    found = load(layout.settings)
    address = network.node_address()
    if found is not None and found.boot == boot_id():
        check_place(found)
        if found.node_address != address:
            # Somebody may work on it: only a person can say that it may go.
            raise HarnessError(
                f"the cluster was made for {found.node_address}, and the machine's address is "
                f"{address} now: remove the cluster with `make cluster-down`, then make it anew"
            )
        return found
    if found is not None:
        say("The machine was started again, nothing of the cluster runs: making it anew")
        tear_down(layout)
    pods, services = network.ranges()
    made = Settings(
        node_address=address,
        pod_cidr=pods,
        service_cidr=services,
        ports=network.free_ports(address),
        tokens={user: secrets.token_urlsafe(24) for user in node.USERS},
        before=network.before(),
        boot=boot_id(),
        network=network_namespace(),
    )
    save(layout.settings, made)
    return made


def _stands(layout: Layout, settings: Settings, control: Components) -> bool:
    """Whether all works, so that nothing is to be done."""
    if not all(control.works(name) for name in control.known):
        return False
    return _ready(Api.of(layout, settings), settings)


def _write_configuration(layout: Layout, settings: Settings, built: Built) -> None:
    """All files that the programs read; written anew at each start, for changes to take effect."""
    for folder in (layout.root, layout.run, layout.records, layout.volumes, layout.cni_programs):
        folder.mkdir(parents=True, exist_ok=True)
    layout.root.chmod(0o755)
    certificates.make(layout, settings)
    etc = layout.configuration
    write_atomically(etc / "tokens.csv", node.tokens_csv(settings), 0o600)
    write_atomically(etc / "kubelet.json", node.kubelet(layout, settings))
    write_atomically(etc / "kube-proxy.json", node.kube_proxy(layout, settings))
    write_atomically(etc / "containerd.toml", node.containerd(layout, settings))
    write_atomically(etc / "registry.json", node.registry(layout, settings))
    write_atomically(etc / "provisioner.json", node.provisioner(layout))
    write_atomically(
        layout.cni_configuration / "10-cluster.conflist", node.network(layout, settings)
    )
    for host in node.MIRRORED:
        write_atomically(layout.registries / host / "hosts.toml", node.hosts_toml(settings))
    authority = (layout.certificates / "ca.crt").read_bytes()
    for user in node.USERS:
        path = layout.kubeconfig if user == "admin" else layout.kubeconfig_of(user)
        write_atomically(path, node.kubeconfig(settings, user, authority), 0o600)
    _link_programs(layout, built)


def _link_programs(layout: Layout, built: Built) -> None:
    """CNI programs in one folder, and kubectl as it is usually called."""
    links = {layout.cni_programs / "await-policies": Path(built["await-policies"])}
    for name in _CNI_PROGRAMS:
        found = [Path(it) / name for it in _CNI_FOLDERS if (Path(it) / name).exists()]
        if not found:
            raise HarnessError(f"the CNI plugin {name} is in none of {', '.join(_CNI_FOLDERS)}")
        links[layout.cni_programs / name] = found[0]
    for link, target in links.items():
        link.unlink(missing_ok=True)
        link.symlink_to(target)
    kubectl = layout.root / "bin" / "kubectl"
    kubectl.parent.mkdir(exist_ok=True)
    write_atomically(
        kubectl,
        "#!/bin/sh\n"
        f': "${{KUBECONFIG:={layout.kubeconfig}}}"; export KUBECONFIG\n'
        f'exec "{built["kubernetes"]}" kubectl "$@"\n',
        0o755,
    )


def _start(layout: Layout, settings: Settings, control: Components, built: Built) -> None:
    say("Starting the cluster (about 12 s)")
    network.prepare(settings)
    cgroups.make()
    api = Api.of(layout, settings)
    for name in ("etcd", "registry", "containerd", "apiserver"):
        control.start(name)
    for name in ("controller-manager", "scheduler", "policies"):
        control.start(name)
    images.push_own(settings.registry, built)
    # Before there is a node, kube-proxy waits half a minute for it.
    for name in ("kubelet", "kube-proxy"):
        control.start(name)
    for item in (*manifests.dns(settings), *manifests.storage(settings)):
        _apply(api, item)
    for name in ("local-path", "kwok"):
        control.start(name)
    if not until(lambda: _ready(api, settings), 90.0, 0.1):
        raise HarnessError(
            "the node is not Ready or DNS does not run after 90 s: "
            f"{_why_not(api, settings)}; logs are in {layout.logs}"
        )


def _apply(api: Api, item: Json) -> None:
    """Apply, once what an API server makes for itself after its start is there."""
    failure: list[ApiError] = []

    def applied() -> bool:
        failure.clear()
        try:
            api.apply(item)
        except ApiError as error:
            failure.append(error)
        return not failure

    if not until(applied, 20.0, 0.1):
        raise HarnessError(f"the API server refuses what the cluster starts with: {failure[0]}")


def _ready(api: Api, settings: Settings) -> bool:
    return not _why_not(api, settings)


def _why_not(api: Api, settings: Settings) -> str:
    """What is missing for a cluster that pods can start in, or ""."""
    try:
        status = api.get(f"/api/v1/nodes/{settings.node_name}")["status"]
        conditions = {it["type"]: it for it in status.get("conditions", ())}
        ready = conditions.get("Ready", {})
        if ready.get("status") != "True":
            return f"node {settings.node_name}: {ready.get('message', 'not registered')}"
        api.get("/api/v1/namespaces/default/serviceaccounts/default")
        dns = api.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns")["status"]
        return "" if dns.get("availableReplicas") else "no pod of CoreDNS is ready"
    except (ApiError, OSError) as error:
        return str(error)


def kubectl(layout: Layout, *arguments: str) -> str:
    """Run kubectl against the cluster; returns what it prints."""
    command = [str(layout.root / "bin" / "kubectl"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise HarnessError(f"{' '.join(command)} failed:\n{result.stderr.strip()}")
    return result.stdout
