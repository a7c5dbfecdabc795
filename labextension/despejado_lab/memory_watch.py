"""Which programs of a lab were stopped because its memory was used up.

The control group only counts; who it was, is known of kernels, whose death the server notices.
What nobody accounts for was some other program: a terminal's, or a child of a kernel.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from despejado_lab.cgroup import Memory

CLAIM_SECONDS = 5.0
"""How long a kernel may take to be noticed as dead: the server looks every three seconds."""
_KEPT = 20


@dataclass(frozen=True)
class Stop:
    """A program that was stopped: a kernel with its document, if it has one, or another one.

    ``limit`` is the lab's limit in bytes; without one, the machine's memory was used up.
    """

    kernel: str | None
    document: str | None
    limit: int | None
    when: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def as_json(self) -> dict[str, object]:
        """The entry of ``stops`` in the answer of the memory route."""
        return asdict(self)


@dataclass(frozen=True)
class _Unclaimed:
    """The count when it was seen to have risen, and when that was."""

    kills: int
    limit: int | None
    since: float


class MemoryWatch:
    """Compares what the control group counts with what it has told.

    Parameters
    ----------
    before
        The reading at the start of the server, None where there is nothing to read.
    tell
        Called with each stop, when it is known.
    """

    def __init__(
        self,
        before: Memory | None,
        tell: Callable[[Stop], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._told = before.kills if before else 0
        self._tell = tell
        self._clock = clock
        self._stops: deque[Stop] = deque(maxlen=_KEPT)
        self._open: _Unclaimed | None = None

    @property
    def stops(self) -> tuple[Stop, ...]:
        """The last stops, the oldest first."""
        return tuple(self._stops)

    def kernel_died(self, memory: Memory | None, kernel: str, document: str | None) -> None:
        """A kernel has ended by itself: because of memory, if the count has just risen."""
        self._settle()
        if memory is None or memory.kills <= self._told:
            return
        self._told += 1
        # A kernel's children may have been stopped with it.
        self._open = self._unclaimed(memory)
        self._stopped(kernel, document, memory.limit)

    def looked(self, memory: Memory | None) -> None:
        """Somebody looks: what no kernel's death has explained for a while was another program."""
        self._settle()
        if memory is not None and self._open is None:
            self._open = self._unclaimed(memory)

    def _unclaimed(self, memory: Memory) -> _Unclaimed | None:
        if memory.kills <= self._told:
            return None
        return _Unclaimed(memory.kills, memory.limit, self._clock())

    def _settle(self) -> None:
        found = self._open
        if found is None or self._clock() - found.since < CLAIM_SECONDS:
            return
        self._open = None
        self._told = found.kills
        self._stopped(None, None, found.limit)

    def _stopped(self, kernel: str | None, document: str | None, limit: int | None) -> None:
        stop = Stop(kernel, document, limit, datetime.now(UTC).isoformat(timespec="seconds"))
        self._stops.append(stop)
        self._tell(stop)
