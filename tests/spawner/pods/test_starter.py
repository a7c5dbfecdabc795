"""Whole starts of labs from an image menu, against the fake API server."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import HOME_GATE
from despejado_spawner.pods.spawner import LabSpawner
from tornado.web import HTTPError
from traitlets.config import Config

from tests.spawner.pods.fake_api import FakeApi
from tests.spawner.pods.fake_cluster import running_cluster
from tests.spawner.pods.mock_spawners import begin_start, make_spawner, without_cluster

SITE_GATE = "site.example.org/budget"
PROVISIONER = {"namespace": "makers", "claim": "h", "image": "registry.example.org/lab:1"}


@pytest_asyncio.fixture
async def cluster(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[FakeApi, int]]:
    without_cluster(monkeypatch)
    async with running_cluster() as found:
        yield found
        await LabSpawner._stop_all_reflectors()


def lab(port: int, **settings: Any) -> Any:
    config = Config()
    config.KubeSpawner.update(namespace="labs", port=port, k8s_api_request_retry_timeout=3)
    config.LabSpawner.update(
        images={"w_2026_43": "registry.example.org/lab:w_2026_43"}, start_timeout=20, **settings
    )
    return make_spawner(LabSpawner, config, uid=5001, gid=5001)


def only(api: FakeApi, plural: str) -> Manifest:
    (found,) = [item for (each, _, _), item in api.objects.items() if each == plural]
    return found


async def make_home(api: FakeApi, verdict: dict[str, Any]) -> None:
    """What the job does; meanwhile somebody opens the site's own gate."""
    await api.until(lambda: api.counts()["jobs"] == 1)
    pod = copy.deepcopy(only(api, "pods"))
    gates = pod["spec"]["schedulingGates"]
    assert [each["name"] for each in gates] == [SITE_GATE, HOME_GATE]
    pod["spec"]["schedulingGates"] = gates[1:]
    api.put("pods", pod)
    job = only(api, "jobs")["metadata"]
    ended = {"exitCode": 0, "message": json.dumps(verdict)}
    api.put(
        "pods",
        {
            "metadata": {
                "name": f"{job['name']}-x",
                "namespace": job["namespace"],
                "labels": {"batch.kubernetes.io/job-name": job["name"]},
            },
            "status": {"containerStatuses": [{"name": "home", "state": {"terminated": ended}}]},
        },
    )


def with_a_gate_of_the_site(spawner: Any, pod: Any) -> Any:
    from kubernetes_asyncio.client.models import V1PodSchedulingGate

    pod.spec.scheduling_gates.insert(0, V1PodSchedulingGate(name=SITE_GATE))
    return pod


async def test_a_gate_of_the_site_s_own_may_go_while_the_home_is_made(
    cluster: tuple[FakeApi, int],
) -> None:
    api, port = cluster
    homes = {"claim": "homes", "provisioner": PROVISIONER}
    spawner = lab(port, homes=homes, modify_pod_hook=with_a_gate_of_the_site)
    await begin_start(spawner, {})
    maker = asyncio.ensure_future(make_home(api, {"created": True}))
    assert await spawner.start() == f"http://127.0.0.1:{port}"
    await maker
    pods = {name: item for (kind, _, name), item in api.objects.items() if kind == "pods"}
    assert pods["jupyter-jo"]["spec"]["schedulingGates"] == []
    assert spawner.get_state()["despejado"]["home"]["folder"] == "jo"
    assert not api.counts()["jobs"]


async def test_a_home_that_is_refused_ends_the_start_and_leaves_nothing(
    cluster: tuple[FakeApi, int],
) -> None:
    api, port = cluster
    homes = {"claim": "homes", "provisioner": PROVISIONER}
    spawner = lab(port, homes=homes, modify_pod_hook=with_a_gate_of_the_site)
    await begin_start(spawner, {})
    maker = asyncio.ensure_future(make_home(api, {"error": "It belongs to UID 7."}))
    with pytest.raises(HTTPError, match="belongs to UID 7") as refused:
        await spawner.start()
    await maker
    assert refused.value.status_code == 500
    left = {(kind, where) for kind, where, _ in api.objects}
    assert left == {("pods", "makers")}  # of the job, which the cluster collects


async def test_progress_begins_with_the_start_that_is_asked_for(
    cluster: tuple[FakeApi, int],
) -> None:
    _, port = cluster
    spawner = lab(port)
    for _ in range(2):
        await begin_start(spawner, {})
        listening = asyncio.ensure_future(told(spawner))
        await spawner.start()
        phases = await listening
        assert (phases[0], phases[-1]) == ("queued", "ready")
        await spawner.stop()


async def told(spawner: Any) -> list[str]:
    return [event["phase"] async for event in spawner.progress()]
