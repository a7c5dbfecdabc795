"""A namespace for each user, where a hub has the rights for that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from despejado_hub.kubernetes_role import LABS, Right

from tests.cluster.api_gate import Call, Gate, api_gate
from tests.cluster.clusters import Cluster
from tests.cluster.kube import Kube, fresh_namespace
from tests.cluster.pod_hub import PodHub

pytestmark = [pytest.mark.cluster, pytest.mark.root]
KINDS = ("Pod", "Secret", "ConfigMap", "NetworkPolicy")
NEW_NAMESPACES = Right("", "namespaces", ("create",), "a namespace for each user")


@contextmanager
def everywhere(kube: Kube, rights: tuple[Right, ...], folder: Path) -> Iterator[Path]:
    """The kubeconfig of an account that has rights in all namespaces."""
    with fresh_namespace(kube, "platform") as home:
        account = {"kind": "ServiceAccount", "metadata": {"name": "hub", "namespace": home}}
        kube.create({"apiVersion": "v1", **account})
        authorization = "rbac.authorization.k8s.io"
        rules = [
            {"apiGroups": [each.group], "resources": [each.resource], "verbs": list(each.verbs)}
            for each in rights
        ]
        common = {"apiVersion": f"{authorization}/v1", "metadata": {"name": home}}
        role = {"kind": "ClusterRole", "name": home, "apiGroup": authorization}
        subject = {"kind": "ServiceAccount", "name": "hub", "namespace": home}
        try:
            kube.create({"kind": "ClusterRole", "rules": rules, **common})
            kube.create(
                {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject], **common}
            )
            yield kube.as_account("hub", home, folder)
        finally:
            kube.delete("ClusterRoleBinding", home)
            kube.delete("ClusterRole", home)


@contextmanager
def hub_of(cluster: Cluster, folder: Path, account: Path) -> Iterator[tuple[PodHub, str]]:
    """A hub that gives each user a namespace, and what the names of these end with."""
    ending = str(folder.stat().st_ino)  # names that no other run of the tests has
    here = {"cidr": f"{cluster.node_address}/32"}
    lab: dict[str, Any] = {
        "images": {"plain": {"image": cluster.image("despejado/lab:plain"), "launcher": True}},
        "sizes": {"small": {"cpu": 1.0, "memory": "1Gi", "cpu_guarantee": 0.05}},
    }
    settings = {
        "kubespawner": {
            "enable_user_namespaces": True,
            "user_namespace_template": f"lab-of-{{username}}-{ending}",
            "user_namespace_labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        },
        "lab": lab,
    }
    hub = PodHub(folder, account, cluster.node_address, "default", settings)
    lab["network"] = {"hub": {**here, "port": hub.api_port}, "proxy": here}
    kube = Kube(cluster.kubeconfig)
    try:
        hub.start()
        yield hub, ending
    finally:
        hub.stop()
        for namespace in kube.list("Namespace"):
            name = namespace["metadata"]["name"]
            if name.startswith("lab-of-") and name.endswith(f"-{ending}"):
                kube.delete("Namespace", name)


def made_for(kube: Kube, user: str, namespace: str) -> list[str]:
    """Objects of a user's lab, by kind and name."""
    return [
        f"{kind} {each['metadata']['name']}"
        for kind in KINDS
        for each in kube.list(kind, namespace)
        if each["metadata"]["name"].startswith(f"jupyter-{user}")
    ]


def test_each_user_has_a_namespace_and_one_watch_sees_them_all(
    cluster: Cluster, tmp_path: Path
) -> None:
    kube = Kube(cluster.kubeconfig)
    with (
        everywhere(kube, (*LABS, NEW_NAMESPACES), tmp_path) as account,
        hub_of(cluster, tmp_path, account) as (hub, ending),
    ):
        users = {name: f"lab-of-{name}-{ending}" for name in ("rachel", "vera")}
        for user, namespace in users.items():
            hub.add_user(user)
            answer = hub.ask(user)
            assert answer.status_code == 201, answer.text
            made = [each.split()[0] for each in made_for(kube, user, namespace)]
            assert sorted(made) == sorted(KINDS), made
            found = kube.get("Namespace", namespace)
            assert found is not None
            enforced = found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
            assert enforced == "restricted"
        kube.delete("Pod", "jupyter-vera", users["vera"])
        hub.wait(lambda: "last_end" in hub.state("vera"), "the hub to notice")
        assert hub.server("rachel").get("ready")
        hub.end("rachel")
        for user, namespace in users.items():
            hub.wait(lambda u=user, n=namespace: not made_for(kube, u, n), "nothing to be left")
        # The namespace of a lab that was stopped is there: it is no matter.
        assert hub.ask("rachel").status_code == 201
        hub.end("rachel")


def test_a_hub_that_may_not_make_namespaces_says_which_right_is_missing(
    cluster: Cluster, tmp_path: Path
) -> None:
    kube = Kube(cluster.kubeconfig)
    with (
        everywhere(kube, LABS, tmp_path) as account,
        hub_of(cluster, tmp_path, account) as (hub, ending),
    ):
        hub.add_user("rachel")
        answer = hub.ask("rachel")
        assert answer.status_code == 500, answer.text
        said = answer.json()["message"]
        assert f"create the namespace lab-of-rachel-{ending}" in said
        assert "ClusterRole" in said and 'resources ["namespaces"], verbs ["create"]' in said
        assert "reason=permission" in hub.log() or not hub.names_reasons
        assert "Traceback" not in hub.log()
        assert kube.get("Namespace", f"lab-of-rachel-{ending}") is None


def test_a_new_namespace_is_asked_for_again_where_nobody_answers(
    cluster: Cluster, tmp_path: Path
) -> None:
    kube = Kube(cluster.kubeconfig)
    seen: list[Call] = []

    def lose_the_first(call: Call) -> int | str | None:
        if (call.verb, call.kind) == ("create", "namespaces") and not seen:
            seen.append(call)
            return "drop"
        return None

    with (
        everywhere(kube, (*LABS, NEW_NAMESPACES), tmp_path) as account,
        api_gate(account, tmp_path) as opened,
    ):
        gate: Gate = opened[0]
        gate.fail = lose_the_first
        with hub_of(cluster, tmp_path, opened[1]) as (hub, _):
            hub.add_user("rachel")
            answer = hub.ask("rachel")
            assert seen and answer.status_code == 201, answer.text
            hub.end("rachel")
