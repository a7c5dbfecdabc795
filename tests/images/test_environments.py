"""The life of environments without an index: publishing, renewal, faults, and what readers see."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from despejado_images.environments import (
    BuildProgress,
    Environment,
    EnvironmentBuildError,
    EnvironmentStore,
    UnknownTagError,
    locks,
)
from despejado_images.environments.builder import Builder, remove
from despejado_images.environments.interpreter import closed_to_others, find_interpreter
from despejado_images.environments.layout import Layout
from despejado_images.environments.recipe import Recipe
from despejado_images.environments.records import now, read_progress, write_progress
from despejado_images.environments.uv import DISK_FULL, NO_NETWORK

EMPTY = Recipe(
    tag="plain",
    title="Plain",
    kind="kernel",
    lock="empty",
    exact_lock=True,
    requirements=(),
    own={},
    imports=("json",),
)


@dataclass
class Small:
    """Builds environments that hold nothing but Python, from a lock that tests write."""

    layout: Layout
    lock: Path
    seen: list[BuildProgress]

    def build(self, recipe: Recipe = EMPTY) -> Environment:
        return Builder(self.layout, "plain", self.seen.append).build(lambda _: recipe)

    @property
    def store(self) -> EnvironmentStore:
        return EnvironmentStore(self.layout.root)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    lock = tmp_path / "empty.txt"
    lock.write_text("# nothing\n")
    monkeypatch.setattr(locks, "shipped", lambda _: lock)
    return Small(Layout(tmp_path / "environments"), lock, [])


def half_made(layout: Layout) -> list[str]:
    return [path.name for path in (layout.root / "building").iterdir() if path.suffix != ".lock"]


def test_a_finished_environment_runs_and_says_what_it_is(small: Small) -> None:
    environment = small.build()
    assert small.store.ready("plain") == environment
    assert environment.python.is_relative_to(small.layout.ready("plain"))
    ran = subprocess.run(
        [environment.python, "-c", "import sys; print(sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(ran.stdout.strip()) == environment.prefix
    assert environment.digest.startswith("sha256:" + environment.prefix.name)
    assert half_made(small.layout) == []
    assert [item.state for item in small.seen][-1] == "ready"
    fractions = [item.fraction or 0.0 for item in small.seen]
    assert fractions == sorted(fractions)


def test_building_what_is_ready_changes_nothing(small: Small) -> None:
    first = small.build()
    small.seen.clear()
    assert small.build() == first
    assert {item.phase for item in small.seen} == {"resolving", "ready"}


def test_a_changed_lock_gives_a_new_environment_and_the_old_one_lives_on(small: Small) -> None:
    first = small.build()
    small.lock.write_text("# something else\n")
    second = small.build()
    assert second.digest != first.digest
    assert small.store.ready("plain") == second
    assert first.python.exists()  # labs that were started in it go on
    small.lock.write_text("# a third\n")
    small.build()
    assert not first.prefix.exists()


def test_an_environment_in_use_outlives_the_generations(small: Small) -> None:
    first = small.build()
    with subprocess.Popen([first.python, "-c", "input()"], stdin=subprocess.PIPE) as lab:
        try:
            for text in ("# 2\n", "# 3\n"):
                small.lock.write_text(text)
                small.build()
            assert first.prefix.exists()
            assert remove(small.layout, "plain") == [lab.pid]
        finally:
            lab.kill()
    assert remove(small.layout, "plain") == []
    assert small.store.ready("plain") is None
    assert small.store.choices()[0].state == "absent"


def test_going_back_to_an_earlier_lock_needs_no_build(small: Small) -> None:
    first = small.build()
    small.lock.write_text("# other\n")
    small.build()
    small.lock.write_text("# nothing\n")
    small.seen.clear()
    assert small.build() == first
    assert "downloading" not in {item.phase for item in small.seen}
    assert small.store.ready("plain") == first


def test_a_broken_package_is_refused_with_the_reason(small: Small) -> None:
    with pytest.raises(EnvironmentBuildError, match="no_such_module does not import: ModuleNotF"):
        small.build(replace(EMPTY, imports=("json", "no_such_module")))
    assert small.store.ready("plain") is None
    assert half_made(small.layout) == []
    (choice,) = small.store.choices()
    assert choice.state == "failed"
    assert "no_such_module" in (choice.reason or "")


def test_what_cannot_be_renewed_stays_in_use(small: Small) -> None:
    first = small.build()
    small.lock.write_text("# other\n")
    assert small.build(replace(EMPTY, imports=("no_such_module",))) == first
    assert small.seen[-1].state == "ready"
    assert "no_such_module" in small.seen[-1].message
    assert small.store.choices()[0].state == "ready"


def test_a_build_after_a_failure_starts_afresh(small: Small) -> None:
    with pytest.raises(EnvironmentBuildError):
        small.build(replace(EMPTY, imports=("no_such_module",)))
    assert small.build() == small.store.ready("plain")


def test_leftovers_of_a_killed_builder_are_cleared_away(small: Small) -> None:
    small.layout.make()
    leftover = small.layout.building("plain") / "environment" / "lib"
    leftover.mkdir(parents=True)
    (leftover / "half").write_text("x")
    unusable = small.layout.ready("plain") / small.build().prefix.name
    (unusable / "despejado-environment.json").unlink()  # half published by something else
    assert small.store.ready("plain") is None
    assert small.build().prefix == unusable
    assert half_made(small.layout) == []


def test_an_environment_whose_python_is_gone_is_not_ready(small: Small) -> None:
    environment = small.build()
    environment.python.unlink()
    environment.python.symlink_to("/nonexistent/python3")
    assert small.store.ready("plain") is None
    assert small.build().python.exists()


@pytest.mark.parametrize("text", ["", "../../etc", "000000000000", "x" * 500])
def test_a_damaged_current_file_is_no_environment(small: Small, text: str) -> None:
    small.build()
    small.layout.current("plain").write_text(text)
    assert small.store.ready("plain") is None
    assert small.build() == small.store.ready("plain")


@pytest.mark.parametrize("tag", ["../x", "/etc", ".", "..", "a/b", "", "a\n", "-x"])
def test_no_tag_leads_out_of_the_store(tmp_path: Path, tag: str) -> None:
    assert EnvironmentStore(tmp_path).ready(tag) is None
    with pytest.raises(UnknownTagError):
        Layout(tmp_path).ready(tag)


@pytest.mark.root
def test_other_users_can_run_what_root_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to other users
        Path(folder).chmod(0o755)
        monkeypatch.setattr(locks, "shipped", lambda _: Path(folder) / "none")
        layout = Layout(Path(folder) / "state" / "environments")
        old = os.umask(0o077)
        try:
            environment = Builder(layout, "plain", lambda _: None).build(lambda _: EMPTY)
        finally:
            os.umask(old)
        ran = subprocess.run(
            [environment.python, "-c", "import os; print(os.getuid())"],
            user=5001, group=5001, extra_groups=[], capture_output=True, text=True, check=True,
            cwd="/",
        )  # fmt: skip
        assert ran.stdout.strip() == "5001"


def test_no_folder_on_the_way_to_a_shared_interpreter_is_closed() -> None:
    assert closed_to_others(find_interpreter(for_others=True).path) is None


def test_a_closed_folder_on_the_way_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "python3").write_text("")
    tmp_path.chmod(0o755)
    assert closed_to_others(closed / "python3") in (closed, *tmp_path.parents)


# Two builders, and builders that die


def hold(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def progress_of(pid: int) -> BuildProgress:
    return BuildProgress(
        "plain", "downloading", 0.3, "Downloading: 3 of 9 MB", "building", pid, now(), now()
    )


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_running_build_shows_its_phase(small: Small) -> None:
    small.layout.make()
    handle = hold(small.layout.lock("plain"))
    write_progress(small.layout, progress_of(os.getpid()))
    (choice,) = small.store.choices()
    os.close(handle)
    assert (choice.state, choice.phase, choice.fraction) == (
        "building", "Downloading: 3 of 9 MB", 0.3,
    )  # fmt: skip
    assert choice.expected_seconds is not None


def test_a_killed_build_shows_as_failed(small: Small) -> None:
    small.layout.make()
    write_progress(small.layout, progress_of(ended_process()))
    (choice,) = small.store.choices()
    assert choice.state == "failed"
    assert "interrupted" in (choice.reason or "")


def test_a_second_builder_waits_for_the_first_and_finds_its_work(small: Small) -> None:
    first = small.build()
    write_progress(small.layout, progress_of(os.getpid()))
    handle = hold(small.layout.lock("plain"))
    waits = threading.Event()
    found: list[Environment] = []

    def second() -> None:
        builder = Builder(small.layout, "plain", lambda item: waits.set())
        found.append(builder.build(lambda _: EMPTY))

    thread = threading.Thread(target=second)
    thread.start()
    assert waits.wait(30)
    assert not found
    os.close(handle)
    thread.join(30)
    assert found == [first]


def test_children_of_a_killed_builder_are_ended_before_the_next_starts(small: Small) -> None:
    small.layout.make()
    handle = hold(small.layout.lock("plain"))
    # A builder, leader of its group, with a child that has inherited the lock; then it is killed.
    script = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
        " pass_fds=[int(sys.argv[1])])\n"
        "print(child.pid, flush=True)\n"
        "child.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(handle)],
        pass_fds=[handle], start_new_session=True, stdout=subprocess.PIPE, text=True,
    ) as builder:  # fmt: skip
        os.close(handle)
        assert builder.stdout is not None
        orphan = int(builder.stdout.readline())
        builder.kill()
    write_progress(small.layout, progress_of(builder.pid))
    assert small.store.choices()[0].state == "failed"
    assert small.build().python.exists()
    assert (
        not Path(f"/proc/{orphan}/cmdline").exists()
        or not Path(f"/proc/{orphan}/cmdline").read_bytes()
    )


@pytest.fixture
def silent_index() -> Iterator[tuple[str, threading.Event]]:
    """An index that takes a request and never answers."""
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connections.append(connection)
                asked.set()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/simple", asked
        server.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()


@pytest.fixture
def use_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    def use(url: str) -> None:
        for name in ("UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        monkeypatch.setenv("UV_INDEX_URL", url)
        monkeypatch.setenv("UV_HTTP_RETRIES", "0")
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
        monkeypatch.setenv("PIP_INDEX_URL", url)
        monkeypatch.setenv("PIP_RETRIES", "0")
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
            monkeypatch.delenv(name, raising=False)

    return use


async def test_a_builder_killed_with_kill_9_is_noticed_by_who_follows(
    silent_index: tuple[str, threading.Event], use_index: Callable[[str], None], tmp_path: Path
) -> None:
    url, asked = silent_index
    use_index(url)
    store = EnvironmentStore(tmp_path / "environments")
    items: list[BuildProgress] = []
    async for item in store.build("ui"):
        items.append(item)
        if item.phase == "resolving" and item.state == "building":
            assert await asyncio.to_thread(asked.wait, 60)
            assert store.choices()[0].tag == "plain"
            os.kill(item.pid, signal.SIGKILL)
    assert items[-1].state == "failed"
    assert "interrupted" in (items[-1].reason or "")
    assert store.ready("ui") is None


async def test_a_builder_that_is_told_to_stop_leaves_nothing(
    silent_index: tuple[str, threading.Event], use_index: Callable[[str], None], tmp_path: Path
) -> None:
    url, asked = silent_index
    use_index(url)
    store = EnvironmentStore(tmp_path / "environments")
    last: BuildProgress | None = None
    async for item in store.build("ui"):
        last = item
        if item.phase == "resolving" and item.state == "building":
            assert await asyncio.to_thread(asked.wait, 60)
            os.kill(item.pid, signal.SIGTERM)
    assert last is not None
    assert (last.state, last.reason) == ("failed", "The build was stopped.")
    assert half_made(Layout(store.root)) == []


async def test_without_a_network_a_build_says_so_and_what_is_ready_works(
    small: Small, use_index: Callable[[str], None], free_port: int
) -> None:
    environment = small.build()
    use_index(f"http://127.0.0.1:{free_port}/simple")
    items = [item async for item in small.store.build("ui")]
    assert (items[-1].state, items[-1].reason) == ("failed", NO_NETWORK)
    assert half_made(small.layout) == []
    assert small.store.ready("plain") == environment
    (item,) = [item async for item in small.store.build("plain")]
    assert item.state == "ready"
    weekly = [item async for item in small.store.build("w_2026_43")]
    assert weekly[-1].state == "failed"
    assert "no network" in (weekly[-1].reason or "")


async def test_what_cannot_be_a_tag_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnknownTagError):
        await anext(EnvironmentStore(tmp_path).build("rm -rf"))


# The disk


@pytest.mark.root
def test_a_full_disk_is_named_and_nothing_half_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "full"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", root], check=False)
    if mounted.returncode != 0:
        pytest.skip("root may not mount a tmpfs here (run with CAP_SYS_ADMIN)")
    try:
        layout = Layout(root)
        layout.make()
        monkeypatch.setattr(locks, "shipped", lambda _: tmp_path / "none")
        (root / "ballast").write_bytes(b"x" * 1_000_000)
        with pytest.raises(EnvironmentBuildError) as caught:
            Builder(layout, "plain", lambda _: None).build(lambda _: EMPTY)
        assert str(caught.value) == DISK_FULL
        assert half_made(layout) == []
        progress = read_progress(layout, "plain")
        assert progress is not None
        assert (progress.state, progress.reason) == ("failed", DISK_FULL)
        assert EnvironmentStore(root).ready("plain") is None
    finally:
        subprocess.run(["umount", root], check=True)
