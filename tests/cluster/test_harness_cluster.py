"""The test cluster is a real one: identities, Pod Security, policies, volumes, restarts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.harness import simulated
from tests.cluster.harness.components import Components, until
from tests.cluster.harness.layout import Layout
from tests.cluster.harness.volumes import host_volume, remove_volume
from tests.cluster.kube import Kube, Manifest, fresh_namespace

pytestmark = [pytest.mark.cluster, pytest.mark.root]

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture
def own(cluster: Cluster) -> Cluster:
    if not cluster.ours:
        pytest.skip("is about the cluster of make cluster")
    return cluster


@pytest.fixture
def space(own: Cluster, kube: Kube) -> Iterator[str]:
    with fresh_namespace(kube, "harness") as name:
        kube.namespace = name
        kube.wait("ServiceAccount", "default", bool)
        yield name


def pod(cluster: Cluster, name: str, script: str, **labels: str) -> Manifest:
    """A pod of busybox that runs a script as uid 5001 and passes *restricted*."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsUser": 5001,
                "runAsGroup": 5001,
                "runAsNonRoot": True,
                "supplementalGroups": [6001, 6002],
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": f"{cluster.registry}/library/busybox:latest",
                    "command": ["sh", "-c", script],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def ended(kube: Kube, name: str) -> str:
    """Wait for a pod's end and return what it printed."""
    kube.wait(
        "Pod", name, lambda it: it is not None and it["status"]["phase"] in ("Succeeded", "Failed")
    )
    return kube.logs(name).strip()


def running(kube: Kube, name: str) -> Manifest:
    found = kube.wait(
        "Pod",
        name,
        lambda it: (
            it is not None and it["status"]["phase"] == "Running" and "podIP" in it["status"]
        ),
    )
    assert found is not None
    return found


def controls(cluster: Cluster) -> Components:
    assert cluster.controls is not None
    return cluster.controls


def test_a_pod_runs_as_who_it_is_told(own: Cluster, kube: Kube, space: str) -> None:
    kube.patch("Namespace", space, {"metadata": {"labels": RESTRICTED}})
    kube.create(pod(own, "who", "id -u; id -g; id -G; grep CapEff /proc/self/status"))
    said = ended(kube, "who").splitlines()
    assert said[:2] == ["5001", "5001"]
    assert set(said[2].split()) == {"5001", "6001", "6002"}
    assert said[3].split()[1].strip("0") == ""


@pytest.mark.parametrize(
    "violation",
    [
        {"allowPrivilegeEscalation": True},
        {"runAsUser": 0},
        {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}},
    ],
)
def test_what_is_not_restricted_is_refused(
    own: Cluster, kube: Kube, space: str, violation: dict[str, Any]
) -> None:
    kube.patch("Namespace", space, {"metadata": {"labels": RESTRICTED}})
    wrong = pod(own, "wrong", "true")
    wrong["spec"]["containers"][0]["securityContext"] |= violation
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        kube.create(wrong)


@contextmanager
def listening(address: str) -> Iterator[int]:
    """A program of this machine that pods may reach or not."""
    with socket.create_server((address, 0)) as server:
        threading.Thread(target=_greet, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _greet(server: socket.socket) -> None:
    try:
        while True:
            with server.accept()[0] as client:
                client.sendall(b"hello\n")
    except OSError:
        return


def policy(kube: Kube, name: str, spec: dict[str, Any]) -> None:
    kube.create(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name},
            "spec": spec,
        }
    )


def test_ingress_is_for_whom_a_policy_names(own: Cluster, kube: Kube, space: str) -> None:
    kube.create(pod(own, "server", "while true; do echo hello | nc -l -p 8080; done", role="s"))
    address = running(kube, "server")["status"]["podIP"]
    friend = {"podSelector": {"matchLabels": {"role": "friend"}}}
    rule = {"from": [friend], "ports": [{"port": 8080}]}
    policy(kube, "s", {"podSelector": {"matchLabels": {"role": "s"}}, "ingress": [rule]})
    ask = f"nc -w 2 {address} 8080 </dev/null 2>/dev/null || echo closed"
    kube.create(pod(own, "stranger", ask, role="stranger"))
    kube.create(pod(own, "friend", ask, role="friend"))
    assert ended(kube, "stranger") == "closed"
    assert ended(kube, "friend") == "hello"


def test_egress_is_to_what_a_policy_names_on_this_machine_too(
    own: Cluster, kube: Kube, space: str
) -> None:
    with listening(own.node_address) as allowed, listening(own.node_address) as refused:
        block = {"ipBlock": {"cidr": f"{own.node_address}/32"}}
        spec = {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "egress": [{"to": [block], "ports": [{"port": allowed}]}],
        }
        policy(kube, "one-port", spec)
        script = "; ".join(
            f"nc -w 2 {own.node_address} {port} </dev/null 2>/dev/null || echo closed"
            for port in (allowed, refused)
        )
        kube.create(pod(own, "asks", script))
        assert ended(kube, "asks").splitlines() == ["hello", "closed"]


def test_rules_hold_from_a_pods_first_instruction(own: Cluster, kube: Kube, space: str) -> None:
    """Programs that connect at once; none gets through before the rules hold."""
    policy(kube, "closed", {"podSelector": {}, "policyTypes": ["Egress"]})
    with listening(own.node_address) as port:
        names = [f"early-{number}" for number in range(5)]
        for name in names:
            kube.create(
                pod(
                    own,
                    name,
                    f"nc -w 1 {own.node_address} {port} </dev/null 2>/dev/null || echo no",
                )
            )
        assert [ended(kube, name) for name in names] == ["no"] * len(names)


def test_a_policy_holds_soon_for_pods_that_run(own: Cluster, kube: Kube, space: str) -> None:
    with listening(own.node_address) as port:
        ask = f"nc -w 1 {own.node_address} {port} </dev/null 2>/dev/null"
        loop = f"while {ask}; do :; done; echo closed"
        kube.create(pod(own, "runs", loop))
        running(kube, "runs")
        policy(kube, "closed", {"podSelector": {}, "policyTypes": ["Egress"]})
        assert ended(kube, "runs").splitlines()[-1] == "closed"


def test_names_are_resolved(own: Cluster, kube: Kube, space: str) -> None:
    kube.create(pod(own, "asks", "nslookup kubernetes.default.svc.cluster.local"))
    assert own.settings is not None
    assert own.settings.api_service_address in ended(kube, "asks")


def test_simulated_nodes_run_pods_at_once(own: Cluster, kube: Kube, space: str) -> None:
    before = {node["metadata"]["name"] for node in kube.list("Node")}
    if any(name.startswith("fake-") for name in before):
        pytest.skip("somebody else uses simulated nodes of this cluster just now")
    try:
        assert simulated.add(own.api, 2) == ["fake-1", "fake-2"]
        many = pod(own, "many", "true")
        many["spec"] |= {
            "nodeSelector": simulated.SELECTOR,
            "tolerations": [simulated.TOLERATION],
        }
        kube.create(many)
        found = running(kube, "many")
        assert found["spec"]["nodeName"].startswith("fake-")
        [node] = [it for it in kube.list("Node") if it["metadata"]["name"] == "fake-1"]
        assert node["status"]["allocatable"]["pods"] == "500"
    finally:
        simulated.remove(own.api)
    assert {node["metadata"]["name"] for node in kube.list("Node")} == before


def test_namespaces_share_a_volume(own: Cluster, kube: Kube, space: str) -> None:
    with fresh_namespace(kube, "harness-other") as other:
        kube.wait("ServiceAccount", "default", bool)
        name = f"shared-{space}"
        folder = host_volume(own.api, Layout(), name, [space, other], "1Gi")
        folder.chmod(0o777)
        said = ""
        try:
            for namespace, script in ((space, "id -u > /shared/file"), (other, "cat /shared/file")):
                kube.namespace = namespace
                made = pod(own, "uses", script)
                made["spec"]["volumes"] = [
                    {"name": "shared", "persistentVolumeClaim": {"claimName": name}}
                ]
                made["spec"]["containers"][0]["volumeMounts"] = [
                    {"name": "shared", "mountPath": "/shared"}
                ]
                kube.create(made)
                said = ended(kube, "uses")
            assert said == "5001"
        finally:
            remove_volume(own.api, name, [space, other])
            (folder / "file").unlink(missing_ok=True)
            folder.rmdir()


def test_a_claim_gets_a_volume_by_itself(own: Cluster, kube: Kube, space: str) -> None:
    kube.create(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "mine"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "10Mi"}},
            },
        }
    )
    made = pod(own, "uses", "echo kept > /mine/file; cat /mine/file")
    made["spec"]["volumes"] = [{"name": "mine", "persistentVolumeClaim": {"claimName": "mine"}}]
    made["spec"]["containers"][0]["volumeMounts"] = [{"name": "mine", "mountPath": "/mine"}]
    kube.create(made)
    assert ended(kube, "uses") == "kept"


@pytest.mark.parametrize("component", ["apiserver", "kubelet", "containerd", "policies"])
def test_pods_outlive_a_restart(
    own_cluster: Cluster, kube: Kube, space: str, component: str
) -> None:
    kube.create(pod(own_cluster, "lives", "sleep 1000"))
    before = running(kube, "lives")["status"]
    with controls(own_cluster).stopped(component):
        assert not controls(own_cluster).runs(component)
    kube.create(pod(own_cluster, "later", "echo started"))
    assert ended(kube, "later") == "started"
    after = running(kube, "lives")["status"]
    assert after["podIP"] == before["podIP"]
    assert after["containerStatuses"][0]["restartCount"] == 0


def test_a_frozen_component_goes_on_where_it_was(own_cluster: Cluster, kube: Kube) -> None:
    with controls(own_cluster).frozen("registry"):
        assert not controls(own_cluster).works("registry")
    assert until(lambda: controls(own_cluster).works("registry"), 10)
