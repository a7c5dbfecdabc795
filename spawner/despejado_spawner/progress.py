"""The phases of a start in plain words: never backwards, the same for every listener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class Phase(IntEnum):
    """Phases in their order; the value is the percentage at which each begins."""

    QUEUED = 2
    ENVIRONMENT = 5
    HOME = 70
    STARTING = 75
    READY = 95

    @property
    def following(self) -> int:
        """The percentage at which the next phase begins."""
        later = [phase for phase in Phase if phase > self]
        return int(min(later)) if later else 100


@dataclass(frozen=True)
class ProgressEvent:
    """One line of the progress page. ``expected_seconds`` is how long the phase usually takes."""

    progress: int
    phase: Phase
    message: str
    expected_seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        event: dict[str, Any] = {
            "progress": self.progress,
            "message": self.message,
            "phase": self.phase.name.lower(),
        }
        if self.expected_seconds is not None:
            event["expected_seconds"] = round(self.expected_seconds, 1)
        return event


class SpawnProgress:
    """What has happened in one start, for any number of listeners, early or late."""

    def __init__(self) -> None:
        self._events: list[ProgressEvent] = []
        self._closed = False
        self._news = asyncio.Event()

    @property
    def events(self) -> tuple[ProgressEvent, ...]:
        return tuple(self._events)

    def tell(
        self,
        phase: Phase,
        message: str,
        *,
        fraction: float = 0.0,
        expected_seconds: float | None = None,
    ) -> None:
        """Add an event; ``fraction`` (0 to 1) is how far inside the phase.

        A repeated message at the same percentage is left out, and a percentage below the last
        one is raised to it.
        """
        share = min(1.0, max(0.0, fraction))
        percent = int(phase + share * (phase.following - 1 - phase))
        if self._events:
            last = self._events[-1]
            phase = max(phase, last.phase)
            percent = max(percent, last.progress)
            if (percent, message) == (last.progress, last.message):
                return
        self._events.append(ProgressEvent(percent, phase, message, expected_seconds))
        self._wake()

    def close(self) -> None:
        """No more events: listeners end after the last one."""
        self._closed = True
        self._wake()

    async def listen(self) -> AsyncIterator[ProgressEvent]:
        """All events from the first on, then each as it comes, until closed."""
        seen = 0
        while True:
            news = self._news
            while seen < len(self._events):
                yield self._events[seen]
                seen += 1
            if self._closed:
                return
            if seen == len(self._events):
                await news.wait()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
