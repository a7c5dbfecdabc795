"""A namespace for each user, where a hub has the rights for that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.kube import Kube
from tests.cluster.pod_hub import PodHub

pytestmark = [pytest.mark.cluster, pytest.mark.root]
KINDS = ("Pod", "Secret", "ConfigMap")


def test_each_user_has_a_namespace_and_one_watch_sees_them_all(
    cluster: Cluster, tmp_path: Path
) -> None:
    kube = Kube(cluster.kubeconfig)
    # Names that no other run of the tests has.
    users = {name: f"lab-of-{name}-{tmp_path.stat().st_ino}" for name in ("rachel", "vera")}
    settings = {
        "kubespawner": {
            "enable_user_namespaces": True,
            "user_namespace_template": f"lab-of-{{username}}-{tmp_path.stat().st_ino}",
            "user_namespace_labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
        "lab": {
            "images": {"plain": {"image": cluster.image("despejado/lab:plain"), "launcher": True}},
            "sizes": {"small": {"cpu": 1.0, "memory": "1Gi", "cpu_guarantee": 0.05}},
        },
    }
    hub = PodHub(tmp_path, cluster.kubeconfig, cluster.node_address, "default", settings)
    try:
        hub.start()
        for user, namespace in users.items():
            hub.add_user(user)
            answer = hub.ask(user)
            assert answer.status_code == 201, answer.text
            for kind in KINDS:
                names = [each["metadata"]["name"] for each in kube.list(kind, namespace)]
                assert any(name.startswith(f"jupyter-{user}") for name in names), (kind, names)
            found = kube.get("Namespace", namespace)
            assert found is not None
            enforced = found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
            assert enforced == "restricted"
        kube.delete("Pod", "jupyter-vera", users["vera"])
        hub.wait(lambda: "last_end" in hub.state("vera"), "the hub to notice")
        assert hub.server("rachel").get("ready")
        hub.end("rachel")
        for namespace in users.values():
            for kind in ("Pod", "Secret"):
                hub.wait(lambda k=kind, n=namespace: not kube.list(k, n), "nothing to be left")
    finally:
        hub.stop()
        for namespace in users.values():
            kube.delete("Namespace", namespace)
