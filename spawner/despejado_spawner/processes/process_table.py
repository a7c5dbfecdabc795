"""Facts about processes from ``/proc``; on systems without it, from ``ps``."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LAB_ID_VARIABLE = "DESPEJADO_LAB_ID"
"""In the environment of a lab's server and so of all that it starts: kernels, terminals."""
_PROC = Path("/proc")
_HAS_PROC = (_PROC / "self" / "stat").exists()


@cache
def boot_id() -> str:
    """Identifies this boot of this machine; empty where the system does not say."""
    try:
        return (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def start_time(pid: int) -> str | None:
    """When a process started, as text to be compared; None if there is none or it is a zombie."""
    if _HAS_PROC:
        fields = _stat(pid)
        return None if fields is None or fields[0] in ("Z", "X") else fields[19]
    found = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started = found.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None


def lab_processes(lab_id: str) -> dict[int, str]:
    """All processes of a lab by the variable in their environment: PID to start time."""
    marker = f"{LAB_ID_VARIABLE}={lab_id}".encode()
    found: dict[int, str] = {}
    for pid in _pids():
        try:
            environment = (_PROC / str(pid) / "environ").read_bytes()
        except OSError:
            continue  # gone, or somebody else's
        if marker in environment.split(b"\0") and (started := start_time(pid)) is not None:
            found[pid] = started
    return found


def descendants(pid: int) -> dict[int, str]:
    """The process tree below a process (without it): PID to start time."""
    children: dict[int, list[int]] = {}
    for child in _pids():
        fields = _stat(child)
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(child)
    found: dict[int, str] = {}
    waiting = [pid]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found and (started := start_time(child)) is not None:
                found[child] = started
                waiting.append(child)
    return found


def _pids() -> Iterator[int]:
    if _HAS_PROC:
        for name in os.listdir(_PROC):  # noqa: PTH208  (names are all that is needed of many)
            if name.isdigit():
                yield int(name)


def _stat(pid: int) -> list[str] | None:
    """The fields of ``/proc/PID/stat`` after the name: state, parent, ... (proc(5), from 3)."""
    try:
        text = (_PROC / str(pid) / "stat").read_text("utf-8", "replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()
