"""The objects of a lab: made once, owned by their pod, removed without a rest."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.names import HOME_GATE, LAB_LABEL, MANAGED_BY, START_LABEL

from tests.spawner.pods.fake_api import FakeApi, Manifest, pod, running_api

POD = "jupyter-rachel"
MANY = 1200


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with running_api() as found:
        yield found


@pytest.fixture
def lab() -> LabApi:
    return lab_api()


def lab_api(**settings: Any) -> LabApi:
    log = logging.getLogger("despejado.tests")
    defaults: dict[str, Any] = {
        "deadline": Deadline.after(20),
        "request_timeout": 3.0,
        "retry_timeout": 10.0,
        "log": log,
    }
    return LabApi("labs", **{**defaults, **settings})


def labels(start: str) -> dict[str, str]:
    return {START_LABEL: start, LAB_LABEL: POD, MANAGED_BY[0]: MANAGED_BY[1]}


def made(kind: str, name: str, start: str = "s1", **more: Any) -> Manifest:
    metadata = {"name": name, "namespace": "labs", "labels": labels(start)}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


def lab_pod(start: str = "s1") -> Manifest:
    return pod(POD, labels=labels(start))


def dependents(start: str = "s1") -> list[Manifest]:
    name = f"{POD}-{start}"
    return [made(kind, name, start) for kind in ("Secret", "ConfigMap", "NetworkPolicy")]


async def test_objects_are_made_where_they_belong(api: FakeApi, lab: LabApi) -> None:
    for each in dependents():
        await lab.create(each)
    await lab.create(made("PersistentVolumeClaim", "claim-rachel"))
    await lab.create(made("Service", POD))
    job = made("Job", "home-rachel")
    job["metadata"]["namespace"] = "homes"
    await lab.create(job)
    created = await lab.create_pod(lab_pod())
    assert created is not None
    assert created["metadata"]["uid"]
    assert [path for _, path, _ in api.requests] == [
        "/api/v1/namespaces/labs/secrets",
        "/api/v1/namespaces/labs/configmaps",
        "/apis/networking.k8s.io/v1/namespaces/labs/networkpolicies",
        "/api/v1/namespaces/labs/persistentvolumeclaims",
        "/api/v1/namespaces/labs/services",
        "/apis/batch/v1/namespaces/homes/jobs",
        "/api/v1/namespaces/labs/pods",
    ]


async def test_what_this_start_made_already_is_found(api: FakeApi, lab: LabApi) -> None:
    for each in dependents():
        first = await lab.create(each)
        again = await lab_api().create(each)  # another hub, say
        assert again["metadata"]["uid"] == first["metadata"]["uid"]
    first_pod = await lab.create_pod(lab_pod())
    again_pod = await lab.create_pod(lab_pod())
    assert first_pod == again_pod
    assert api.counts()["pods"] == 1


async def test_a_pod_of_another_start_is_left_alone_and_told(api: FakeApi, lab: LabApi) -> None:
    earlier = api.put("pods", lab_pod("earlier"))
    stock = api.put("pods", pod("jupyter-stock"))
    assert await lab.create_pod(lab_pod("s1")) is None
    assert await lab.create_pod(pod("jupyter-stock")) is None
    assert api.objects["pods", "labs", POD] == earlier
    assert api.objects["pods", "labs", "jupyter-stock"] == stock
    assert api.made("DELETE", "pods") == 0


async def test_a_pod_that_goes_while_it_is_looked_at_makes_room(api: FakeApi, lab: LabApi) -> None:
    api.fail("POST", "pods", status=409, reason="AlreadyExists", times=2)
    assert await lab.create_pod(lab_pod()) is not None


async def test_what_is_not_there_is_none(api: FakeApi, lab: LabApi) -> None:
    assert await lab.read("PersistentVolumeClaim", "claim-rachel") is None
    assert await lab.patch("Pod", POD, {"metadata": {}}) is None
    assert await lab.patch_secret("nothing", {"token": "x"}) is False
    assert await lab.delete_pod(POD) is False
    assert await lab.log_tail(POD, "notebook") == []


async def test_a_patch_changes_what_it_names(api: FakeApi, lab: LabApi) -> None:
    api.put("pods", lab_pod())
    patched = await lab.patch("Pod", POD, {"metadata": {"annotations": {"a": "b"}}})
    assert patched is not None
    assert patched["metadata"]["annotations"] == {"a": "b"}
    assert patched["spec"]["containers"]


@pytest.mark.parametrize("others", [[], ["site.org/quota"], ["site.org/quota", "site.org/b"]])
async def test_a_gate_is_opened_by_its_name_whatever_others_do(
    api: FakeApi, lab: LabApi, others: list[str]
) -> None:
    """A gate of the site's own may go at any time, before ours or after it."""
    gated = lab_pod()
    gated["spec"]["schedulingGates"] = [{"name": name} for name in (*others, HOME_GATE)]
    api.put("pods", gated)
    for _ in range(2):  # a hub that comes back does it again
        opened = await lab.open_gate(POD, HOME_GATE)
        assert opened is not None
        assert [gate["name"] for gate in opened["spec"]["schedulingGates"]] == others


async def test_values_of_a_secret_are_set_and_not_sent_back(api: FakeApi, lab: LabApi) -> None:
    api.put("secrets", made("Secret", "token", data={"token": "b2xk"}))
    assert await lab.patch_secret("token", {"token": "new"}) is True
    assert api.bodies[-1] == {"stringData": {"token": "new"}}
    created = await lab.create(made("Secret", "other", stringData={"token": "new"}))
    assert "stringData" not in created


async def test_only_the_very_pod_is_deleted(api: FakeApi, lab: LabApi) -> None:
    found = api.put("pods", lab_pod())
    assert await lab.delete_pod(POD, uid="another") is False
    assert api.counts()["pods"] == 1
    assert await lab.delete_pod(POD, 0, uid=found["metadata"]["uid"]) is True
    assert api.bodies[-1]["gracePeriodSeconds"] == 0
    assert api.counts()["pods"] == 0


async def test_lists_are_read_in_pages_and_begun_anew_when_too_slow(
    api: FakeApi, lab: LabApi
) -> None:
    for number in range(MANY):
        api.put("pods", pod(f"p{number:04}"))
    api.pages_expire = 1
    assert len(await lab.find("Pod")) == MANY
    assert api.made("GET", "pods") == 2 + 3
    assert [each["metadata"]["name"] for each in await lab.find("Pod", labels="no=such")] == []
    [one] = await lab.find("Pod", fields="metadata.name=p0007", only_metadata=True)
    assert "spec" not in one


async def test_the_last_lines_of_a_log(api: FakeApi, lab: LabApi) -> None:
    api.logs[POD] = "one\ntwo\n"
    assert await lab.log_tail(POD, "notebook", lines=2) == ["one", "two"]
    query = api.requests[-1][2]
    assert (query["container"], query["tailLines"]) == ("notebook", "2")


async def test_the_pod_owns_what_was_made_for_it(api: FakeApi, lab: LabApi) -> None:
    for each in dependents():
        await lab.create(each)
    created = await lab.create_pod(lab_pod())
    assert created is not None
    await lab.adopt(dependents(), created)
    for plural in ("secrets", "configmaps", "networkpolicies"):
        [owner] = api.objects[plural, "labs", f"{POD}-s1"]["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["name"]) == ("Pod", POD)
        assert owner["uid"] == created["metadata"]["uid"]
        assert owner["blockOwnerDeletion"] is False  # needs no right on finalizers


async def test_a_hub_that_comes_back_adopts_what_the_last_one_did_not(
    api: FakeApi, lab: LabApi
) -> None:
    created = api.put("pods", lab_pod())
    for each in dependents():
        await lab.create(each)
    await lab.create(made("Secret", f"{POD}-other", "other"))
    await lab.adopt(dependents()[:1], created)
    before = api.made("PATCH", "")
    await lab.adopt_start(created)
    assert api.made("PATCH", "") - before == 2
    assert "ownerReferences" in api.objects["configmaps", "labs", f"{POD}-s1"]["metadata"]
    assert "ownerReferences" not in api.objects["secrets", "labs", f"{POD}-other"]["metadata"]
    await lab.adopt_start(pod("jupyter-stock"))  # of a stock KubeSpawner: nothing to adopt


async def test_all_of_a_start_is_removed_and_nothing_else(api: FakeApi, lab: LabApi) -> None:
    for start in ("s1", "s2"):
        for each in dependents(start):
            await lab.create(each)
    api.put("pods", lab_pod("s1"))
    api.put("pods", pod("jupyter-vera", labels=labels("s2")))
    job = made("Job", "home-rachel")
    job["metadata"]["namespace"] = "homes"
    await lab.create(job)
    await lab.remove_start("s1", job_namespace="homes")
    assert api.counts() == {"secrets": 1, "configmaps": 1, "networkpolicies": 1, "pods": 1}
    await lab.remove_start("s1", job_namespace="homes")  # once more does no harm


async def test_a_pod_on_its_way_out_keeps_its_network_policy(api: FakeApi, lab: LabApi) -> None:
    for each in dependents():
        await lab.create(each)
    await lab.adopt(dependents(), api.put("pods", lab_pod()))
    await lab.remove_start("s1")
    # The cluster's garbage collector removes it with the pod.
    assert api.counts() == {"networkpolicies": 1}


async def test_what_can_be_removed_is_even_if_something_cannot(api: FakeApi, lab: LabApi) -> None:
    for each in dependents():
        await lab.create(each)
    api.fail("DELETE", "configmaps", status=403, reason="Forbidden", message="cannot delete")
    with pytest.raises(SpawnerError):
        await lab.remove_start("s1")
    assert api.counts() == {"configmaps": 1}


async def test_leavings_of_dead_hubs_are_swept(api: FakeApi, lab: LabApi) -> None:
    now = datetime.now(UTC)
    for each in dependents("left"):
        await lab.create(each)
    for each in dependents("running"):
        await lab.create(each)
    api.put("pods", lab_pod("running"))
    for each in dependents("owned"):
        await lab.create(each)
    owner = {"metadata": {"name": "gone", "uid": "1"}}
    await lab.adopt(dependents("owned"), owner)
    foreign = made("Secret", "foreign", "left")
    del foreign["metadata"]["labels"][MANAGED_BY[0]]
    await lab.create(foreign)
    assert await lab.sweep(now - timedelta(minutes=10)) == []  # too young
    name = f"{POD}-left"
    assert await lab.sweep(now + timedelta(minutes=1)) == [
        f"Secret {name}",
        f"ConfigMap {name}",
        f"NetworkPolicy {name}",
    ]
    assert api.counts() == {"secrets": 3, "configmaps": 2, "networkpolicies": 2, "pods": 1}


async def test_a_start_of_this_very_moment_is_not_swept(api: FakeApi, lab: LabApi) -> None:
    for each in dependents("new"):
        await lab.create(each)
    secret = api.objects["secrets", "labs", f"{POD}-new"]
    born = datetime.fromisoformat(secret["metadata"]["creationTimestamp"])
    later = born + timedelta(milliseconds=900)  # times of creation are rounded down
    assert await lab.sweep(later) == []
    sweeping = asyncio.ensure_future(lab.sweep(later + timedelta(minutes=1), pause=0.5))
    await api.until(lambda: api.made("GET", "pods") == 2)
    api.put("pods", lab_pod("new"))  # comes between the two looks
    assert await sweeping == []
    assert api.counts()["secrets"] == 1


async def test_the_pods_of_a_job_are_followed_to_their_end(api: FakeApi, lab: LabApi) -> None:
    phases: list[str] = []
    label = {"batch.kubernetes.io/job-name": "home-rachel"}

    async def follow() -> None:
        async for found in lab.pods_of_job("homes", "home-rachel"):
            phases.append(found["status"]["phase"])
            if found["status"]["phase"] == "Succeeded":
                return

    task = asyncio.create_task(follow())
    await api.until_watched("pods")
    api.put("pods", pod("home-rachel-x", namespace="homes", labels=label))
    await api.until(lambda: phases == ["Pending"] or bool(api.requests))
    api.drop_watches(cut=True)
    await api.until(lambda: api.made("GET", "pods", watch=True) == 2)
    api.put("pods", pod("home-rachel-x", namespace="homes", labels=label, phase="Succeeded"))
    async with asyncio.timeout(5):
        await task
    assert phases[-1] == "Succeeded"


async def test_a_job_that_does_nothing_is_followed_until_the_deadline(api: FakeApi) -> None:
    lab = lab_api(deadline=Deadline.after(0.3))
    assert [each async for each in lab.pods_of_job("homes", "home-rachel")] == []


async def test_an_outage_while_a_job_runs_is_survived_and_a_missing_right_is_not(
    api: FakeApi,
) -> None:
    lab = lab_api(retry_timeout=0.1)
    away = api.fail("GET", "pods", status=503, reason="ServiceUnavailable", times=-1)
    states = lab.pods_of_job("homes", "home-rachel")
    first: asyncio.Future[Manifest] = asyncio.ensure_future(anext(states))
    await api.until(lambda: api.made("GET", "pods") > 4)
    api.faults.remove(away)
    label = {"batch.kubernetes.io/job-name": "home-rachel"}
    api.put("pods", pod("home-rachel-x", namespace="homes", labels=label))
    async with asyncio.timeout(5):
        assert (await first)["metadata"]["name"] == "home-rachel-x"
    message = 'pods is forbidden: User "hub" cannot list resource "pods" in API group ""'
    api.fail("GET", "pods", status=403, reason="Forbidden", message=message)
    with pytest.raises(SpawnerError) as caught:
        await anext(lab.pods_of_job("homes", "home-rachel"))
    assert caught.value.reason == "permission"


async def test_calls_are_counted(api: FakeApi) -> None:
    counter: Counter[str] = Counter()
    for _ in range(2):
        lab = lab_api(calls=counter)
        await lab.create_pod(lab_pod())
        await lab.log_tail(POD, "notebook")
    assert counter == {"POST pods": 2, "GET pods": 2, "GET pods/log": 2}
