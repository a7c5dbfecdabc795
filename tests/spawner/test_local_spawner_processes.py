"""Processes of labs: recorded, told apart, started, and ended with all that they started."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from despejado_spawner.errors import LabFailed
from despejado_spawner.models import Identity, LabFile, LabProcess
from despejado_spawner.processes import launching
from despejado_spawner.processes.exits import end_lab, wait_exit
from despejado_spawner.processes.files import make_lab_folder, remove_runtime, write_runtime
from despejado_spawner.processes.launching import Launched, launch, wait_ready
from despejado_spawner.processes.own_identity import enforceable, own_identity
from despejado_spawner.processes.process_table import boot_id, start_time
from despejado_spawner.processes.records import (
    LabRecord,
    read_record,
    remove_record,
    write_record,
)

READY = "import os; os.write(int(os.environ['DESPEJADO_READY_FD']), b'ready\\n')\n"
DETACHED = (
    "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'],"
    " start_new_session=True)\n"
)
IGNORES_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
WAITS = "import signal; signal.pause()\n"


def program(tmp_path: Path, code: str) -> LabProcess:
    """A process as whoever runs the tests."""
    return LabProcess(
        argv=(sys.executable, "-c", code),
        environment={"PATH": "/usr/bin:/bin"},
        files=(),
        cwd=tmp_path,
        uid=os.getuid(),
        gid=os.getgid(),
        groups=(),
    )


def record_of(launched: Launched, lab_id: str) -> LabRecord:
    pid = launched.process.pid
    return LabRecord(
        pid, start_time(pid) or "", boot_id(), lab_id, "127.0.0.1", 1, "d", "plain", os.getuid()
    )


async def started(tmp_path: Path, code: str, lab_id: str) -> tuple[Launched, LabRecord]:
    launched = launch(program(tmp_path, code), lab_id, tmp_path / "server.log")
    record = record_of(launched, lab_id)
    await wait_ready(launched)
    return launched, record


async def test_a_lab_is_ended_with_what_it_detached(tmp_path: Path) -> None:
    launched, record = await started(tmp_path, DETACHED + READY + WAITS, "lab-a")
    children = psutil.Process(record.pid).children(recursive=True)
    assert len(children) == 1 and os.getsid(children[0].pid) != os.getsid(record.pid)
    await end_lab(record, grace=5)
    assert launched.process.poll() is not None
    assert not children[0].is_running() or children[0].status() == psutil.STATUS_ZOMBIE


async def test_what_outlived_its_server_is_ended_too(tmp_path: Path) -> None:
    launched, record = await started(tmp_path, DETACHED + READY + WAITS, "lab-b")
    child = psutil.Process(record.pid).children()[0]
    launched.process.kill()
    launched.process.wait()
    await end_lab(record, grace=5)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_a_server_that_ignores_term_is_killed(tmp_path: Path) -> None:
    launched, record = await started(tmp_path, IGNORES_TERM + READY + WAITS + WAITS, "lab-c")
    await end_lab(record, grace=0.2)
    assert launched.process.wait() == -9


async def test_a_process_that_got_the_pid_later_is_left_alone(tmp_path: Path) -> None:
    launched, record = await started(tmp_path, READY + WAITS, "lab-d")
    earlier = replace(record, started="1", lab_id="another")
    assert record.alive() and not earlier.alive()
    assert not replace(record, boot="another boot").alive()
    await end_lab(earlier, grace=5)
    assert launched.process.poll() is None
    await end_lab(record, grace=5)
    assert not record.alive()


async def test_death_at_start_tells_the_end_of_the_log(tmp_path: Path) -> None:
    code = "import sys; [print('line', n) for n in range(50)]; sys.exit(7)"
    launched = launch(program(tmp_path, code), "lab-e", tmp_path / "server.log")
    with pytest.raises(LabFailed, match="exit code 7") as raised:
        await wait_ready(launched)
    assert raised.value.details[-1] == "line 49" and len(raised.value.details) == 15
    assert (raised.value.reason, raised.value.status) == ("crashed", 400)


@pytest.mark.parametrize(("killed", "reason"), [(0, "out_of_memory"), (10**9, "crashed")])
async def test_a_lab_that_the_kernel_kills_for_memory_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: int, reason: str
) -> None:
    """Anybody may send SIGKILL; the kernel counts those that it sends for want of memory."""
    monkeypatch.setattr(launching, "killed_for_memory", lambda: 1)
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    launched = launch(program(tmp_path, code), "lab-k", tmp_path / "server.log")
    with pytest.raises(LabFailed) as raised:
        await wait_ready(replace(launched, killed_before=killed))
    assert raised.value.reason == reason


def test_the_kernel_s_count_of_those_killed_for_memory(tmp_path: Path) -> None:
    file = tmp_path / "vmstat"
    file.write_text("pgfault 12\noom_kill 3\noom_kill_x 9\n")
    assert launching.killed_for_memory(file) == 3
    assert launching.killed_for_memory(tmp_path / "absent") == 0


async def test_a_program_that_cannot_be_executed_says_so(tmp_path: Path) -> None:
    process = replace(program(tmp_path, ""), argv=(str(tmp_path / "absent"),))
    with pytest.raises(LabFailed, match="cannot be executed"):
        launch(process, "lab-f", tmp_path / "server.log")


async def test_the_log_of_the_last_start_is_kept(tmp_path: Path) -> None:
    for text in ("first", "second"):
        launched = launch(program(tmp_path, f"print('{text}')"), "g", tmp_path / "server.log")
        with pytest.raises(LabFailed):
            await wait_ready(launched)
    assert (tmp_path / "server.log").read_text() == "second\n"
    assert (tmp_path / "server.previous.log").read_text() == "first\n"


async def test_waiting_for_an_exit_ends_with_the_time(tmp_path: Path) -> None:
    launched, record = await started(tmp_path, READY + WAITS, "lab-h")
    assert await wait_exit(record.pid, timeout=0.01) is False
    waiting = asyncio.ensure_future(wait_exit(record.pid))
    launched.process.kill()
    assert await waiting is True
    launched.process.wait()
    assert await wait_exit(record.pid) is True


def test_a_record_is_read_back_and_rubbish_is_none(tmp_path: Path) -> None:
    record = LabRecord(1, "2", "boot", "id", "127.0.0.1", 3, "digest", "plain", 5000)
    write_record(tmp_path, record)
    assert read_record(tmp_path) == record
    for rubbish in ("", "[]", '{"pid": "1"}', '{"pid": 1'):
        (tmp_path / "lab.json").write_text(rubbish)
        assert read_record(tmp_path) is None
    remove_record(tmp_path)
    remove_record(tmp_path)
    assert read_record(tmp_path) is None


def test_a_runtime_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = make_lab_folder(tmp_path / "labs", "rachel", "default")
    runtime = folder / "runtime"
    for name in ("old", "new"):
        file = LabFile(runtime / "secrets" / name, name, 0o400, secret=True)
        write_runtime(runtime, [file], os.getuid(), os.getgid())
    assert [path.name for path in (runtime / "secrets").iterdir()] == ["new"]
    remove_runtime(runtime)
    remove_runtime(runtime)
    assert list(folder.iterdir()) == []


def test_a_runtime_folder_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = make_lab_folder(tmp_path / "labs", "rachel", "default")
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o755)
    (precious / "file").write_text("kept")
    (folder / "runtime").symlink_to(precious)
    write_runtime(folder / "runtime", [], os.getuid(), os.getgid())
    assert (precious / "file").read_text() == "kept"
    assert not (folder / "runtime").is_symlink()


def test_without_root_everybody_runs_as_the_owner_of_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = Identity("rachel", 5001, 5001, (), "Rachel")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert enforceable(wanted) is wanted
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    got = enforceable(wanted)
    assert (got.username, got.full_name) == ("rachel", "Rachel")
    assert (got.uid, got.gid) == (os.getuid(), os.getgid())
    assert own_identity("x").groups
