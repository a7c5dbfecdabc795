"""Parts of the cluster that stop: what goes on, what waits, what people read."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.harness.components import Components
from tests.cluster.sites import Site, site

pytestmark = [pytest.mark.cluster, pytest.mark.root]


def controls(cluster: Cluster) -> Components:
    assert cluster.controls is not None
    return cluster.controls


def asked_meanwhile(here: Site, user: str) -> tuple[threading.Thread, list[int]]:
    """Ask for a lab in a thread; its status comes into the list."""
    here.hub.add_user(user)
    answers: list[int] = []
    thread = threading.Thread(
        target=lambda: answers.append(here.hub.ask(user, {"image": "plain"}).status_code)
    )
    thread.start()
    return thread, answers


def test_labs_and_hub_outlive_the_api_server(own_cluster: Cluster, tmp_path: Path) -> None:
    with site(own_cluster, tmp_path) as here:
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        with controls(own_cluster).stopped("apiserver", wake=True):
            assert here.run("rachel", "whoami").strip() == "rachel"
            here.hub.kill()
            here.hub.start()
            thread, answers = asked_meanwhile(here, "simon")
            thread.join(3)
            assert thread.is_alive(), answers
        here.hub.wait(lambda: here.hub.server("rachel").get("ready"), "the lab to be found", 120)
        thread.join(150)
        assert answers == [201], here.hub.log()[-3000:]
        assert here.run("rachel", "whoami").strip() == "rachel"
        for user in ("rachel", "simon"):
            here.hub.end(user)


def test_a_start_waits_for_a_stopped_kubelet(own_cluster: Cluster, tmp_path: Path) -> None:
    with site(own_cluster, tmp_path) as here:
        with controls(own_cluster).stopped("kubelet"):
            thread, answers = asked_meanwhile(here, "rachel")
            here.kube.wait("Pod", "jupyter-rachel", bool)
            thread.join(2)
            assert thread.is_alive(), answers
        thread.join(150)
        assert answers == [201]
        here.hub.end("rachel")


def test_a_registry_that_is_away_is_named_and_waited_for(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    images = {"busybox": f"{own_cluster.registry}/library/busybox:latest"}
    settings = {
        "patience": 0,
        "kubespawner": {"image_pull_policy": "Always"},
        "lab": {"images": images, "image_retry": 4.0},
    }
    with (
        controls(own_cluster).stopped("registry"),
        site(own_cluster, tmp_path, settings=settings) as here,
    ):
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel").status_code == 202
        messages = [event["message"] for event in here.hub.events("rachel")]
        assert any("does not answer" in message for message in messages), messages
        here.hub.wait(lambda: not here.left(), "nothing to be left")


def test_a_cordoned_node_keeps_a_lab_waiting(own_cluster: Cluster, tmp_path: Path) -> None:
    with site(own_cluster, tmp_path) as here:
        here.kube.patch("Node", "node-1", {"spec": {"unschedulable": True}})
        try:
            thread, answers = asked_meanwhile(here, "rachel")
            here.kube.wait(
                "Pod",
                "jupyter-rachel",
                lambda pod: (
                    pod is not None
                    and any(
                        each.get("reason") == "Unschedulable"
                        for each in pod["status"].get("conditions", [])
                    )
                ),
            )
            thread.join(2)
            assert thread.is_alive(), answers
        finally:
            here.kube.patch("Node", "node-1", {"spec": {"unschedulable": None}})
        thread.join(150)
        assert answers == [201]
        here.hub.end("rachel")


def test_what_a_dead_hub_left_is_swept_up(own_cluster: Cluster, tmp_path: Path) -> None:
    with site(own_cluster, tmp_path) as here:
        here.hub.kill()
        labels = {
            "despejado.dev/lab": "jupyter-gone",
            "despejado.dev/start": "00000000",
            "app.kubernetes.io/managed-by": "despejado",
        }
        here.kube.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": "jupyter-gone-00000000",
                    "namespace": here.labs,
                    "labels": labels,
                },
            }
        )
        here.hub.start()
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        here.hub.wait(
            lambda: here.kube.get("Secret", "jupyter-gone-00000000") is None, "it to be removed"
        )
        here.hub.end("rachel")


def test_a_claim_of_one_s_own_outlives_the_lab(own_cluster: Cluster, tmp_path: Path) -> None:
    settings = {
        "kubespawner": {"storage_capacity": "10Mi"},
        "lab": {"homes": {"own_claim": True}},
    }
    with site(own_cluster, tmp_path, settings=settings) as here:
        here.hub.add_user("rachel")
        said = ""
        for _ in range(2):
            answer = here.hub.ask("rachel", {"image": "plain"})
            assert answer.status_code == 201, answer.text
            said = here.run("rachel", "sh", "-c", "echo again >> ~/visits; cat ~/visits; id -u")
            here.hub.end("rachel")
        assert said.split() == ["again", "again", "5623"]
        assert len(here.kube.list("PersistentVolumeClaim")) == 1
