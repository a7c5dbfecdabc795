"""The events of pods: found by their pod, in order, and never more than is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from despejado_spawner.pods.cluster.watches import LabEventReflector, LabPodReflector
from kubespawner import KubeSpawner
from kubespawner.spawner import EventReflector

from tests.spawner.pods.fake_api import FakeApi, Manifest, event, pod, running_api


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with running_api() as found:
        yield found


def watch(**traits: Any) -> LabEventReflector:
    return LabEventReflector(**{"namespace": "labs", "retry_delay": 0.01, **traits})


def ago(**duration: float) -> str:
    moment = datetime.now(UTC) - timedelta(**duration)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def messages(events: list[Manifest]) -> list[str]:
    return [each["message"] for each in events]


async def count(reflector: LabEventReflector, key: str, number: int) -> None:
    """Wait until a pod has so many events."""
    async with asyncio.timeout(5), reflector.subscribe(key) as states:
        async for events in states:
            if len(events) == number:
                return


async def test_events_are_of_one_pod_not_of_one_name(api: FakeApi) -> None:
    mine = api.put("pods", pod("jupyter-rachel"))
    theirs = api.put("pods", pod("jupyter-rachel", namespace="other"))
    earlier = {**mine, "metadata": {**mine["metadata"], "uid": "of-an-earlier-pod"}}
    api.put("events", event("a", mine, message="mine"))
    api.put("events", event("b", earlier, message="earlier"))
    api.put("events", event("c", theirs, message="theirs"))
    reflector = watch(namespace=None, omit_namespace=True)
    await reflector.start()
    uid = mine["metadata"]["uid"]
    assert messages(reflector.events_of("labs", "jupyter-rachel", uid)) == ["mine"]
    assert sorted(messages(reflector.events_of("labs", "jupyter-rachel"))) == ["earlier", "mine"]
    assert messages(reflector.events_of("other", "jupyter-rachel")) == ["theirs"]
    assert reflector.events_of("labs", "jupyter-vera") == []
    assert reflector.events_of("labs", "jupyter-rachel", "unknown") == []
    await reflector.stop()


async def test_only_events_of_pods_are_asked_for(api: FakeApi) -> None:
    api.put("events", {**event("a", api.put("pods", pod("x"))), "involvedObject": {"kind": "Node"}})
    reflector = watch()
    await reflector.start()
    await api.until_watched("events")
    assert reflector.events == []
    assert {query["fieldSelector"] for _, _, query in api.requests} == {"involvedObject.kind=Pod"}
    await reflector.stop()


async def test_events_are_in_order_whatever_times_they_have(api: FakeApi) -> None:
    rachel = api.put("pods", pod("jupyter-rachel"))
    api.put("events", event("new", rachel, message="3", eventTime=ago(seconds=10)))
    api.put("events", event("old", rachel, message="1", lastTimestamp=ago(seconds=30)))
    series = {"count": 9, "lastObservedTime": ago(seconds=5)}
    api.put("events", event("again", rachel, message="4", eventTime=ago(seconds=60), series=series))
    timeless = event("none", rachel, message="2", eventTime="at noon")
    timeless["metadata"]["creationTimestamp"] = ago(seconds=20)
    api.put("events", timeless)
    reflector = watch()
    await reflector.start()
    assert messages(reflector.events) == ["1", "2", "3", "4"]
    await reflector.stop()


async def test_an_event_with_no_time_at_all_breaks_nothing(api: FakeApi) -> None:
    rachel = api.put("pods", pod("jupyter-rachel"))
    bare = event("bare", rachel, message="when?")
    bare["metadata"]["creationTimestamp"] = None
    api.put("events", bare)
    api.put("events", event("b", rachel, message="before", lastTimestamp=ago(seconds=30)))
    reflector = watch()
    await reflector.start()
    assert messages(reflector.events) == ["before", "when?"]
    reflector.prune()
    assert len(reflector.events) == 2
    await reflector.stop()


async def test_kubespawner_reads_them(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda *_, **__: None)
    rachel = api.put("pods", pod("jupyter-rachel"))
    api.put("events", event("a", rachel, lastTimestamp=ago(seconds=1)))
    spawner = KubeSpawner(_mock=True, namespace="labs")
    spawner.pod_name = "jupyter-rachel"
    reflector = LabEventReflector(
        parent=spawner,
        namespace="labs",
        on_failure=None,
        fields={"involvedObject.kind": "Pod"},
        omit_namespace=False,
    )
    assert isinstance(reflector, EventReflector)
    await reflector.start()
    monkeypatch.setitem(KubeSpawner.reflectors, ("events", "labs"), reflector)
    [found] = spawner.events
    assert found["lastTimestamp"] or found["eventTime"]
    assert (found["type"], found["message"]) == ("Normal", "Successfully assigned")
    assert found["metadata"]["uid"]
    await reflector.stop()


async def test_only_what_is_read_is_kept(api: FakeApi) -> None:
    rachel = api.put("pods", pod("jupyter-rachel"))
    whole = event("a", rachel, reason="Pulling", source={"component": "kubelet", "host": "node-1"})
    whole["metadata"]["managedFields"] = [{"manager": "kubelet"}]
    whole["reportingInstance"] = "node-1"
    api.put("events", whole)
    reflector = watch()
    await reflector.start()
    [found] = reflector.events
    assert set(found["metadata"]) == {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    }
    assert "reportingInstance" not in found
    assert found["reason"] == "Pulling"
    assert found["source"] == {"component": "kubelet", "host": "node-1"}
    assert found["involvedObject"]["uid"] == rachel["metadata"]["uid"]
    await reflector.stop()


async def test_who_waits_for_a_pod_is_woken_by_its_events(api: FakeApi) -> None:
    rachel = api.put("pods", pod("jupyter-rachel"))
    vera = api.put("pods", pod("jupyter-vera"))
    reflector = watch()
    await reflector.start()
    await api.until_watched("events")
    wait = asyncio.create_task(count(reflector, "labs/jupyter-rachel", 2))
    api.put("events", event("a", vera))
    api.put("events", event("b", rachel))
    api.put("events", event("c", rachel))
    await wait
    await reflector.stop()


async def test_a_pod_that_complains_all_day_keeps_its_last_events(api: FakeApi) -> None:
    rachel = api.put("pods", pod("jupyter-rachel"))
    vera = api.put("pods", pod("jupyter-vera"))
    for number in range(30):
        seconds = 1000 - number
        when = {"lastTimestamp": ago(seconds=seconds)}
        api.put("events", event(f"l{number}", rachel, message=f"listed {number}", **when))
    api.put("events", event("vera", vera, message="only one", lastTimestamp=ago(seconds=2000)))
    reflector = watch(events_a_pod=10)
    await reflector.start()
    await api.until_watched("events")
    mine = reflector.events_of("labs", "jupyter-rachel", rachel["metadata"]["uid"])
    assert messages(mine) == [f"listed {number}" for number in range(20, 30)]
    for number in range(30):
        message = f"watched {number}"
        api.put("events", event(f"w{number}", rachel, message=message, lastTimestamp=ago()))
    api.put("events", event("end", vera, message="end", lastTimestamp=ago()))
    await count(reflector, "labs/jupyter-vera", 2)
    assert messages(reflector.events_of("labs", "jupyter-rachel")) == [
        f"watched {number}" for number in range(20, 30)
    ]
    assert len(reflector.resources) == len(reflector.events) == 12
    await reflector.stop()


async def test_an_event_that_is_counted_up_is_one_event(api: FakeApi) -> None:
    rachel = api.put("pods", pod("jupyter-rachel"))
    reflector = watch()
    await reflector.start()
    await api.until_watched("events")
    for number in range(1, 5):
        api.put("events", event("a", rachel, count=number, lastTimestamp=ago()))
    api.put("events", event("b", rachel, lastTimestamp=ago()))
    await count(reflector, "labs/jupyter-rachel", 2)
    assert sorted(each["count"] for each in reflector.events) == [1, 4]
    await reflector.stop()


async def test_an_event_that_happens_again_is_not_an_old_one(api: FakeApi) -> None:
    rachel = api.put("pods", pod("jupyter-rachel"))
    reflector = watch(events_a_pod=2)
    await reflector.start()
    await api.until_watched("events")
    for name in ("a", "b", "a", "c"):
        api.put("events", event(name, rachel, message=name, lastTimestamp=ago()))
    await reflector_has(reflector, ["a", "c"])
    await reflector.stop()


async def test_events_of_gone_pods_and_of_yesterday_are_not_kept(api: FakeApi) -> None:
    there = api.put("pods", pod("jupyter-rachel"))
    other = api.put("pods", pod("hub-1", labels={"component": "hub"}))
    gone = pod("jupyter-gone", metadata={"uid": "gone"})
    api.put("events", event("a", there, message="there", lastTimestamp=ago(minutes=30)))
    api.put("events", event("b", there, message="yesterday", lastTimestamp=ago(days=1)))
    api.put("events", event("c", gone, message="gone", lastTimestamp=ago(minutes=30)))
    api.put("events", event("d", gone, message="just gone", lastTimestamp=ago(seconds=10)))
    api.put("events", event("e", other, message="no lab", lastTimestamp=ago(minutes=30)))
    pods = LabPodReflector(namespace="labs", labels={"component": "singleuser-server"})
    await pods.start()
    reflector = watch()
    reflector.follow_pods(pods)
    await reflector.start()
    assert messages(reflector.events) == ["there", "just gone"]
    # Nobody can wait for a clock: the times of gone pods' events pass at once.
    reflector.gone_seconds = 0.0
    reflector.prune()
    assert messages(reflector.events) == ["there"]
    reflector.keep_seconds = 60.0
    reflector.prune()
    assert reflector.events == []
    assert not reflector.resources
    assert reflector.kept.empty
    await reflector.stop()
    await pods.stop()


async def test_until_the_pods_are_known_no_event_is_thought_to_be_of_a_gone_one(
    api: FakeApi,
) -> None:
    there = api.put("pods", pod("jupyter-rachel"))
    api.put("events", event("a", there, message="there", lastTimestamp=ago(minutes=30)))
    reflector = watch()
    reflector.follow_pods(LabPodReflector(namespace="labs"))  # has not listed yet
    await reflector.start()
    assert messages(reflector.events) == ["there"]
    reflector.gone_seconds = 0.0
    reflector.prune()
    assert messages(reflector.events) == ["there"]
    await reflector.stop()


async def test_pruning_happens_by_itself(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("despejado_spawner.pods.cluster.event_watch.PRUNE_EVERY", 0.0)
    rachel = api.put("pods", pod("jupyter-rachel"))
    api.put("events", event("a", rachel, message="old", lastTimestamp=ago(minutes=30)))
    reflector = watch()
    await reflector.start()
    await api.until_watched("events")
    reflector.keep_seconds = 60.0
    api.put("events", event("b", rachel, message="new", lastTimestamp=ago()))
    await reflector_has(reflector, ["new"])
    await reflector.stop()


async def test_after_a_new_list_only_news_wake(api: FakeApi) -> None:
    rachel = api.put("pods", pod("jupyter-rachel"))
    api.put("events", event("a", rachel, message="known", lastTimestamp=ago(seconds=9)))
    reflector = watch()
    await reflector.start()
    told: list[str] = []
    reflector.on_change("labs/jupyter-rachel", lambda change: told.append(change.object["message"]))
    api.put("events", event("b", rachel, message="missed", lastTimestamp=ago()), tell=False)
    await reflector.restart()
    await asyncio.sleep(0)
    assert told == ["missed"]
    assert messages(reflector.events) == ["known", "missed"]
    await reflector.stop()


async def test_what_the_cluster_forgets_is_forgotten(api: FakeApi) -> None:
    rachel = api.put("pods", pod("jupyter-rachel"))
    api.put("events", event("a", rachel))
    reflector = watch()
    await reflector.start()
    await api.until_watched("events")
    api.remove("events", "a")
    api.put("events", event("b", rachel, message="left"))
    await reflector_has(reflector, ["left"])
    await reflector.stop()


async def reflector_has(reflector: LabEventReflector, expected: list[str]) -> None:
    async with asyncio.timeout(5), reflector.subscribe("labs/jupyter-rachel") as states:
        async for events in states:
            if messages(events) == expected:
                break
    assert messages(reflector.events) == expected
