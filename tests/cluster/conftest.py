"""Fixtures of the cluster tier."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.clusters import Cluster, find_cluster
from tests.cluster.kube import Kube, Manifest, fresh_namespace


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster under the tests; without one they are skipped before this is asked for."""
    found = find_cluster()
    assert found is not None, "no cluster: make cluster brings one up"
    return found


@pytest.fixture
def own_cluster(cluster: Cluster) -> Iterator[Cluster]:
    """The tests' own cluster, whose parts may be stopped; whole again afterwards."""
    if not cluster.ours:
        pytest.skip("stops parts of the cluster: runs on that of make cluster only")
    yield cluster
    settle(cluster)


def settle(cluster: Cluster) -> None:
    """Wait until controllers and scheduler have their leases again and do their work."""
    kube = Kube(cluster.kubeconfig)
    with fresh_namespace(kube, "settle") as namespace:
        kube.namespace = namespace
        kube.wait("ServiceAccount", "default", bool, timeout=120)
        container = {"name": "sleep", "image": f"{cluster.registry}/library/busybox:latest"}
        kube.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "settle", "namespace": namespace},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
            }
        )
        kube.wait("Pod", "settle", _has_a_node, timeout=120)


def _has_a_node(pod: Manifest | None) -> bool:
    return pod is not None and "nodeName" in pod["spec"]


@pytest.fixture
def kube(cluster: Cluster) -> Kube:
    """The API as the administrator."""
    return Kube(cluster.kubeconfig)
