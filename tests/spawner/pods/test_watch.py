"""The copy of the cluster's pods: what it holds, what it tells, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from despejado_spawner.pods.cluster.subscriptions import Change
from despejado_spawner.pods.cluster.watches import (
    LabPodReflector,
    NotWatching,
    shared_reflector,
)
from kubespawner.spawner import PodReflector

from tests.spawner.pods.fake_api import FakeApi, pod, running_api

LABELS = {"component": "singleuser-server"}


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with running_api() as found:
        yield found


@pytest.fixture
async def pods(api: FakeApi) -> AsyncIterator[LabPodReflector]:
    """A watch of the namespace "labs", not started."""
    reflector = watch()
    yield reflector
    await reflector.stop()


def watch(**traits: Any) -> LabPodReflector:
    traits = {"namespace": "labs", "labels": LABELS, "retry_delay": 0.01, **traits}
    return LabPodReflector(**traits)


async def seen(reflector: LabPodReflector, name: str, phase: str) -> None:
    def there(state: dict[str, Any] | None) -> bool:
        return state is not None and state["status"]["phase"] == phase

    await reflector.wait_for(f"labs/{name}", there, 5)


async def test_holds_the_labs_of_its_namespace_without_managed_fields(
    api: FakeApi, pods: LabPodReflector
) -> None:
    api.put("pods", pod("jupyter-rachel"))
    api.put("pods", pod("jupyter-elsewhere", namespace="other"))
    api.put("pods", pod("hub", labels={"component": "hub"}))
    await pods.start()
    assert list(pods.pods) == ["labs/jupyter-rachel"]
    assert "managedFields" not in pods.pods["labs/jupyter-rachel"]["metadata"]
    api.put("pods", pod("jupyter-vera"))
    await seen(pods, "jupyter-vera", "Pending")
    assert "managedFields" not in pods.pods["labs/jupyter-vera"]["metadata"]


async def test_is_what_kubespawner_makes_and_reads(api: FakeApi) -> None:
    reflector = LabPodReflector(
        parent=None,
        namespace="labs",
        on_failure=None,
        labels=LABELS,
        fields={},
        omit_namespace=False,
    )
    assert isinstance(reflector, PodReflector)
    await reflector.start()
    assert reflector.first_load_future.done()
    assert reflector.resources is reflector.pods
    with pytest.raises(RuntimeError):
        await reflector.start()
    await reflector.stop()
    assert reflector.watch_task is None


async def test_watches_all_namespaces_where_each_user_has_one(api: FakeApi) -> None:
    api.put("pods", pod("jupyter-rachel", namespace="rachel"))
    reflector = watch(namespace="hub", omit_namespace=True)
    await reflector.start()
    api.put("pods", pod("jupyter-vera", namespace="vera"))
    await reflector.wait_for("vera/jupyter-vera", lambda state: state is not None, 5)
    assert set(reflector.pods) == {"rachel/jupyter-rachel", "vera/jupyter-vera"}
    assert {path for _, path, _ in api.requests} == {"/api/v1/pods"}
    await reflector.stop()


async def test_lists_in_pages(api: FakeApi) -> None:
    for number in range(7):
        api.put("pods", pod(f"jupyter-{number}"))
    reflector = watch(page_size=3)
    await reflector.start()
    assert len(reflector.pods) == 7
    assert api.made("GET", "pods", watch=False) == 3
    await reflector.stop()


async def test_a_list_that_is_continued_too_late_begins_anew(api: FakeApi) -> None:
    for number in range(7):
        api.put("pods", pod(f"jupyter-{number}"))
    api.pages_expire = 1
    reflector = watch(page_size=3)
    await reflector.start()
    assert len(reflector.pods) == 7
    assert reflector.outage is None
    await reflector.stop()


async def test_one_watch_serves_all_users(api: FakeApi, pods: LabPodReflector) -> None:
    await pods.start()
    names = [f"jupyter-{number}" for number in range(20)]
    waits = [asyncio.create_task(seen(pods, name, "Running")) for name in names]
    await api.until_watched("pods")
    for name in names:
        api.put("pods", pod(name, phase="Running"))
    await asyncio.gather(*waits)
    assert len(api.requests) == 2  # one list, one watch


async def test_a_subscription_begins_with_the_present_and_ends_with_the_pod(
    api: FakeApi, pods: LabPodReflector
) -> None:
    api.put("pods", pod("jupyter-rachel"))
    await pods.start()
    await api.until_watched("pods")
    phases: list[str | None] = []
    async with pods.subscribe("labs/jupyter-rachel") as states:
        async for state in states:
            phases.append(state["status"]["phase"] if state else None)
            if phases == ["Pending"]:
                api.put("pods", pod("jupyter-rachel", phase="Running"))
            elif phases == ["Pending", "Running"]:
                api.remove("pods", "jupyter-rachel")
            else:
                break
    assert phases == ["Pending", "Running", None]
    assert pods.changes.waiting == 0


async def test_a_slow_reader_sees_the_newest_state_and_no_queue(
    api: FakeApi, pods: LabPodReflector
) -> None:
    api.put("pods", pod("jupyter-rachel", phase="0"))
    await pods.start()
    await api.until_watched("pods")
    read = []
    async with pods.subscribe("labs/jupyter-rachel") as states:
        assert (await anext(states)) is not None
        for number in range(1, 200):
            api.put("pods", pod("jupyter-rachel", phase=str(number)))
        await seen(pods, "jupyter-rachel", "199")  # somebody else has read them all
        async with asyncio.timeout(5):
            state = await anext(states)
        assert state is not None
        read.append(state["status"]["phase"])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(states)
    assert read == ["199"]


async def test_waiting_ends_with_the_time(api: FakeApi, pods: LabPodReflector) -> None:
    await pods.start()
    with pytest.raises(TimeoutError):
        await pods.wait_for("labs/jupyter-rachel", lambda state: state is not None, 0.05)
    assert pods.changes.waiting == 0


async def test_who_waits_is_told_that_the_watch_stops(api: FakeApi, pods: LabPodReflector) -> None:
    await pods.start()
    wait = asyncio.create_task(
        pods.wait_for("labs/jupyter-rachel", lambda state: state is not None, None)
    )
    await asyncio.sleep(0)
    await pods.stop()
    with pytest.raises(NotWatching):
        await wait


async def test_a_broken_callback_stops_nobody(
    api: FakeApi, pods: LabPodReflector, caplog: pytest.LogCaptureFixture
) -> None:
    await pods.start()
    await api.until_watched("pods")
    told: list[Change] = []

    def broken(change: Change) -> None:
        raise RuntimeError("a mistake of the spawner")

    key = "labs/jupyter-rachel"
    pods.on_change(key, broken)
    undo = pods.on_change(key, told.append)
    api.put("pods", pod("jupyter-rachel"))
    await seen(pods, "jupyter-rachel", "Pending")
    api.put("pods", pod("jupyter-rachel", phase="Failed"))
    await seen(pods, "jupyter-rachel", "Failed")
    assert [change.type for change in told] == ["ADDED", "MODIFIED"]
    assert "a mistake of the spawner" in caplog.text
    undo()
    api.remove("pods", "jupyter-rachel")
    await pods.wait_for(key, lambda state: state is None, 5)
    assert len(told) == 2
    assert pods.outage is None


# -- KubeSpawner._start_reflector ---------------------------------------------------------------


async def test_a_dead_watch_is_restarted_and_its_waiters_go_on(api: FakeApi) -> None:
    reflectors: dict[Any, Any] = {}
    first = await shared_reflector(reflectors, "pods", watch)
    assert await shared_reflector(reflectors, "pods", watch) is first
    assert first.lists == 1
    assert first.watch_task is not None
    first.watch_task.cancel()
    await asyncio.wait({first.watch_task})
    wait = asyncio.create_task(seen(first, "jupyter-rachel", "Pending"))
    assert await shared_reflector(reflectors, "pods", watch) is first
    api.put("pods", pod("jupyter-rachel"))
    await wait
    await first.stop()


async def test_many_who_want_it_replaced_share_one_list(api: FakeApi) -> None:
    reflectors: dict[Any, Any] = {}
    reflector = await shared_reflector(reflectors, "pods", watch)
    again = [shared_reflector(reflectors, "pods", watch, replace=True) for _ in range(20)]
    assert set(await asyncio.gather(*again)) == {reflector}
    assert reflector.lists == 2
    assert len(reflectors) == 1
    await reflector.stop()


async def test_a_watch_of_an_earlier_event_loop_is_not_used(api: FakeApi) -> None:
    def earlier() -> LabPodReflector:
        async def make() -> LabPodReflector:
            return watch()

        return asyncio.run(make())

    old = await asyncio.to_thread(earlier)
    reflectors: dict[Any, Any] = {"pods": old}
    reflector = await shared_reflector(reflectors, "pods", watch)
    assert reflector is not old
    assert reflector.watching
    await reflector.stop()
