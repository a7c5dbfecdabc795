"""Processes by record: a process id with the moment it started, so that no other one is meant.

A process id is given again after its process ended; together with the start time it names one
process for ever. Everything here works on records and never on names.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass

from despejado_spawner.processes.process_table import boot_id, descendants, start_time


@dataclass(frozen=True)
class ProcessRecord:
    """One process: its id, when it started as the kernel counts it, and the boot it belongs to."""

    pid: int
    started: str
    boot: str


def record(pid: int) -> ProcessRecord | None:
    """The record of a running process; None if there is none (a zombie is none)."""
    started = start_time(pid)
    return None if started is None else ProcessRecord(pid, started, boot_id())


def is_alive(process: ProcessRecord) -> bool:
    """Whether exactly this process still runs."""
    return process.boot == boot_id() and start_time(process.pid) == process.started


def with_descendants(processes: Iterable[ProcessRecord]) -> list[ProcessRecord]:
    """The processes that still run and everything below them, parents first."""
    found: dict[int, ProcessRecord] = {}
    for process in processes:
        if is_alive(process):
            found[process.pid] = process
            for pid, started in descendants(process.pid).items():
                found.setdefault(pid, ProcessRecord(pid, started, process.boot))
    return list(found.values())


def send(process: ProcessRecord, number: signal.Signals) -> None:
    """Send a signal to exactly this process, if it still runs."""
    if is_alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


async def gone(processes: Iterable[ProcessRecord], seconds: float) -> list[ProcessRecord]:
    """Wait until the processes have ended; returns those that have not after ``seconds``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    left = [process for process in processes if is_alive(process)]
    while left and loop.time() < deadline:
        # They may be children of anybody, so nothing tells us: look again.
        await asyncio.sleep(0.02)
        left = [process for process in left if is_alive(process)]
    return left


async def stop(
    processes: Iterable[ProcessRecord],
    grace: float,
    and_kill: Iterable[ProcessRecord] = (),
) -> None:
    """End processes and all below them: ask first, insist after ``grace`` seconds.

    Only the given processes are asked (a Jupyter server then ends its kernels in order); what is
    left of the tree, and of ``and_kill``, is killed after that.
    """
    asked = list(processes)
    tree = {process.pid: process for process in (*and_kill, *with_descendants(asked))}
    for process in asked:
        send(process, signal.SIGTERM)
    left = await gone(tree.values(), grace)
    while left:
        # Something may have been started since: look for it below what is left.
        for process in with_descendants(left):
            send(process, signal.SIGKILL)
        left = await gone(left, 2.0)


def kill_now(processes: Iterable[ProcessRecord]) -> None:
    """End processes and all below them without asking."""
    for process in with_descendants(processes):
        send(process, signal.SIGKILL)
