"""Who waits for the changes of which object: subscriptions that hold the newest state, no queue."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Literal, TypeVar

from despejado_spawner.pods.models import Manifest

State = TypeVar("State")
ChangeType = Literal["ADDED", "MODIFIED", "DELETED"]


@dataclass(frozen=True)
class Change:
    """One change of one object; ``object`` is its state after it, for DELETED its last one."""

    type: ChangeType
    key: str
    object: Manifest = field(repr=False)


Callback = Callable[[Change], None]


class Changes:
    """Wakes and calls those who wait for an object, which a key (``namespace/name``) names."""

    def __init__(self) -> None:
        self._wakers: defaultdict[str, list[asyncio.Event]] = defaultdict(list)
        self._callbacks: defaultdict[str, list[Callback]] = defaultdict(list)
        self.closed = False

    def tell(self, change: Change) -> None:
        """Call the callbacks of an object, then wake its waiters.

        Callbacks run in the event loop's next turn, each on its own: what one of them raises is
        reported by the loop and stops neither the others nor the watch.
        """
        callbacks = self._callbacks.get(change.key)
        if callbacks:
            loop = asyncio.get_running_loop()
            for callback in callbacks:
                loop.call_soon(callback, change)
        self.wake(change.key)

    def wake(self, key: str) -> None:
        """Wake the waiters of an object."""
        for waker in self._wakers.get(key, ()):
            waker.set()

    def attach(self, key: str, waker: asyncio.Event) -> None:
        """Set ``waker`` at each change of an object from now on."""
        self._wakers[key].append(waker)

    def detach(self, key: str, waker: asyncio.Event) -> None:
        """Undo :meth:`attach`."""
        self._wakers[key].remove(waker)
        if not self._wakers[key]:
            del self._wakers[key]

    def on_change(self, key: str, callback: Callback) -> Callable[[], None]:
        """Call ``callback`` at each change of an object; returns what undoes that."""
        self._callbacks[key].append(callback)

        def remove() -> None:
            callbacks = self._callbacks.get(key, [])
            if callback in callbacks:
                callbacks.remove(callback)
            if not callbacks:
                self._callbacks.pop(key, None)

        return remove

    def close(self) -> None:
        """Nothing will change any more: iterations end."""
        self.closed = True
        for key in list(self._wakers):
            self.wake(key)

    @property
    def waiting(self) -> int:
        """How many wait or are to be called; none is left behind when labs come and go."""
        wakers = sum(map(len, self._wakers.values()))
        return wakers + sum(map(len, self._callbacks.values()))


class Subscription(Generic[State]):
    """The states of one object, newest only: an async context manager and iterator.

    The first state comes at once, each other after a change. A reader that is slower than the
    changes misses states between, never the last one.
    """

    def __init__(self, changes: Changes, key: str, read: Callable[[], State]) -> None:
        self._changes = changes
        self._key = key
        self._read = read
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Subscription[State]:
        self._changed.set()
        self._changes.attach(self._key, self._changed)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._changes.detach(self._key, self._changed)

    def __aiter__(self) -> Subscription[State]:
        return self

    async def __anext__(self) -> State:
        await self._changed.wait()
        if self._changes.closed:
            raise StopAsyncIteration
        self._changed.clear()
        return self._read()
