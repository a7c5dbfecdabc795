"""Processes that outlive the command which started them, ended by the ids that were recorded."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.harness.settings import boot_id, write_atomically

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Record:
    """A process, named so that another one which gets its id later is not taken for it."""

    pid: int
    started: int
    """Clock ticks after boot."""
    boot: str


def spawn(command: Sequence[str], log: Path, environment: dict[str, str]) -> Record:
    """Start ``command`` in a session of its own; what it says is appended to ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    writing = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        list(command),
        {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"} | environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), writing, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        # Python ignores SIGPIPE, which programs would inherit.
        setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGTERM],
        setsigmask=[],
    )
    started = _start_ticks(pid)
    return Record(pid, -1 if started is None else started, boot_id())


def alive(record: Record) -> bool:
    """Whether this very process runs."""
    _reap(record.pid)
    return record.boot == boot_id() and _start_ticks(record.pid) == record.started


def end(record: Record, patience: float) -> None:
    """Ask the process to end, and kill it after ``patience`` seconds."""
    for sign, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        if sign == signal.SIGTERM and patience <= 0:
            continue
        if not send(record, sign) or wait(record, seconds):
            return


def send(record: Record, sign: signal.Signals) -> bool:
    """Send a signal; False when the process is gone."""
    handle = _open(record)
    if handle is None:
        return False
    try:
        signal.pidfd_send_signal(handle, sign)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def wait(record: Record, seconds: float) -> bool:
    """Wait for the process to end; False when it did not."""
    handle = _open(record)
    if handle is None:
        return True
    try:
        ended = bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)
    _reap(record.pid)
    return ended


def save(path: Path, record: Record) -> None:
    write_atomically(path, json.dumps(asdict(record)) + "\n")


def load(path: Path) -> Record | None:
    try:
        return Record(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None


def _open(record: Record) -> int | None:
    """A handle of the process, which stays with it even when its id is given anew."""
    try:
        handle = os.pidfd_open(record.pid)
    except ProcessLookupError:
        return None
    if alive(record):
        return handle
    os.close(handle)
    return None


def _reap(pid: int) -> None:
    """Take note of a child's end, if it is one of ours: it would stay as a zombie."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _start_ticks(pid: int) -> int | None:
    """Field 22 of proc(5)'s stat; None when there is no such process or it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    rest = text[text.rindex(")") + 2 :].split()
    return None if rest[0] in "ZX" else int(rest[19])


def find(pid: int) -> Record | None:
    """The record of a process that somebody else started."""
    started = _start_ticks(pid)
    return None if started is None else Record(pid, started, boot_id())
