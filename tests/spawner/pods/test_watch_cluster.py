"""The watches on a real API server: its pages, its bookmarks, its 410, its events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.kept_events import happened
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.cluster.watches import LabEventReflector, LabPodReflector

from tests.spawner.pods.real_api import gated_pod, real_namespace

pytestmark = pytest.mark.cluster


@pytest.fixture
async def namespace() -> AsyncIterator[str]:
    async with real_namespace() as name:
        yield name


def lab_api(namespace: str) -> LabApi:
    log = logging.getLogger("despejado.tests")
    return LabApi(
        namespace, deadline=Deadline.after(60), request_timeout=10, retry_timeout=30, log=log
    )


def watch(namespace: str, **traits: Any) -> LabPodReflector:
    labels = {"component": "singleuser-server"}
    return LabPodReflector(**{"namespace": namespace, "labels": labels, **traits})


async def there(reflector: LabPodReflector, key: str) -> None:
    await reflector.wait_for(key, lambda state: state is not None, 20)


async def gone(reflector: LabPodReflector, key: str) -> None:
    await reflector.wait_for(key, lambda state: state is None, 20)


async def test_pages_and_changes(namespace: str) -> None:
    api = lab_api(namespace)
    names = [f"jupyter-{number:02}" for number in range(25)]
    await asyncio.gather(*(api.create(gated_pod(name, namespace)) for name in names))
    reflector = watch(namespace, page_size=10)
    await reflector.start()
    assert sorted(reflector.pods) == [f"{namespace}/{name}" for name in names]
    assert all("managedFields" not in pod["metadata"] for pod in reflector.pods.values())
    await api.create(gated_pod("jupyter-new", namespace))
    await there(reflector, f"{namespace}/jupyter-new")
    await api.delete_pod("jupyter-new", 0)
    await gone(reflector, f"{namespace}/jupyter-new")
    await reflector.stop()


async def test_a_watch_that_the_server_ends_goes_on_where_it_was(namespace: str) -> None:
    api = lab_api(namespace)
    reflector = watch(namespace, timeout_seconds=2)
    await reflector.start()
    for number in range(12):
        await api.create(gated_pod(f"jupyter-{number}", namespace))
        await there(reflector, f"{namespace}/jupyter-{number}")
        await asyncio.sleep(0.5)  # over several watches of two seconds
    assert reflector.lists == 1
    assert reflector.outage is None
    await reflector.stop()


class Ahead(LabPodReflector):
    """Has seen a version that the server will not have for long, as after a restore of etcd."""

    async def _list_and_update(self, resource_version: str | None = None) -> str:
        version = await super()._list_and_update(resource_version)
        return "99999999999999" if self.lists == 1 else version


async def test_a_version_from_the_future_is_noticed(namespace: str) -> None:
    """A real server accepts such a watch and keeps silent."""
    api = lab_api(namespace)
    reflector = Ahead(namespace=namespace, stale_seconds=2.0)
    await reflector.start()
    await api.create(gated_pod("jupyter-rachel", namespace))
    await there(reflector, f"{namespace}/jupyter-rachel")
    assert reflector.lists > 1
    await reflector.stop()


async def test_a_compacted_version_is_listed_at_once(
    namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Events are not in the server's watch cache: etcd itself says 410 to what it compacted."""
    events = LabEventReflector(namespace=namespace, stale_seconds=1.0, log=logging.getLogger())
    await events.start()
    events._version = "1"
    try:
        async with asyncio.timeout(10):
            while events.lists == 1:
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.skip("this cluster has compacted nothing yet (it does every five minutes)")
    assert "interrupted" not in caplog.text
    await events.stop()


async def test_the_events_of_one_pod(namespace: str) -> None:
    api = lab_api(namespace)
    pods, events = watch(namespace), LabEventReflector(namespace=namespace)
    await pods.start()
    events.follow_pods(pods)
    await events.start()
    uids = []
    for _ in range(2):
        manifest = gated_pod("jupyter-rachel", namespace)
        del manifest["spec"]["schedulingGates"]
        manifest["spec"]["nodeSelector"] = {"no": "such-node"}
        made = await api.create(manifest)
        uids.append(made["metadata"]["uid"])
        async with asyncio.timeout(20), events.subscribe(f"{namespace}/jupyter-rachel") as states:
            async for found in states:
                if any(each["involvedObject"]["uid"] == uids[-1] for each in found):
                    break
        await api.delete_pod("jupyter-rachel", 0)
        await gone(pods, f"{namespace}/jupyter-rachel")
    for uid in uids:
        mine = events.events_of(namespace, "jupyter-rachel", uid)
        assert "FailedScheduling" in {event["reason"] for event in mine}
        assert {event["involvedObject"]["uid"] for event in mine} == {uid}
        assert all(happened(event) > 0 for event in mine)
    assert len(events.events) == len(events.resources)
    await events.restart()  # a list gives the same as the watch did
    assert events.events_of(namespace, "jupyter-rachel", uids[1])
    await events.stop()
    await pods.stop()
