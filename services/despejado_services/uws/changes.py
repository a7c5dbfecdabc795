"""Lets requests wait for a job's phase to change (UWS 1.1 §2.2.1.1, WAIT)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Changes:
    """Signals from any thread to waiting requests of one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._closed = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop whose requests wait."""
        self._loop = loop

    def changed(self, job_id: str) -> None:
        """Wake who waits for this job; may be called from any thread."""
        self.call(lambda: self._wake(job_id))

    def call(self, what: Callable[[], None]) -> None:
        """Have ``what`` called in the loop; may be called from any thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what)

    def close(self) -> None:
        """Wake everybody, for good: the service stops. To be called in the loop."""
        self._closed = True
        for job_id in list(self._waiting):
            self._wake(job_id)

    @property
    def closed(self) -> bool:
        """Whether nobody may wait any more: the service ends."""
        return self._closed

    @contextmanager
    def watch(self, job_id: str) -> Iterator[asyncio.Event]:
        """An event that is set at each change of the job while the block runs."""
        event = asyncio.Event()
        if self._closed:
            event.set()
        self._waiting.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[job_id].discard(event)
            if not self._waiting[job_id]:
                del self._waiting[job_id]

    def _wake(self, job_id: str) -> None:
        for event in self._waiting.get(job_id, ()):
            event.set()
