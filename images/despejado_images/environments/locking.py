"""One builder for each tag: an flock, and the end of what a killed builder left running."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from despejado_images.environments.layout import Layout
from despejado_images.environments.records import process_lives, read_progress


@contextmanager
def builder_lock(layout: Layout, tag: str, waiting: Callable[[int], None]) -> Iterator[int]:
    """Hold the lock of a tag; yields its file descriptor, for children to inherit.

    While another builder holds it, ``waiting`` is told that builder's process id and this one
    waits. Children of a builder inherit the lock: if the builder was killed and they still run,
    they are ended first, so that nobody writes into the folder beside us.
    """
    handle = os.open(layout.lock(tag), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # Whoever can open a file can lock it: other users would hold up builds.
        os.fchmod(handle, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress = read_progress(layout, tag)
            if progress is not None and progress.state == "building":
                if process_lives(progress.pid):
                    waiting(progress.pid)
                else:
                    end_group(progress.pid)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def end_group(leader: int) -> None:
    """End the process group that a dead builder led.

    Somebody still holds its lock, so the group has members, and as long as it has, its number is
    given to no other process: nothing else can be hit. A builder that led no group (started from
    a shell) has none by this number.
    """
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
