"""Facts about processes, from psutil: in a form that outlives the process that asks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import psutil

LAB_ID_VARIABLE = "DESPEJADO_LAB_ID"
"""In the environment of a lab's server and so of all that it starts: kernels, terminals."""


@cache
def boot_id() -> str:
    """Identifies this boot of this machine; empty where start times are dates.

    It is the one thing that psutil does not tell: its boot time is a date, which moves when the
    clock is set.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def start_time(pid: int) -> str | None:
    """When a process started, as text to be compared; None if there is none or it is a zombie.

    On Linux the kernel's ticks since the boot, which stay when the clock is set; elsewhere the date
    in seconds since 1970.
    """
    boot = psutil.boot_time()
    try:
        process = psutil.Process(pid)
        created: float = process.create_time()
        if process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return None
    except psutil.Error:
        return None
    if psutil.LINUX:
        return str(round((created - boot) * os.sysconf("SC_CLK_TCK")))
    return f"{created:.6f}"


def lab_processes(lab_id: str) -> dict[int, str]:
    """All processes of a lab by the variable in their environment: PID to start time."""
    return _start_times(
        process.pid for process in psutil.process_iter() if _lab_of(process) == lab_id
    )


def _lab_of(process: psutil.Process) -> str | None:
    try:
        found: str | None = process.environ().get(LAB_ID_VARIABLE)
    except psutil.Error:
        return None  # gone, or somebody else's
    return found


def descendants(pid: int) -> dict[int, str]:
    """The process tree below a process (without it): PID to start time."""
    try:
        below = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return {}
    return _start_times(process.pid for process in below)


def _start_times(pids: Iterable[int]) -> dict[int, str]:
    # asked anew: psutil keeps the start time of a process whose PID may have changed hands
    found = ((pid, start_time(pid)) for pid in pids)
    return {pid: started for pid, started in found if started is not None}
