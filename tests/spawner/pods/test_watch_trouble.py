"""Everything that breaks a watch: it goes on, misses nothing and says so once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.subscriptions import Change
from despejado_spawner.pods.cluster.watches import LabPodReflector, NotWatching, shared_reflector

from tests.spawner.pods.fake_api import FakeApi, pod, running_api

KEY = "labs/jupyter-rachel"


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    async with running_api() as found:
        yield found


@pytest.fixture
async def pods(api: FakeApi) -> AsyncIterator[LabPodReflector]:
    """A watch of one pod that has begun."""
    api.put("pods", pod("jupyter-rachel"))
    reflector = watch()
    await reflector.start()
    await api.until_watched("pods")
    yield reflector
    await reflector.stop()


def watch(**traits: Any) -> LabPodReflector:
    log = logging.getLogger("despejado.tests")
    log.setLevel(logging.INFO)
    fast = {"retry_delay": 0.01, "max_retry_delay": 0.05, "log": log}
    return LabPodReflector(**{"namespace": "labs", **fast, **traits})


async def seen(reflector: LabPodReflector, phase: str) -> None:
    def there(state: dict[str, Any] | None) -> bool:
        return state is not None and state["status"]["phase"] == phase

    await reflector.wait_for(KEY, there, 5)


def ours(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.name == "despejado.tests"]


async def until(condition: Any) -> None:
    """Wait for what no event tells of: a line in the log."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_watch_that_the_server_ends_is_continued_without_a_list(
    api: FakeApi, pods: LabPodReflector
) -> None:
    api.put("pods", pod("jupyter-rachel", phase="Running"))
    await seen(pods, "Running")
    api.drop_watches()
    await api.until(lambda: not api.watchers)
    api.put("pods", pod("jupyter-rachel", phase="Succeeded"))  # while nobody watches
    await seen(pods, "Succeeded")
    assert pods.lists == 1


async def test_a_connection_that_is_cut_is_made_anew_without_ado(
    api: FakeApi, pods: LabPodReflector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for phase in ("1", "2", "3"):
        api.put("pods", pod("jupyter-rachel", phase=phase))
        await seen(pods, phase)
        api.drop_watches(cut=True)
        await api.until(lambda: not api.watchers)
    api.put("pods", pod("jupyter-rachel", phase="4"))
    await seen(pods, "4")
    assert pods.lists == 1
    assert not ours(caplog)


async def test_a_bookmark_spares_the_list_after_a_quiet_time(
    api: FakeApi, pods: LabPodReflector
) -> None:
    version = api.version
    api.compact()  # much has happened elsewhere
    api.bookmark("pods")
    await until(lambda: pods._version != str(version))
    api.drop_watches()
    await api.until(lambda: api.made("GET", "pods", watch=True) == 2)
    await api.until_watched("pods")
    api.put("pods", pod("jupyter-rachel", phase="Running"))
    await seen(pods, "Running")
    assert pods.lists == 1


async def test_without_one_it_lists_at_once_and_tells_the_differences(
    api: FakeApi, pods: LabPodReflector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    api.put("pods", pod("jupyter-vera"))
    api.put("pods", pod("jupyter-edwin"))
    api.put("pods", pod("jupyter-same"))
    await pods.wait_for("labs/jupyter-same", lambda state: state is not None, 5)
    told: list[Change] = []
    for name in ("rachel", "vera", "edwin", "same", "new"):
        pods.on_change(f"labs/jupyter-{name}", told.append)
    api.put("pods", pod("jupyter-rachel", phase="Running"), tell=False)
    api.remove("pods", "jupyter-vera", tell=False)
    api.remove("pods", "jupyter-edwin", tell=False)
    api.put("pods", pod("jupyter-edwin"), tell=False)  # another pod of the same name
    api.put("pods", pod("jupyter-new"), tell=False)
    api.compact()
    api.drop_watches()
    await pods.wait_for("labs/jupyter-new", lambda state: state is not None, 5)
    await asyncio.sleep(0)
    assert sorted((change.key, change.type) for change in told) == [
        ("labs/jupyter-edwin", "ADDED"),
        ("labs/jupyter-edwin", "DELETED"),
        ("labs/jupyter-new", "ADDED"),
        ("labs/jupyter-rachel", "MODIFIED"),
        ("labs/jupyter-vera", "DELETED"),
    ]
    assert pods.lists == 2
    assert pods.outage is None
    assert not ours(caplog)  # 410 is part of life


async def test_a_server_that_forgets_at_once_is_not_listed_in_a_tight_loop(
    api: FakeApi, pods: LabPodReflector
) -> None:
    api.fail("GET", "pods", status=410, reason="Expired", watch=True, times=-1)
    pods.retry_delay = pods.max_retry_delay = 0.1
    await pods.restart()
    before = pods.lists
    await asyncio.sleep(0.5)
    assert pods.lists - before <= 10


async def test_an_outage_is_survived_logged_once_and_over(
    api: FakeApi, pods: LabPodReflector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    api.put("pods", pod("jupyter-rachel", phase="Running"))
    await seen(pods, "Running")
    await api.stop()
    await until(lambda: pods.outage is not None and pods.outage.attempts > 5)
    api.put("pods", pod("jupyter-rachel", phase="Failed"))
    await api.start()
    await seen(pods, "Failed")
    await until(lambda: pods.outage is None)
    assert pods.lists == 1  # the watch goes on from where it was
    warning, over = ours(caplog)
    assert (warning.levelname, over.levelname) == ("WARNING", "INFO")
    assert "pods of namespace labs is interrupted" in warning.getMessage()
    assert "works again, after" in over.getMessage()


async def test_pauses_grow_to_the_longest_and_no_further(
    api: FakeApi, pods: LabPodReflector, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.stop()
    pauses: list[float] = []
    real = asyncio.sleep

    async def sleep(seconds: float, result: None = None) -> None:
        pauses.append(seconds)
        await real(0)

    pods.retry_delay, pods.max_retry_delay = 0.1, 5.0
    with monkeypatch.context() as patched:
        patched.setattr("despejado_spawner.pods.cluster.reflector.asyncio.sleep", sleep)
        restart = asyncio.create_task(pods.restart())
        while len(pauses) < 40:
            await real(0.01)
    restart.cancel()
    assert pauses[0] <= 0.1
    assert all(2.5 <= pause <= 5.0 for pause in pauses[7:])
    assert len(set(pauses)) > 10  # hubs that lost the same server come back one by one


async def test_silence_means_a_new_connection(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reflector = watch(stale_seconds=0.2)
    await reflector.start()
    await api.until_watched("pods")
    api.forget_watches()
    api.put("pods", pod("jupyter-rachel"))
    await seen(reflector, "Pending")
    assert not ours(caplog)
    await reflector.stop()


async def test_a_server_that_accepts_and_hangs_is_left(api: FakeApi) -> None:
    api.fail("GET", "pods", hang=True, watch=True)
    api.put("pods", pod("jupyter-rachel"))
    reflector = watch(request_timeout=1)
    await reflector.start()
    await until(lambda: reflector.outage is not None)
    await api.until_watched("pods")
    api.put("pods", pod("jupyter-rachel", phase="Running"))
    await seen(reflector, "Running")
    await reflector.stop()


@pytest.mark.parametrize(
    ("fault", "listed"),
    [
        ({"status": 429, "reason": "TooManyRequests"}, False),
        ({"status": 500, "reason": "InternalError"}, False),
        ({"status": 503, "reason": "ServiceUnavailable"}, False),
        ({"status": 403, "reason": "Forbidden"}, True),
        ({"status": 504, "reason": "Timeout", "message": "Too large resource version"}, True),
        ({"drop": True}, False),
    ],
    ids=["busy", "broken", "away", "forbidden", "restored from a backup", "dropped"],
)
async def test_no_answer_ends_a_watch(
    api: FakeApi, pods: LabPodReflector, fault: dict[str, Any], listed: bool
) -> None:
    """A server in trouble is not asked for lists: the watch goes on from where it was."""
    api.put("pods", pod("jupyter-rachel", phase="Unknown"))
    await seen(pods, "Unknown")
    api.fail("GET", "pods", times=8, watch=True, **fault)
    api.drop_watches()
    await until(lambda: pods.outage is not None and not api.faults)
    await api.until_watched("pods")
    api.put("pods", pod("jupyter-rachel", phase="Running"))
    await seen(pods, "Running")
    await until(lambda: pods.outage is None)


async def test_a_cluster_that_was_restored_from_a_backup_is_listed_anew(
    api: FakeApi,
) -> None:
    api.version = 5000
    api.put("pods", pod("jupyter-rachel"))
    reflector = watch(stale_seconds=0.2)
    await reflector.start()
    await api.stop()
    api.version = 100  # and so it would tell nothing for thousands of changes
    api.history.clear()
    api.put("pods", pod("jupyter-rachel", phase="Failed"))
    await api.start()
    await seen(reflector, "Failed")
    await reflector.stop()


@pytest.mark.parametrize(
    "line",
    [
        b"<html>a proxy's error page</html>\n",
        b'{"type": "MODIFIED"}\n',
        b'{"type": "ADDED", "object": {"kind": "Pod", "metadata": {}}}\n',
        b'{"type": "ERROR", "object": {"code": 504, "reason": "Timeout"}}\n',
    ],
    ids=["no JSON", "no object", "no name", "error"],
)
async def test_nothing_that_is_sent_ends_a_watch(
    api: FakeApi, pods: LabPodReflector, line: bytes
) -> None:
    api.send("pods", line)
    await until(lambda: pods.outage is not None)
    await api.until_watched("pods")
    api.put("pods", pod("jupyter-rachel", phase="Running"))
    await seen(pods, "Running")
    assert pods.lists > 1  # what it knew may be wrong


async def test_a_line_may_be_longer_than_the_readers_buffer_and_come_in_pieces(
    api: FakeApi, pods: LabPodReflector
) -> None:
    big = pod("jupyter-rachel", phase="Running", metadata={"annotations": {"big": "x" * 6_000_000}})
    api.put("pods", big)
    await seen(pods, "Running")
    api.send("pods", b'{"type": "BOOK')
    api.send("pods", b'MARK", "object": {"metadata": {"resourceVersion": "7777"}}}\n\n')
    await until(lambda: pods._version == "7777")
    assert pods.outage is None
    assert pods.lists == 1


# -- the first list -----------------------------------------------------------------------------


async def test_a_hub_that_starts_while_the_cluster_is_away_waits_for_it(api: FakeApi) -> None:
    api.put("pods", pod("jupyter-rachel"))
    await api.stop()
    reflector = watch()
    start = asyncio.create_task(reflector.start())
    await until(lambda: reflector.outage is not None)
    assert not start.done()
    await api.start()
    await start
    assert KEY in reflector.pods
    await reflector.stop()


async def test_a_caller_does_not_wait_for_ever_but_the_watch_goes_on(api: FakeApi) -> None:
    await api.stop()
    reflectors: dict[Any, Any] = {}
    with pytest.raises(NotWatching, match="Cannot connect"):
        await shared_reflector(reflectors, "pods", lambda: watch(first_load_timeout=0.2))
    await api.start()
    reflector = await shared_reflector(reflectors, "pods", watch)
    assert reflector.lists > 1  # it had been trying
    assert reflector.first_load_timeout == 0.2
    await reflector.stop()


async def test_nobody_waits_for_a_watch_that_was_cancelled(api: FakeApi) -> None:
    await api.stop()
    reflector = watch()
    start = asyncio.create_task(reflector.start())
    await until(lambda: reflector.outage is not None)
    assert reflector.watch_task is not None
    reflector.watch_task.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(NotWatching, match="cancelled"):
            await start


async def test_a_list_that_the_role_forbids_is_told_at_once_and_not_for_ever(api: FakeApi) -> None:
    message = 'pods is forbidden: User "hub" cannot list resource "pods" in API group ""'
    api.fail("GET", "pods", status=403, reason="Forbidden", message=message)
    reflectors: dict[Any, Any] = {}
    with pytest.raises(SpawnerError) as caught:
        await shared_reflector(reflectors, "pods", watch)
    assert caught.value.reason == "permission"
    reflector = await shared_reflector(reflectors, "pods", watch)  # the Role has been mended
    assert reflector.watching
    await reflector.stop()


async def test_a_server_that_has_just_come_back_may_refuse_for_a_moment(api: FakeApi) -> None:
    api.fail("GET", "pods", status=503, reason="Service Unavailable")
    api.fail("GET", "pods", status=403, reason="Forbidden")
    reflector = await shared_reflector({}, "pods", watch)
    assert reflector.watching
    await reflector.stop()
