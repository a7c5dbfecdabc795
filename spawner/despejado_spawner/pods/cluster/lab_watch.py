"""The shared watches, as one spawner sees them: its pod, its pod's events, their changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from types import TracebackType

from despejado_spawner.pods.cluster.watches import LabEventReflector, LabPodReflector
from despejado_spawner.pods.models import Manifest


class LabWatch:
    """One pod in the shared watches; wakes for its changes and for those of its events.

    A context manager: outside of it nothing wakes. ``created`` is the pod as its creation was
    answered, which counts until the watch has seen it.
    """

    def __init__(
        self,
        pods: LabPodReflector,
        events: LabEventReflector | None,
        namespace: str,
        name: str,
        created: Manifest | None = None,
    ) -> None:
        self._pods = pods
        self._events = events
        self._namespace = namespace
        self._name = name
        self._key = f"{namespace}/{name}"
        self._created = created
        self._uid = created["metadata"]["uid"] if created else None
        self._changed = asyncio.Event()

    def __enter__(self) -> LabWatch:
        self._pods.changes.attach(self._key, self._changed)
        if self._events is not None:
            self._events.changes.attach(self._key, self._changed)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pods.changes.detach(self._key, self._changed)
        if self._events is not None:
            self._events.changes.detach(self._key, self._changed)

    def pod(self) -> Manifest | None:
        """The pod now; None before it is there and when it is gone."""
        pod: Manifest | None = self._pods.pods.get(self._key)
        if pod is None:
            return self._created
        uid = pod["metadata"]["uid"]
        if self._uid is None:
            self._uid = uid
        if uid != self._uid:
            return self._created  # an earlier pod of this name, on its way out
        self._created = None
        return pod

    def events(self) -> Sequence[Manifest]:
        """The events of this very pod."""
        if self._events is None:
            return ()
        return self._events.events_of(self._namespace, self._name, self._uid)

    async def changed(self, timeout: float) -> None:
        """Return at the next change, or after ``timeout`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._changed.wait()
        self._changed.clear()

    async def until_gone(self, timeout: float) -> bool:
        """Wait until no pod of this name is there; False if the time is over first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._key in self._pods.pods:
                    await self._changed.wait()
                    self._changed.clear()
        return self._key not in self._pods.pods
