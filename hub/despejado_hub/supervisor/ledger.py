"""Which processes belong to a state folder: written while they run, read to clean up after.

Whatever ends the supervisor, the next start finds what it left behind, by process id and start
time (``STATE/run/processes.json``). Labs and builders of environments keep records of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from despejado_spawner.processes.process_table import boot_id, lab_processes
from despejado_spawner.processes.records import RECORD_NAME, read_record

from despejado_hub.supervisor.processes import ProcessRecord, is_alive, record
from despejado_hub.supervisor.state import StateFolder, write_json


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _record_in(entry: object) -> ProcessRecord | None:
    if not isinstance(entry, Mapping):
        return None
    pid, started, boot = entry.get("pid"), entry.get("started"), entry.get("boot")
    if not (isinstance(pid, int) and isinstance(started, str) and isinstance(boot, str)):
        return None
    return ProcessRecord(pid, started, boot)


class Ledger:
    """The processes that the supervisor itself started."""

    def __init__(self, state: StateFolder) -> None:
        self._path = state.run / "processes.json"

    def write(self, processes: Mapping[str, ProcessRecord]) -> None:
        """Record what runs now."""
        write_json(
            self._path,
            {name: asdict(process) for name, process in processes.items()},
        )

    def left_behind(self) -> dict[str, ProcessRecord]:
        """Processes of an earlier supervisor that still run, by name."""
        found = ((name, _record_in(entry)) for name, entry in _document(self._path).items())
        return {name: p for name, p in found if p is not None and is_alive(p)}


def labs(state: StateFolder) -> tuple[list[ProcessRecord], list[ProcessRecord]]:
    """The servers of the labs that run, and the other processes of labs.

    A lab keeps a record in its folder (``lab.json``); its kernels, which have sessions of their
    own, carry the lab's id in their environment.
    """
    servers: list[ProcessRecord] = []
    members: list[ProcessRecord] = []
    for path in state.labs.glob(f"*/*/{RECORD_NAME}"):
        lab = read_record(path.parent)
        if lab is None or lab.boot != boot_id():
            continue
        if lab.alive():
            servers.append(ProcessRecord(lab.pid, lab.started, lab.boot))
        members += [
            ProcessRecord(pid, started, lab.boot)
            for pid, started in lab_processes(lab.lab_id).items()
            if pid != lab.pid
        ]
    return servers, members


def builders(state: StateFolder) -> list[ProcessRecord]:
    """The builders of environments that run, from their progress files."""
    running: list[ProcessRecord] = []
    for path in (state.environments / "progress").glob("*.json"):
        document = _document(path)
        pid = document.get("pid")
        if (
            document.get("state") == "building"
            and isinstance(pid, int)
            and _holds_lock(state, path.stem)
        ):
            process = record(pid)
            if process is not None:
                running.append(process)
    return running


def _holds_lock(state: StateFolder, tag: str) -> bool:
    """Whether a builder of this tag runs: it holds a lock that the kernel takes from the dead."""
    import fcntl

    path = state.environments / "building" / f"{tag}.lock"
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def records(processes: Iterable[ProcessRecord | None]) -> list[ProcessRecord]:
    """Those that are there."""
    return [process for process in processes if process is not None]
