"""A lab that is there, watched with plain values: pods and events recorded from a real cluster."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from despejado_spawner.errors import LabFailed
from despejado_spawner.pods.cluster.watches import NotWatching
from despejado_spawner.pods.diagnosis.diagnose import Settings
from despejado_spawner.pods.monitor import LabMonitor
from despejado_spawner.pods.renewal import SecretRenewal

from tests.spawner.pods.plain_labs import PlainCluster, PlainHub, PlainLab
from tests.spawner.pods.readings import recorded


def watched(
    situation: str | None, *, unchecked: bool = False, **settings: Any
) -> tuple[LabMonitor, PlainCluster, PlainHub]:
    cluster = PlainCluster(*(recorded(situation) if situation else ()))
    hub = PlainHub(unchecked=unchecked)
    site = Settings(bigger_size="large")
    monitor = LabMonitor(PlainLab(**settings), cluster, hub, lambda: site, hub.end)
    return monitor, cluster, hub


def reason(monitor: LabMonitor) -> str | None:
    return None if monitor.last_end is None else str(monitor.last_end["reason"])


async def test_a_lab_that_runs_has_no_exit_code() -> None:
    monitor, cluster, _ = watched("running")
    assert await monitor.poll() is None
    assert monitor.last_end is None
    assert cluster.deleted == []


async def test_a_lab_that_died_is_told_and_taken_away() -> None:
    monitor, cluster, _ = watched("out_of_memory")
    assert await monitor.poll() == 137
    assert monitor.last_end is not None
    assert monitor.last_end["reason"] == "out_of_memory"
    assert monitor.last_end["bigger_size"] == "large"
    assert monitor.last_end["advice"]
    assert cluster.deleted == [0]


async def test_the_pod_of_a_dead_lab_stays_where_the_site_wants_to_look_at_it() -> None:
    monitor, cluster, _ = watched("crashed", delete_stopped_pods=False)
    assert await monitor.poll()
    assert cluster.deleted == []


async def test_a_lab_that_is_gone_was_deleted_unless_it_never_answered() -> None:
    monitor, _, _ = watched(None)
    assert await monitor.poll() == 1
    assert reason(monitor) is None
    monitor.started = True
    assert await monitor.poll() == 1
    assert reason(monitor) == "deleted"


async def test_the_first_reason_counts_until_the_next_start() -> None:
    monitor, _, _ = watched(None)
    monitor.note_end(LabFailed("evicted", "The machine is full."))
    monitor.note_end(LabFailed("deleted", "It was deleted."))
    assert reason(monitor) == "evicted"
    monitor.forget_end()
    assert reason(monitor) is None
    assert not monitor.started


async def test_the_hub_hears_of_an_end_when_it_happens_and_only_then() -> None:
    monitor, cluster, hub = watched("running")
    monitor.listen()
    cluster.happens("MODIFIED", recorded("running")[0])
    await asyncio.sleep(0)
    assert not hub.ended.is_set()
    cluster.happens("MODIFIED", recorded("crashed")[0])
    await asyncio.wait_for(hub.ended.wait(), 5)
    monitor.stop_listening()
    assert cluster.told is None


async def test_a_pod_that_is_stopped_is_no_end_to_tell_of() -> None:
    monitor, cluster, hub = watched("running")
    monitor.started = True
    monitor.listen()
    await monitor.stop(now=False)
    assert cluster.deleted == [1]
    assert cluster.told is None and not hub.ended.is_set()
    assert monitor.last_end is None


async def test_a_pod_whose_machine_is_silent_is_deleted_by_force() -> None:
    monitor, cluster, _ = watched("running")
    cluster.stuck = 1
    await monitor.stop(now=False)
    assert cluster.deleted == [1, 0]
    cluster.found, cluster.stuck = recorded("running")[0], 2
    with pytest.raises(LabFailed, match="cannot be deleted"):
        await monitor.stop(now=True)


async def test_a_changed_address_is_saved_once() -> None:
    server = SimpleNamespace(ip="10.9.9.9", port=1)
    monitor, cluster, hub = watched("running", server=server)
    assert cluster.found is not None
    cluster.found["status"]["podIP"] = "10.0.0.7"
    for _ in range(2):
        assert await monitor.poll() is None
    assert (server.ip, server.port, hub.saved) == ("10.0.0.7", 8888, 1)


@pytest.mark.parametrize(
    ("situation", "started", "expected"),
    [("image_coming", False, True), ("image_coming", True, False), ("crashed", False, False)],
)
async def test_a_start_is_gone_on_with_while_it_may_come_to_an_end(
    situation: str, started: bool, expected: bool
) -> None:
    monitor, cluster, _ = watched(situation)
    assert cluster.found is not None
    cluster.found["metadata"]["labels"] = {"despejado.dev/start": "start1"}
    monitor.started = started
    assert monitor.unfinished(cluster.found) is expected
    del cluster.found["metadata"]["labels"]
    assert not monitor.unfinished(cluster.found)


@pytest.mark.parametrize(("unchecked", "expected"), [(True, True), (False, False)])
async def test_a_hub_that_has_just_started_waits_for_a_cluster_that_is_away(
    unchecked: bool, expected: bool
) -> None:
    monitor, cluster, _ = watched(None, unchecked=unchecked)
    cluster.refusals = [NotWatching("The cluster did not list the pods.")]
    assert await monitor.visible() is expected
    cluster.refusals = [LabFailed("permission", "The hub may not list pods.")]
    assert await monitor.visible() is False


async def test_secrets_are_renewed_where_the_lab_has_them() -> None:
    cluster = PlainCluster(recorded("running")[0])
    assert cluster.found is not None
    cluster.found["metadata"]["labels"] = {"despejado.dev/start": "start1"}
    lab = PlainLab(refresh_secrets_hook=lambda lab: {"token": "newer"})
    renewal = SecretRenewal(lab, cluster)
    await renewal.renew()
    assert cluster.renewed == [("jupyter-rachel-start1", {"token": "newer"})]
    assert lab.secrets == {"token": "newer"}
    cluster.found = None
    await renewal.renew()
    assert len(cluster.renewed) == 1


async def test_a_renewal_that_fails_is_tried_again() -> None:
    asked = asyncio.Queue[int]()

    async def hook(lab: PlainLab) -> dict[str, str]:
        await asked.put(1)
        raise LabFailed("api", "No token now.")

    renewal = SecretRenewal(
        PlainLab(refresh_secrets_hook=hook, refresh_secrets_interval=0.01), PlainCluster()
    )
    renewal.start(fresh=True)
    for _ in range(2):
        await asyncio.wait_for(asked.get(), 5)
    renewal.stop()
