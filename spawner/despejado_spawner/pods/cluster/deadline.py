"""How much time an operation has left, carried as one value through all layers."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock. ``Deadline.never()`` is infinitely far away."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The moment ``seconds`` from now."""
        return cls(time.monotonic() + seconds)

    @classmethod
    def never(cls) -> Deadline:
        """No limit."""
        return cls(math.inf)

    def within(self, seconds: float) -> Deadline:
        """The earlier of this moment and ``seconds`` from now: a part of the whole."""
        return Deadline(min(self.at, time.monotonic() + seconds))

    def later(self, seconds: float) -> Deadline:
        """The moment put off by ``seconds`` that did not count."""
        return Deadline(self.at + seconds)

    @property
    def left(self) -> float:
        """Seconds until then, never below 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.left <= 0

    @property
    def timeout(self) -> float | None:
        """For ``asyncio.timeout``: seconds left, None where there is no limit."""
        return None if math.isinf(self.at) else self.left
