"""Labs that end without anybody asking: noticed, told, and nothing left."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.cluster.clusters import Cluster
from tests.cluster.kube import Manifest
from tests.cluster.pod_hub import free_port
from tests.cluster.simulated_labs import simulated_nodes
from tests.cluster.sites import Site, site
from tests.cluster.test_in_chromium import proxy
from tests.cluster.test_outages import asked_meanwhile, controls

pytestmark = [pytest.mark.cluster, pytest.mark.root]
GIVEN_UP_AT_ONCE = [
    {
        "key": f"node.kubernetes.io/{key}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 1,
    }
    for key in ("not-ready", "unreachable")
]
"""Kubernetes waits five minutes for a machine that is away; these labs do not."""
MACHINE_AWAY = "(node-1) does not answer"


def test_a_lab_on_a_lost_machine_is_told_and_cleared_away(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    settings = {"kubespawner": {"tolerations": GIVEN_UP_AT_ONCE}, "lab": {"stop_timeout": 3.0}}
    with (
        site(own_cluster, tmp_path, settings=settings) as here,
        # Where every machine is away Kubernetes takes itself for the one that is cut off.
        simulated_nodes(here.kube, 1),
    ):
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        with controls(own_cluster).stopped("kubelet"):
            here.hub.wait(
                lambda: "last_end" in here.hub.state("rachel"), "the hub to hear of it", 120
            )
            end = here.hub.state("rachel")["last_end"]
            assert end["reason"] == "node_lost"
            assert "node-1" in end["message"]
            # The kubelet that would confirm the end is away: the hub does not wait for its word.
            here.hub.wait(lambda: not here.left(), "nothing to be left", 60)
            assert not here.hub.server("rachel").get("ready")


def test_a_lab_can_be_stopped_on_a_machine_that_does_not_answer(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    settings = {"lab": {"stop_timeout": 3.0}}
    with site(own_cluster, tmp_path, settings=settings) as here:
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        with controls(own_cluster).frozen("kubelet"):
            here.hub.end("rachel")
            here.hub.wait(lambda: not here.left(), "nothing to be left", 60)


def test_a_start_outlives_a_minute_without_the_api_server(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    with site(own_cluster, tmp_path) as here:
        here.hub.add_user("rachel")
        assert here.hub.ask("rachel", {"image": "plain"}).status_code == 201
        with controls(own_cluster).stopped("apiserver", wake=True):
            thread, answers = asked_meanwhile(here, "simon")
            thread.join(58)
            assert thread.is_alive(), (answers, here.hub.log()[-2000:])
            assert here.run("rachel", "whoami").strip() == "rachel"
        thread.join(120)
        assert answers in ([201], [202]), answers  # the hub answers after a minute at the latest
        here.hub.wait(lambda: here.hub.server("simon").get("ready"), "the lab to be up", 90)
        assert here.hub.server("rachel").get("ready")
        for user in ("rachel", "simon"):
            here.hub.end(user)
        here.hub.wait(lambda: not here.left(), "nothing to be left", 60)


@pytest.mark.parametrize(("part", "phase"), [("scheduler", "scheduling"), ("registry", "pulling")])
def test_a_hub_killed_while_a_lab_waits_goes_on_with_it(
    own_cluster: Cluster, tmp_path: Path, part: str, phase: str
) -> None:
    settings = {"patience": 0, "kubespawner": {"image_pull_policy": "Always"}}
    with site(own_cluster, tmp_path, settings=settings) as here:
        here.hub.add_user("rachel")
        with controls(own_cluster).stopped(part):
            assert here.hub.ask("rachel", {"image": "plain"}).status_code == 202
            assert any(event.get("phase") == phase for event in here.hub.events("rachel"))
            here.hub.kill()
            here.hub.start()
        here.hub.wait(lambda: here.hub.server("rachel").get("ready"), "the lab to be up", 120)
        assert here.run("rachel", "whoami").strip() == "rachel"
        here.hub.end("rachel")
        here.hub.wait(lambda: not here.left(), "nothing to be left")


def home_page(here: Site, url: str, user: str) -> str:
    """What the home page of the platform says to a user, as text."""
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        client.get("/hub/login").raise_for_status()
        form = {"username": user, "password": "any", "_xsrf": client.cookies["_xsrf"]}
        assert client.post("/hub/login", data=form).status_code == 302
        return client.get("/hub/home").raise_for_status().text


def node_is_lost(node: Manifest | None) -> bool:
    conditions = (node or {}).get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "Unknown" for each in conditions)


def test_labs_of_a_machine_that_is_away_are_told_and_can_be_stopped_or_kept(
    own_cluster: Cluster, tmp_path: Path
) -> None:
    port, api_port = free_port(), free_port()
    with (
        proxy(tmp_path, f"http://{own_cluster.node_address}:{api_port}") as found,
        site(
            own_cluster,
            tmp_path,
            settings={"proxy": found, "lab": {"stop_timeout": 3.0}},
            ports=(port, api_port),
        ) as here,
        # Where every machine is away Kubernetes marks no pod of theirs.
        simulated_nodes(here.kube, 1),
    ):
        for user in ("rachel", "simon"):
            here.hub.add_user(user)
            started = here.hub.spawn(user, {"image": "plain"})
            assert not started or started[-1].get("ready"), started
        assert MACHINE_AWAY not in home_page(here, found["url"], "rachel")
        kept = here.pod("simon")
        with controls(own_cluster).frozen("kubelet"):
            here.kube.wait("Node", "node-1", node_is_lost, timeout=90)
            for user in ("rachel", "simon"):
                here.hub.wait(
                    lambda u=user: MACHINE_AWAY in home_page(here, found["url"], u),
                    f"the home page of {user} to say so",
                )
                assert here.hub.server(user)["ready"]
            here.hub.end("rachel")
            here.hub.wait(lambda: here.pod("rachel") is None, "the pod to go")
            assert here.pod("simon") is not None
        # Simon's lab outlived it: the same pod, with the same processes, and no word any more.
        here.hub.wait(
            lambda: MACHINE_AWAY not in home_page(here, found["url"], "simon"), "the machine", 90
        )
        assert "simon" in here.run("simon", "whoami")
        again = here.pod("simon")
        assert kept and again and kept["metadata"]["uid"] == again["metadata"]["uid"]
        here.hub.end("simon")
        here.hub.wait(lambda: not here.left(), "nothing to be left")
