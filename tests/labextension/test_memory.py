"""Memory of a lab: what is counted, and what is told when a program was stopped for it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from despejado_lab.cgroup import Memory, read_memory
from despejado_lab.kernel_deaths import KernelDeaths
from despejado_lab.memory_watch import CLAIM_SECONDS, MemoryWatch, Stop
from websocket import WebSocket

from tests.labextension.kernel_cells import channel, kill_kernel
from tests.labextension.lab_process import Lab, write_cgroup

GIB = 2**30


def memory(kills: int, limit: int | None = 3 * GIB) -> Memory:
    return Memory(used=GIB, limit=limit, kills=kills)


def test_files_that_can_be_read_again_do_not_count(tmp_path: Path) -> None:
    write_cgroup(tmp_path, used=2 * GIB, limit=3 * GIB, kills=4)
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {GIB}\nactive_file 5\n")
    assert read_memory(tmp_path) == Memory(used=GIB, limit=3 * GIB, kills=4)


def test_the_older_version_is_read_too(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    folder.mkdir()
    (folder / "memory.usage_in_bytes").write_text(f"{2 * GIB}\n")
    (folder / "memory.limit_in_bytes").write_text(f"{3 * GIB}\n")
    (folder / "memory.stat").write_text(f"inactive_file 1\ntotal_inactive_file {GIB}\n")
    (folder / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert read_memory(tmp_path) == Memory(used=GIB, limit=3 * GIB, kills=2)
    (folder / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert read_memory(tmp_path) == Memory(used=GIB, limit=None, kills=2)


@pytest.mark.parametrize("content", ["", "much"])
def test_where_nothing_counts_nothing_is_told(tmp_path: Path, content: str) -> None:
    assert read_memory(tmp_path / "none") is None
    write_cgroup(tmp_path, used=1, limit=None)
    (tmp_path / "memory.current").write_text(content)
    assert read_memory(tmp_path) is None


class Told:
    """A watch with a clock that stands still until it is set."""

    def __init__(self, before: Memory | None) -> None:
        self.now = 0.0
        self.stops: list[Stop] = []
        self.watch = MemoryWatch(before, self.stops.append, lambda: self.now)

    def said(self) -> list[tuple[str | None, str | None, int | None]]:
        return [(stop.kernel, stop.document, stop.limit) for stop in self.stops]


def test_a_kernel_that_died_as_the_count_rose_is_told_with_its_document() -> None:
    told = Told(memory(2))
    told.watch.kernel_died(memory(3), "python3", "work.ipynb")
    assert told.said() == [("python3", "work.ipynb", 3 * GIB)]
    assert told.watch.stops == tuple(told.stops)


def test_a_kernel_that_died_for_another_reason_is_not() -> None:
    told = Told(memory(2))
    told.watch.kernel_died(memory(2), "python3", "work.ipynb")
    told.watch.kernel_died(None, "python3", "work.ipynb")
    assert told.stops == []


def test_two_kernels_at_once_are_both_told() -> None:
    told = Told(memory(0))
    told.watch.kernel_died(memory(2), "python3", "a.ipynb")
    told.watch.kernel_died(memory(2), "python3", "b.ipynb")
    told.watch.kernel_died(memory(2), "python3", "c.ipynb")
    assert [stop.document for stop in told.stops] == ["a.ipynb", "b.ipynb"]


def test_another_program_is_told_once_when_no_kernel_has_claimed_it() -> None:
    told = Told(memory(0))
    told.watch.looked(memory(3))
    told.now = CLAIM_SECONDS - 1
    told.watch.looked(memory(3))
    assert told.stops == []
    told.now = CLAIM_SECONDS
    told.watch.looked(memory(3))
    told.now = 10 * CLAIM_SECONDS
    told.watch.looked(memory(3))
    assert told.said() == [(None, None, 3 * GIB)]


def test_a_kernel_that_is_noticed_late_is_told_as_a_kernel_alone() -> None:
    told = Told(memory(0))
    told.watch.looked(memory(1))
    told.now = CLAIM_SECONDS - 1
    told.watch.kernel_died(memory(1), "python3", None)
    told.now = 10 * CLAIM_SECONDS
    told.watch.looked(memory(1))
    assert told.said() == [("python3", None, 3 * GIB)]


def test_what_was_counted_long_ago_is_not_a_later_death() -> None:
    told = Told(memory(0))
    told.watch.kernel_died(memory(2), "python3", "large.ipynb")
    told.now = CLAIM_SECONDS
    told.watch.kernel_died(memory(2), "python3", "other.ipynb")
    assert [stop.document for stop in told.stops] == ["large.ipynb", None]


class Kernels(dict[str, list[Callable[[], None]]]):
    """The callbacks of each kernel, kept as its restarter keeps them."""

    def add_restart_callback(self, kernel: str, told: Callable[[], None], event: str) -> None:
        assert event == "restart"
        self[kernel].append(told)

    def remove_restart_callback(self, kernel: str, told: Callable[[], None], event: str) -> None:
        if told in self[kernel]:
            self[kernel].remove(told)


class Events:
    """Keeps the one who listens."""

    def add_listener(self, *, schema_id: str, listener: Callable[..., Awaitable[None]]) -> None:
        assert schema_id.endswith("kernel_actions/v1")
        self.listener = listener


async def test_a_kernel_that_is_restarted_is_attended_to_once() -> None:
    async def nobody(kernel: str, document: str | None) -> None:
        raise AssertionError

    kernels, events = Kernels(one=[], two=[]), Events()
    KernelDeaths(kernels, None, nobody).follow(events)
    for kernel in ("one", "one", "two", "gone"):
        await events.listener(None, "", {"action": "start", "kernel_id": kernel})
    await events.listener(None, "", {"action": "shutdown", "kernel_id": "one"})
    await events.listener(None, "", {"action": "start", "status": "error"})
    assert [len(callbacks) for callbacks in kernels.values()] == [1, 1]


def test_without_a_limit_it_was_the_machine() -> None:
    told = Told(memory(0, None))
    told.watch.kernel_died(memory(1, None), "python3", None)
    assert told.said() == [("python3", None, None)]


def test_the_lab_says_what_it_uses_and_may_use(lab: Lab) -> None:
    with lab.client() as client:
        answer = client.get("memory").raise_for_status().json()
    assert (answer["used"], answer["limit"]) == (GIB, 3 * GIB)


def test_a_plain_jupyterlab_has_nothing_to_say(plain_lab: Lab) -> None:
    with plain_lab.client() as client:
        answer = client.get("memory").raise_for_status().json()
    assert answer == {"used": None, "limit": None, "stops": []}


def test_asking_for_memory_does_not_keep_a_lab_from_being_idle(lab: Lab) -> None:
    with lab.server() as server, lab.client() as client:
        before = server.get("api/status").raise_for_status().json()["last_activity"]
        client.get("memory").raise_for_status()
        after = server.get("api/status").raise_for_status().json()["last_activity"]
        assert after == before
        client.get("config").raise_for_status()
        assert server.get("api/status").json()["last_activity"] > before


@contextmanager
def kernel(server: httpx.Client, document: str) -> Iterator[str]:
    """A kernel of a notebook."""
    wanted = {"path": document, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    session = server.post("api/sessions", json=wanted).raise_for_status().json()
    try:
        yield session["kernel"]["id"]
    finally:
        server.delete(f"api/sessions/{session['id']}")


def next_stop(events: WebSocket) -> dict[str, Any]:
    while True:
        event: dict[str, Any] = json.loads(events.recv())
        if event["schema_id"] == "urn:despejado:lab:program-stopped":
            return event


@pytest.fixture
def quiet_cgroup(lab: Lab) -> Iterator[Path]:
    """The control group of the lab; what was counted in it is counted on."""
    before = read_memory(lab.cgroup)
    assert before is not None
    yield lab.cgroup
    after = read_memory(lab.cgroup)
    assert after is not None
    write_cgroup(lab.cgroup, used=GIB, limit=3 * GIB, kills=after.kills)


def test_a_kernel_that_memory_ended_is_told_at_once_with_its_notebook(
    lab: Lab, quiet_cgroup: Path
) -> None:
    before = read_memory(quiet_cgroup)
    assert before is not None
    with (
        lab.server() as server,
        lab.client() as client,
        channel(server, "api/events/subscribe") as events,
        kernel(server, "work.ipynb") as found,
    ):
        server.post(f"api/kernels/{found}/restart").raise_for_status()
        write_cgroup(quiet_cgroup, used=GIB, limit=3 * GIB, kills=before.kills + 1)
        kill_kernel(server, found)
        event = next_stop(events)
        stop = client.get("memory").raise_for_status().json()["stops"][-1]
        assert stop["id"] == event["id"]
        assert (stop["kernel"], stop["document"]) == ("python3", "work.ipynb")
        assert stop["limit"] == 3 * GIB
        stops = client.get("memory").json()["stops"]
        assert [each["document"] for each in stops] == ["work.ipynb"]


def test_a_kernel_that_ended_otherwise_is_not_told(lab: Lab) -> None:
    with lab.server() as server, lab.client() as client, kernel(server, "other.ipynb") as found:
        kill_kernel(server, found)
        stops = client.get("memory").raise_for_status().json()["stops"]
        assert "other.ipynb" not in [stop["document"] for stop in stops]
