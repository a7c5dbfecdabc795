"""Waiting for processes to end, and ending them with all that they started."""

from __future__ import annotations

import asyncio
import os
import signal

from despejado_spawner.processes.process_table import descendants, lab_processes, start_time
from despejado_spawner.processes.records import LabRecord

_RECHECK_SECONDS = 0.1


async def wait_exit(pid: int, timeout: float | None = None) -> bool:
    """Wait until a process has ended (or is a zombie); False if the time is over first.

    The process need not be a child: on Linux its pidfd becomes readable when it ends.
    """
    try:
        async with asyncio.timeout(timeout):
            await _exit_of(pid)
    except TimeoutError:
        return False
    return True


async def _exit_of(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):  # no pidfd on this system: look again and again
        while start_time(pid) is not None:  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(_RECHECK_SECONDS)
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def end_lab(record: LabRecord, grace: float) -> None:
    """TERM to the lab's server, which ends its kernels; KILL to whatever is left after ``grace``.

    Kernels and terminals are in sessions of their own, so the server's process group is not
    enough: its descendants are noted beforehand, and what was detached from them is found by the
    lab's id in its environment. Each is compared with its start time before it gets a signal.
    """
    members = dict(lab_processes(record.lab_id))
    if record.alive():
        members |= descendants(record.pid) | {record.pid: record.started}
        _signal(record.pid, record.started, signal.SIGTERM)
        await wait_exit(record.pid, grace)
    members |= lab_processes(record.lab_id)
    for pid, started in members.items():
        _signal(pid, started, signal.SIGKILL)
    for pid, started in members.items():
        if start_time(pid) == started:
            await wait_exit(pid, timeout=5)


def _signal(pid: int, started: str, number: signal.Signals) -> None:
    """Send a signal to this very process; nothing happens if it has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        descriptor = -1
    try:
        # The descriptor holds the process: after this comparison the PID cannot change hands.
        if start_time(pid) != started:
            return
        if descriptor >= 0:
            signal.pidfd_send_signal(descriptor, number)
        else:
            os.kill(pid, number)
    except ProcessLookupError:
        pass
    finally:
        if descriptor >= 0:
            os.close(descriptor)
