"""The calls on a real API server, by a service account that has the hub's Role only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.names import HOME_GATE, LAB_LABEL, MANAGED_BY, START_LABEL
from kubernetes_asyncio import client
from kubernetes_asyncio.client import ApiClient

from tests.spawner.pods.real_api import (
    Manifest,
    administrator,
    gated_pod,
    real_namespace,
)

pytestmark = pytest.mark.cluster
POD = "jupyter-rachel"
DEPENDENTS = ("Secret", "ConfigMap", "NetworkPolicy")


@pytest.fixture
async def namespace() -> AsyncIterator[str]:
    async with real_namespace() as name:
        yield name


@pytest.fixture
def api(namespace: str) -> LabApi:
    log = logging.getLogger("despejado.tests")
    return LabApi(
        namespace, deadline=Deadline.after(90), request_timeout=10, retry_timeout=30, log=log
    )


def dependents(namespace: str, start: str) -> list[Manifest]:
    metadata = {"name": f"{POD}-{start}", "namespace": namespace, "labels": labels(start)}
    policy = {"podSelector": {"matchLabels": {START_LABEL: start}}, "policyTypes": ["Ingress"]}
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "stringData": {"token": "very-secret-token"},
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}},
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata,
            "spec": policy,
        },
    ]


def labels(start: str) -> dict[str, str]:
    return {START_LABEL: start, LAB_LABEL: POD, MANAGED_BY[0]: MANAGED_BY[1]}


async def left(api: LabApi, start: str) -> list[str]:
    found = []
    for kind in ("Pod", *DEPENDENTS):
        selector = f"{START_LABEL}={start}"
        found += [kind for _ in await api.find(kind, labels=selector, only_metadata=True)]
    return found


async def until(condition: Callable[[], Awaitable[Any]], timeout: float = 20) -> None:
    async with asyncio.timeout(timeout):
        while not await condition():
            await asyncio.sleep(0.2)


async def start(api: LabApi, start_id: str, *, adopt: bool = True) -> Manifest:
    made = dependents(api.namespace, start_id)
    await asyncio.gather(*(api.create(each) for each in made))
    pod = await api.create_pod(gated_pod(POD, api.namespace, **labels(start_id)))
    assert pod is not None
    if adopt:
        await api.adopt(made, pod)
    return pod


async def test_delete_the_pod_by_hand_and_nothing_is_left(api: LabApi) -> None:
    pod = await start(api, "s1")
    assert await left(api, "s1") == ["Pod", *DEPENDENTS]
    assert await api.delete_pod(POD, 0, uid="00000000-0000-0000-0000-000000000000") is False
    assert await api.delete_pod(POD, 0, uid=pod["metadata"]["uid"]) is True

    async def nothing() -> bool:
        return not await left(api, "s1")

    await until(nothing)


async def test_a_second_hub_finds_what_the_first_one_made(api: LabApi) -> None:
    pod = await start(api, "s1", adopt=False)
    again = await api.create_pod(gated_pod(POD, api.namespace, **labels("s1")))
    assert again is not None
    assert again["metadata"]["uid"] == pod["metadata"]["uid"]
    for each in dependents(api.namespace, "s1"):
        found = await api.create(each)
        assert found["metadata"]["name"] == f"{POD}-s1"
        assert "data" not in found or each["kind"] != "Secret"
    await api.adopt_start(pod)
    [secret] = await api.find("Secret", labels=f"{START_LABEL}=s1", only_metadata=True)
    assert secret["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
    assert await api.create_pod(gated_pod(POD, api.namespace, **labels("s2"))) is None


async def test_a_start_that_failed_is_removed(api: LabApi) -> None:
    await start(api, "s1")
    await api.remove_start("s1", job_namespace=api.namespace)

    async def nothing() -> bool:
        return not await left(api, "s1")

    await until(nothing)
    await start(api, "s2", adopt=False)
    await api.remove_start("s2")
    await until(nothing)


async def test_what_a_dead_hub_left_is_swept(api: LabApi) -> None:
    await start(api, "running")
    for each in dependents(api.namespace, "left"):
        await api.create(each)
    assert await api.sweep(datetime.now(UTC) - timedelta(minutes=5)) == []
    swept = await api.sweep(datetime.now(UTC) + timedelta(minutes=5))
    assert swept == [f"{kind} {POD}-left" for kind in DEPENDENTS]
    assert await left(api, "running") == ["Pod", *DEPENDENTS]
    assert await left(api, "left") == []


async def test_a_gate_is_opened_once_and_secrets_are_renewed(api: LabApi) -> None:
    await start(api, "s1")
    for _ in range(2):  # a hub that comes back does it again
        opened = await api.open_gate(POD, HOME_GATE)
        assert opened is not None
        assert not opened["spec"].get("schedulingGates")
    assert await api.patch_secret(f"{POD}-s1", {"token": "newer"}) is True
    assert await api.log_tail(POD, "notebook") == []  # it has not run


async def test_a_gate_of_the_site_s_own_stays_and_may_go_first(api: LabApi) -> None:
    pod = gated_pod("jupyter-two-gates", api.namespace)
    pod["spec"]["schedulingGates"].insert(0, {"name": "site.example.org/budget"})
    pod["spec"]["schedulingGates"].append({"name": "site.example.org/licence"})
    await api.create(pod)
    await api.open_gate("jupyter-two-gates", "site.example.org/budget")
    opened = await api.open_gate("jupyter-two-gates", HOME_GATE)
    assert opened is not None
    assert opened["spec"]["schedulingGates"] == [{"name": "site.example.org/licence"}]


async def test_a_missing_right_is_named(api: LabApi) -> None:
    with pytest.raises(SpawnerError) as caught:
        await api.read("Secret", f"{POD}-s1")
    assert caught.value.reason == "permission"
    assert "secrets" in str(caught.value)


async def test_starts_under_a_quota_do_not_stumble_over_each_other(api: LabApi) -> None:
    async with ApiClient(await administrator()) as admin:
        core = client.CoreV1Api(admin)
        quota: Any = {"metadata": {"name": "pods"}, "spec": {"hard": {"count/pods": "30"}}}
        await core.create_namespaced_resource_quota(api.namespace, quota)

        async def counted() -> bool:
            found = await core.read_namespaced_resource_quota("pods", api.namespace)
            return bool(found.status.hard)

        await until(counted)
    names = [f"jupyter-{number}" for number in range(30)]
    await asyncio.gather(*(api.create(gated_pod(name, api.namespace)) for name in names))
    assert len(await api.find("Pod", only_metadata=True)) == 30
    with pytest.raises(SpawnerError) as caught:
        await api.create(gated_pod("jupyter-one-more", api.namespace))
    assert caught.value.reason == "quota"


async def test_the_pods_of_a_job_are_seen(api: LabApi) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "home", "namespace": api.namespace},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "nodeSelector": {"no": "such-node"},
                    "containers": [{"name": "home", "image": "localhost/none:1"}],
                }
            },
        },
    }
    await api.create(job)
    async with asyncio.timeout(20):
        async for pod in api.pods_of_job(api.namespace, "home"):
            assert pod["status"]["phase"] == "Pending"
            break
    assert await api.delete_job(api.namespace, "home") is True

    async def none() -> bool:
        return not await api.find("Pod", only_metadata=True)

    await until(none)
