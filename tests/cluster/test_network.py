"""Who reaches a lab and what a lab reaches: each rule by a connection that succeeds or fails."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.sites import Site, site

pytestmark = [pytest.mark.cluster, pytest.mark.root]

CONNECT = """
import socket
try:
    socket.create_connection(({host!r}, {port}), timeout=2).close()
    print("open")
except OSError as error:
    print("closed")
"""


@pytest.fixture(scope="module")
def two_labs(own: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(own, tmp_path_factory.mktemp("network")) as here:
        for user in ("rachel", "simon"):
            here.hub.add_user(user)
            assert here.hub.ask(user, {"image": "plain"}).status_code == 201
        yield here


@pytest.fixture(scope="module")
def own(cluster: Cluster) -> Cluster:
    """Whether policies are enforced is known of the tests' own cluster only."""
    if not cluster.ours:
        pytest.skip("needs a cluster that enforces NetworkPolicies: that of make cluster")
    return cluster


@contextmanager
def listening(address: str) -> Iterator[int]:
    """Something that listens on this machine, which labs have no business with."""
    with socket.socket() as server:
        server.bind((address, 0))
        server.listen()
        threading.Thread(target=_accept, args=(server,), daemon=True).start()
        yield server.getsockname()[1]


def _accept(server: socket.socket) -> None:
    try:
        while True:
            server.accept()[0].close()
    except OSError:
        return


def connect(here: Site, user: str, host: str, port: int) -> str:
    return here.cell(user, CONNECT.format(host=host, port=port)).strip()


def address_of(here: Site, user: str) -> str:
    pod = here.pod(user)
    assert pod is not None
    address: str = pod["status"]["podIP"]
    return address


def test_a_lab_reaches_its_hub_and_no_other_port_of_that_machine(two_labs: Site) -> None:
    hub = two_labs.hub
    assert connect(two_labs, "rachel", hub.address, hub.api_port) == "open"
    with listening(hub.address) as port:
        socket.create_connection((hub.address, port), timeout=2).close()
        assert connect(two_labs, "rachel", hub.address, port) == "closed"


def test_a_lab_does_not_reach_another_lab(two_labs: Site) -> None:
    simon = address_of(two_labs, "simon")
    socket.create_connection((simon, 8888), timeout=2).close()
    assert connect(two_labs, "rachel", simon, 8888) == "closed"


def test_a_pod_that_is_no_lab_does_not_reach_a_lab(two_labs: Site, own: Cluster) -> None:
    rachel = address_of(two_labs, "rachel")
    two_labs.kube.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "stranger", "namespace": two_labs.platform},
            "spec": {
                "restartPolicy": "Never",
                "containers": [
                    {
                        "name": "ask",
                        "image": f"{own.registry}/library/busybox:latest",
                        "command": ["sh", "-c", f"nc -w 2 {rachel} 8888 </dev/null"],
                    }
                ],
            },
        }
    )
    two_labs.kube.namespace, labs = two_labs.platform, two_labs.kube.namespace
    try:
        ended = two_labs.kube.wait(
            "Pod",
            "stranger",
            lambda pod: pod is not None and pod["status"]["phase"] in ("Failed", "Succeeded"),
        )
    finally:
        two_labs.kube.namespace = labs
    assert ended is not None and ended["status"]["phase"] == "Failed"


def test_names_are_resolved_and_the_api_server_is_out_of_reach(two_labs: Site) -> None:
    said = two_labs.cell(
        "rachel",
        "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))",
    )
    address = said.strip()
    assert address.count(".") == 3, said
    assert connect(two_labs, "rachel", address, 443) == "closed"


def test_a_policy_goes_with_its_lab(own: Cluster, tmp_path: Path) -> None:
    with site(own, tmp_path) as here:
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        [policy] = here.kube.list("NetworkPolicy")
        pod = here.pod("rachel")
        assert pod is not None
        [owner] = policy["metadata"]["ownerReferences"]
        assert owner["uid"] == pod["metadata"]["uid"]
        here.hub.end("rachel")
        here.hub.wait(lambda: not here.kube.list("NetworkPolicy"), "the policy to go")
