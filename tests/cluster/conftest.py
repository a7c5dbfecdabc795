"""Fixtures of the cluster tier."""

from __future__ import annotations

import pytest

from tests.cluster.clusters import Cluster, find_cluster
from tests.cluster.kube import Kube


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster under the tests; without one they are skipped before this is asked for."""
    found = find_cluster()
    assert found is not None, "no cluster: make cluster brings one up"
    return found


@pytest.fixture
def own_cluster(cluster: Cluster) -> Cluster:
    """The tests' own cluster, whose parts may be stopped."""
    if not cluster.ours:
        pytest.skip("stops parts of the cluster: runs on that of make cluster only")
    return cluster


@pytest.fixture
def kube(cluster: Cluster) -> Kube:
    """The API as the administrator."""
    return Kube(cluster.kubeconfig)
