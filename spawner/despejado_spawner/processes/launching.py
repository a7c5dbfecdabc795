"""Starting a lab's process, and noticing at once when it answers or dies.

The lab's launcher gets the writing end of a pipe and writes ``ready`` when its server listens and
its loop turns. That is an event in both directions: the word is readiness, the end of the pipe
without the word is death. Polling the port would notice either late, and would take any other
process on that port for the lab.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from despejado_spawner.errors import LabFailed
from despejado_spawner.models import LabProcess
from despejado_spawner.processes.exits import wait_exit
from despejado_spawner.processes.process_table import LAB_ID_VARIABLE

READY_VARIABLE = "DESPEJADO_READY_FD"
_READY = b"ready"
_TAIL_LINES = 15
_TAIL_BYTES = 6000


@dataclass
class Launched:
    """A started process and the pipe on which it says that it is ready."""

    process: subprocess.Popen[bytes]
    ready: int
    log: Path
    killed_before: int = 0
    """How many processes the kernel had killed for want of memory when it was started."""

    def close(self) -> None:
        """Close the pipe; safe to call twice."""
        if self.ready >= 0:
            os.close(self.ready)
            self.ready = -1


def launch(process: LabProcess, lab_id: str, log: Path, *, nice: int = 0) -> Launched:
    """Start the process in a session of its own, as its user, with its output in ``log``.

    Only root can start it as somebody else; groups, group and user are then set in the child, in
    this order, before the program is executed, and a failure of any ends the child.

    Raises
    ------
    LabFailed
        If the program cannot be executed.
    """
    reading, writing = os.pipe()
    killed = killed_for_memory()
    try:
        variables = {
            **process.environment,
            LAB_ID_VARIABLE: lab_id,
            READY_VARIABLE: str(writing),
        }
        with _open_log(log) as output:
            child = _popen(process, variables, writing, output.fileno())
    except OSError as error:
        os.close(reading)
        raise LabFailed(
            "command",
            f"The lab's server {process.argv[0]} cannot be executed by UID {process.uid}: "
            f"{error.strerror}.",
            "Ask the administrator whether that user can reach the folder.",
        ) from error
    finally:
        os.close(writing)
    if nice:
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, child.pid, nice)
    return Launched(child, reading, log, killed)


async def wait_ready(launched: Launched) -> None:
    """Wait until the lab says that it is ready.

    Raises
    ------
    LabFailed
        As soon as the lab has died instead, with the last lines of its log as details.
    """
    try:
        said = await _read_until_ready(launched.ready)
    finally:
        launched.close()
    if said:
        return
    child = launched.process
    await wait_exit(child.pid, timeout=5)
    code = child.poll()
    how = "closed its connection to the hub" if code is None else f"ended with {_exit(code)}"
    lines = log_tail(launched.log)
    if code == -signal.SIGKILL and killed_for_memory() > launched.killed_before:
        message = "The machine had no memory left, and the lab was ended before it was ready."
        raise LabFailed("out_of_memory", message, details=lines)
    own = f" It said: {lines[-1]}" if lines else " It wrote nothing."
    message = f"The lab's server {how} before it was ready.{own}"
    raise LabFailed("crashed", message, details=lines)


def log_tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log, at most 15 and 6000 bytes."""
    try:
        with log.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(deque((line for line in text.splitlines() if line.strip()), _TAIL_LINES))


def killed_for_memory(vmstat: Path = Path("/proc/vmstat")) -> int:
    """How many processes the kernel has killed for want of memory since it runs (Linux 4.13)."""
    try:
        found = re.search(r"^oom_kill (\d+)$", vmstat.read_text("ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _open_log(log: Path) -> BinaryIO:
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb")


def _popen(
    process: LabProcess, variables: Mapping[str, str], writing: int, output: int
) -> subprocess.Popen[bytes]:
    as_root = os.geteuid() == 0
    return subprocess.Popen(
        process.argv,
        env=variables,
        cwd=process.cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        pass_fds=(writing,),
        start_new_session=True,
        umask=process.umask,
        user=process.uid if as_root else None,
        group=process.gid if as_root else None,
        extra_groups=process.groups if as_root else None,
    )


async def _read_until_ready(descriptor: int) -> bool:
    """True when the word has come, False when the pipe ended without it."""
    loop = asyncio.get_running_loop()
    os.set_blocking(descriptor, False)
    answer: asyncio.Future[bool] = loop.create_future()
    received = bytearray()

    def readable() -> None:
        if answer.done():
            return
        chunk = os.read(descriptor, 1024)
        received.extend(chunk)
        if _READY in received:
            answer.set_result(True)
        elif not chunk:
            answer.set_result(False)

    loop.add_reader(descriptor, readable)
    try:
        return await answer
    finally:
        loop.remove_reader(descriptor)


def _exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
