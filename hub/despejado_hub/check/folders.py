"""Checks of the state folder: can the platform write there, can labs get there, is there room."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .result import Result

NEEDED = 2 * 2**30
"""Bytes below which not even one weekly environment fits."""
WANTED = 10 * 2**30
"""Bytes with which several weeklies and results of queries fit."""


def nearest_existing(path: Path) -> Path:
    """The path itself, or the first of its parents that is there."""
    return next(each for each in (path, *path.parents) if each.exists())


def closed_to_others(path: Path) -> Path | None:
    """The first folder on the way to ``path`` that other users cannot pass; None if all can."""
    for folder in reversed((path, *path.parents)):
        if folder.is_dir() and not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def check_state(state: Path) -> Iterator[Result]:
    """Whether the state folder can be used, or made, and reached by labs."""
    name = "state folder"
    existing = nearest_existing(state)
    if not existing.is_dir():
        yield Result(
            name, "fail", f"{existing} is not a folder", "name another folder as storage.state"
        )
        return
    if existing != state and not os.access(existing, os.W_OK | os.X_OK):
        yield Result(
            name,
            "fail",
            f"{state} is not there and cannot be made in {existing}",
            "make it for the platform's user, or name another one as storage.state",
        )
        return
    if existing == state:
        try:
            with tempfile.TemporaryFile(dir=state) as probe:
                probe.write(b"despejado")
        except OSError as error:
            yield Result(
                name,
                "fail",
                f"{state} cannot be written: {error.strerror}",
                "give it to the platform's user, or name another one as storage.state",
            )
            return
    if os.geteuid() == 0:
        closed = closed_to_others(existing)
        if closed is not None:
            yield Result(
                name,
                "fail",
                f"labs run as their users, and {closed} lets no other user through",
                f"chmod o+x {closed}, or name a folder elsewhere as storage.state",
            )
            return
    made = "is writable" if existing == state else "will be made at the first start"
    yield Result(name, "ok", f"{state} {made}")


def check_space(state: Path) -> Iterator[Result]:
    """Whether environments and results fit on the disk of the state folder."""
    folder = nearest_existing(state)
    free = shutil.disk_usage(folder).free
    said = f"{free / 2**30:.1f} GiB free at {folder}"
    if free < NEEDED:
        yield Result(
            "space",
            "fail",
            said,
            f"free at least {NEEDED // 2**30} GiB: one weekly environment needs that",
        )
    elif free < WANTED:
        yield Result("space", "warn", said, "several weeklies and results of queries need more")
    else:
        yield Result("space", "ok", said)
