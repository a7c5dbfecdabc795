"""The phases of a start in plain words: never backwards, the same for every listener."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Phase(StrEnum):
    """What a start is doing. A laptop and a cluster go through different ones."""

    QUEUED = "queued"
    ENVIRONMENT = "environment"
    HOME = "home"
    SCHEDULING = "scheduling"
    PULLING = "pulling"
    STARTING = "starting"
    READY = "ready"

    @property
    def step(self) -> str:
        """What the page of a start calls it."""
        return _WORDS[self][0]

    @property
    def waiting(self) -> str:
        """What a lab does that has come as far as this; a heading."""
        return _WORDS[self][1]


_WORDS: Mapping[Phase, tuple[str, str]] = MappingProxyType(
    {
        Phase.QUEUED: ("Accepted", "Held back"),
        Phase.ENVIRONMENT: ("Software environment", "The software is being prepared"),
        Phase.HOME: ("Home folder", "The home folder is being prepared"),
        Phase.SCHEDULING: ("A place in the cluster", "Waiting for a place"),
        Phase.PULLING: ("Software image", "Being set up on its machine"),
        Phase.STARTING: ("JupyterLab", "Starting"),
        Phase.READY: ("Ready", "Running"),
    }
)

Scale = Mapping[Phase, int]
"""Phases in their order, each with the percentage at which it begins."""

PROCESS_SCALE: Scale = MappingProxyType(
    {
        Phase.QUEUED: 2,
        Phase.ENVIRONMENT: 5,
        Phase.HOME: 70,
        Phase.STARTING: 75,
        Phase.READY: 95,
    }
)
POD_SCALE: Scale = MappingProxyType(
    {
        Phase.QUEUED: 2,
        Phase.HOME: 5,
        Phase.SCHEDULING: 10,
        Phase.PULLING: 20,
        Phase.STARTING: 70,
        Phase.READY: 95,
    }
)


@dataclass(frozen=True)
class ProgressEvent:
    """One line of the progress page.

    ``expected_seconds`` is how long the phase usually takes, ``elapsed`` when the line came, in
    seconds from the first one. ``details`` are what the system itself said, for those who want it.
    """

    progress: int
    phase: Phase
    message: str
    expected_seconds: float | None = None
    elapsed: float = field(default=0.0, compare=False)
    details: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What the progress page gets; what is not known has no key."""
        event: dict[str, Any] = {
            "progress": self.progress,
            "message": self.message,
            "phase": self.phase.value,
            "elapsed": round(self.elapsed, 1),
        }
        if self.expected_seconds is not None:
            event["expected_seconds"] = round(self.expected_seconds, 1)
        if self.details:
            event["details"] = list(self.details)
        return event


class SpawnProgress:
    """What has happened in one start, for any number of listeners, early or late."""

    def __init__(
        self, scale: Scale = PROCESS_SCALE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._order: Sequence[Phase] = tuple(scale)
        self._scale = scale
        self._clock = clock
        self._began = clock()
        self._events: list[ProgressEvent] = []
        self._closed = False
        self._news = asyncio.Event()

    @property
    def unused(self) -> bool:
        """Whether nothing was told yet and something may still be."""
        return not self._events and not self._closed

    @property
    def events(self) -> tuple[ProgressEvent, ...]:
        """What was told so far, the oldest first."""
        return tuple(self._events)

    @property
    def phase(self) -> Phase:
        """The phase that the start is in."""
        return self._events[-1].phase if self._events else self._order[0]

    def tell(
        self,
        phase: Phase,
        message: str,
        *,
        fraction: float = 0.0,
        expected_seconds: float | None = None,
        details: Sequence[str] = (),
    ) -> None:
        """Add an event; ``fraction`` (0 to 1) is how far inside the phase.

        What was said already at the same percentage is left out, and a percentage below the last
        one is raised to it.
        """
        percent = self._percent(phase, fraction)
        if self._events:
            last = self._events[-1]
            phase = max(phase, last.phase, key=self._order.index)
            percent = max(percent, last.progress)
            if (percent, message, tuple(details)) == (last.progress, last.message, last.details):
                return
        elapsed = self._clock() - self._began
        self._events.append(
            ProgressEvent(percent, phase, message, expected_seconds, elapsed, tuple(details))
        )
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

    def _percent(self, phase: Phase, fraction: float) -> int:
        begin = self._scale[phase]
        later = self._order[self._order.index(phase) + 1 :]
        end = self._scale[later[0]] if later else 100
        return int(begin + min(1.0, max(0.0, fraction)) * (end - 1 - begin))

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
