"""Facts about processes: the same on every system, and as earlier releases wrote them down."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from despejado_spawner.processes.process_table import (
    LAB_ID_VARIABLE,
    boot_id,
    descendants,
    lab_processes,
    start_time,
)

from tests.hidden_proc import HIDDEN_PROC

ROOT = Path(__file__).parents[2]
WAITS = "import signal; print(flush=True); signal.pause()"

OFF_LINUX = """
import asyncio, os, subprocess, sys
from dataclasses import replace

import psutil

psutil.LINUX = False
del os.pidfd_open

from despejado_spawner.processes.exits import end_lab
from despejado_spawner.processes.process_table import boot_id, lab_processes, start_time
from despejado_spawner.processes.records import LabRecord

CHILD = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()"
SERVER = (
    "import signal, subprocess, sys\\n"
    f"subprocess.Popen([sys.executable, '-c', {CHILD!r}], start_new_session=True)\\n"
    "print(flush=True); signal.pause()"
)
server = subprocess.Popen(
    [sys.executable, "-c", SERVER],
    env={**os.environ, "DESPEJADO_LAB_ID": "far"}, stdout=subprocess.PIPE,
)
server.stdout.readline()
try:
    record = LabRecord(
        server.pid, start_time(server.pid), boot_id(), "far", "", 1, "d", "plain", os.getuid()
    )
    found = lab_processes("far")
    assert len(found) == 2 and server.pid in found, found
    assert record.boot == "" and record.alive()
    assert not replace(record, started=f"{float(record.started) + 1:.6f}").alive()
    asyncio.run(end_lab(record, 5))
    assert not lab_processes("far") and not record.alive()
finally:
    for process in psutil.Process().children(recursive=True):
        process.kill()
print("ended")
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, LAB_ID_VARIABLE: "near"}
    command = [sys.executable, "-c", WAITS]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        yield started
        started.kill()


def test_labs_are_found_and_ended_where_there_is_no_proc() -> None:
    run = subprocess.run(
        [sys.executable, "-c", HIDDEN_PROC + OFF_LINUX],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.stdout.strip() == "ended", run.stderr


def test_only_what_psutil_does_not_tell_is_read_from_proc() -> None:
    folders = ("spawner/despejado_spawner/processes", "hub/despejado_hub/supervisor")
    found = [
        match
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for match in re.findall(r"/proc\b[^\"'`\s]*", path.read_text())
    ]
    # Without the second, where it is not, no lab is said to have run out of memory.
    assert sorted(found) == ["/proc/sys/kernel/random/boot_id", "/proc/vmstat"]


@pytest.mark.skipif(not psutil.LINUX, reason="earlier releases knew Linux only")
def test_a_process_is_known_by_what_earlier_releases_recorded(
    process: subprocess.Popen[bytes],
) -> None:
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    assert start_time(process.pid) == stat.rpartition(")")[2].split()[19]
    assert boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_the_environment_of_others_is_passed_over(
    process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = psutil.Process.environ

    def environ(self: psutil.Process) -> dict[str, str]:
        if self.pid == os.getpid():
            raise psutil.AccessDenied(self.pid)
        found: dict[str, str] = real(self)
        return found

    monkeypatch.setattr(psutil.Process, "environ", environ)
    assert lab_processes("near") == {process.pid: start_time(process.pid)}


def test_a_zombie_is_no_process(process: subprocess.Popen[bytes]) -> None:
    assert process.pid in descendants(os.getpid())
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
    assert start_time(process.pid) is None
    assert process.pid not in descendants(os.getpid())
    assert lab_processes("near") == {}


def test_a_pid_that_is_free_is_nobodys(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert start_time(process.pid) is None
    assert descendants(process.pid) == {}
