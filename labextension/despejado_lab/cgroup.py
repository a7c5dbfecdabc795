"""The memory of the lab's container, as its control group counts it (version 2, or 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CGROUP_DIR = "/sys/fs/cgroup"
"""Where a container sees its own control group."""
_NO_LIMIT = 2**60
"""Version 1 writes the largest number of pages for no limit."""


@dataclass(frozen=True)
class Memory:
    """Bytes in use that cannot be given back, and the limit (None without one).

    ``kills`` is how many processes have been killed because there was no more.
    """

    used: int
    limit: int | None
    kills: int


@dataclass(frozen=True)
class _Names:
    """The files of one version, below the folder where it is mounted."""

    used: str
    limit: str
    events: str
    statistics: str
    cache: str


_VERSIONS = (
    _Names("memory.current", "memory.max", "memory.events", "memory.stat", "inactive_file"),
    _Names(
        "memory/memory.usage_in_bytes",
        "memory/memory.limit_in_bytes",
        "memory/memory.oom_control",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)


def read_memory(folder: Path) -> Memory | None:
    """What the control group says now; None on a machine without one.

    Takes a few tenths of a millisecond. Files that were read and can be read again do
    not count as used, as the kubelet counts.
    """
    for names in _VERSIONS:
        try:
            used = int((folder / names.used).read_text())
            limit = (folder / names.limit).read_text().strip()
            cache = _table(folder / names.statistics).get(names.cache, 0)
            kills = _table(folder / names.events).get("oom_kill", 0)
        except (OSError, ValueError):
            continue
        bytes_allowed = int(limit) if limit.isdigit() else _NO_LIMIT
        return Memory(
            used=max(0, used - cache),
            limit=bytes_allowed if bytes_allowed < _NO_LIMIT else None,
            kills=kills,
        )
    return None


def _table(file: Path) -> Mapping[str, int]:
    """Lines of a name and a number."""
    pairs = (line.split() for line in file.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
