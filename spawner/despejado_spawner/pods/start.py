"""From a created pod to a lab that answers: every change tells where it is, or why it is not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from despejado_spawner.errors import LabFailed
from despejado_spawner.history import StartHistory
from despejado_spawner.pods.diagnosis.diagnose import (
    Diagnosis,
    Ended,
    Failed,
    Running,
    Settings,
    Waiting,
    diagnose,
)
from despejado_spawner.pods.models import Manifest
from despejado_spawner.progress import Phase, SpawnProgress

_LOOK_AGAIN = 1.0
"""Seconds after which time itself may have changed what a state means."""


class Watched(Protocol):
    """One pod and its events as the shared watches know them."""

    def pod(self) -> Manifest | None:
        """The pod now; None before it is there and when it is gone."""
        ...

    def events(self) -> Sequence[Manifest]:
        """The events of this very pod."""
        ...

    async def changed(self, timeout: float) -> None:
        """Return at the next change, or after ``timeout`` seconds."""
        ...


def now() -> datetime:
    """The time that the API's stamps are compared with."""
    return datetime.now(UTC)


@dataclass
class Start:
    """One start that is being followed. ``image`` is the key of its durations in the history."""

    watched: Watched
    settings: Settings
    progress: SpawnProgress
    history: StartHistory
    image: str
    deadline: float
    clock: Callable[[], float] = time.monotonic
    seen: bool = False
    phase: Phase = Phase.QUEUED
    since: float = 0.0
    told: set[str] = field(default_factory=set)

    async def until_running(self) -> Running:
        """Wait until the lab's container runs, telling each phase.

        Raises
        ------
        LabFailed
            As soon as it is clear that it will not, and when the time is over.
        """
        self.since = self.clock()
        while True:
            found = self._look()
            if isinstance(found, Running):
                self._enter(Phase.STARTING, found.node)
                return found
            if isinstance(found, Failed | Ended):
                raise found.failure
            if isinstance(found, Waiting):
                self._tell(found)
            await self._next_change(found)

    async def while_alive(self) -> None:
        """Wait until the pod ends; raises why. Returns never."""
        while True:
            found = self._look()
            if isinstance(found, Failed | Ended):
                raise found.failure
            await self._next_change(found)

    def done(self, node: str | None) -> None:
        """The lab answers."""
        self._enter(Phase.READY, node)
        self.progress.tell(Phase.READY, "JupyterLab is ready.")

    def _look(self) -> Diagnosis | None:
        pod = self.watched.pod()
        if pod is None:
            if not self.seen:
                return None
            raise LabFailed("deleted", "The lab was deleted while it started.")
        self.seen = True
        return diagnose(pod, self.watched.events(), now=now(), settings=self.settings)

    def _tell(self, waiting: Waiting) -> None:
        node = waiting.node
        self._enter(waiting.phase, node)
        news = [line for line in waiting.details if line not in self.told]
        self.told.update(news)
        self.progress.tell(
            waiting.phase,
            waiting.message,
            fraction=waiting.fraction or 0.0,
            expected_seconds=self.history.expected(*self._keys(waiting.phase, node)),
            details=news,
        )

    def _enter(self, phase: Phase, node: str | None) -> None:
        if phase is self.phase:
            return
        moment = self.clock()
        if self.phase in (Phase.PULLING, Phase.STARTING):
            self.history.add(moment - self.since, *self._keys(self.phase, node))
        self.phase, self.since = phase, moment
        if phase is Phase.STARTING:
            expected = self.history.expected(*self._keys(phase, node))
            self.progress.tell(phase, "Starting JupyterLab.", expected_seconds=expected)

    def _keys(self, phase: Phase, node: str | None) -> tuple[str, ...]:
        general = f"{phase.value} {self.image}"
        return (f"{general} {node}", general) if node else (general,)

    async def _next_change(self, found: object) -> None:
        left = self.deadline - self.clock()
        if left <= 0:
            raise self._late(found)
        await self.watched.changed(min(left, _LOOK_AGAIN))

    def _late(self, found: object) -> LabFailed:
        last = self.progress.events[-1].message if self.progress.events else "It was queued."
        details = found.details if isinstance(found, Waiting) else ()
        return LabFailed(
            "timeout",
            f"The lab was not up within the time that a start may take. The last step: {last}",
            details=details,
        )


async def first_to_fail(alive: Any, work: Any) -> Any:
    """The result of ``work``, unless ``alive`` raises before; the other one is cancelled."""
    guard = asyncio.ensure_future(alive)
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({guard, task}, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            return task.result()
        guard.result()
        return await task
    finally:
        for each in (guard, task):
            if not each.done():
                each.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await each
