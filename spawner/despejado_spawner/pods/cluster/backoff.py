"""Pauses between attempts: they double up to a limit, with jitter so that callers spread out."""

from __future__ import annotations

import random


class Backoff:
    """The next pause at each call; ``reset`` after a success.

    A pause lies between half of its nominal length and all of it.
    """

    def __init__(self, first: float, limit: float) -> None:
        self._first = first
        self._limit = limit
        self._nominal = first

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._nominal = self._first

    def next(self) -> float:
        """Seconds to wait before the next attempt."""
        nominal = self._nominal
        self._nominal = min(self._limit, nominal * 2)
        return random.uniform(nominal / 2, nominal)  # noqa: S311  (spreads load, guards nothing)
