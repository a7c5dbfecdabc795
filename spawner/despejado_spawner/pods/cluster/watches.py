"""The shared watches of labs: pods, their events, and one of each for a namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, MutableMapping
from functools import partial
from typing import Any, TypeVar

from kubespawner.spawner import PodReflector

from despejado_spawner.pods.cluster.event_watch import LabEventReflector
from despejado_spawner.pods.cluster.reflector import LabReflector, NotWatching
from despejado_spawner.pods.cluster.subscriptions import Subscription
from despejado_spawner.pods.models import Manifest

__all__ = [
    "LabEventReflector",
    "LabPodReflector",
    "LabReflector",
    "NotWatching",
    "shared_reflector",
]


class LabPodReflector(LabReflector, PodReflector):
    """The pods of all labs (``pods``), whose changes can be waited for."""

    def subscribe(self, key: str) -> Subscription[Manifest | None]:
        """The states of the pod ``namespace/name``, newest only; None while there is none.

        Between two states the pod may have been deleted and made anew: compare the uid.
        """
        return Subscription(self.changes, key, partial(self.pod, key))

    def pod(self, key: str) -> Manifest | None:
        """The pod ``namespace/name`` as last seen."""
        found: Manifest | None = self.resources.get(key)
        return found

    async def wait_for(
        self, key: str, predicate: Callable[[Manifest | None], bool], timeout: float | None
    ) -> Manifest | None:
        """The first state of the pod that ``predicate`` holds for; it may be the present one.

        Raises
        ------
        TimeoutError
            If there is none in ``timeout`` seconds.
        NotWatching
            If the watch is stopped.
        """
        async with asyncio.timeout(timeout), self.subscribe(key) as states:
            async for state in states:
                if predicate(state):
                    return state
        raise NotWatching(f"The watch of {self.where} stopped.")


Reflector = TypeVar("Reflector", bound=LabReflector)


async def shared_reflector(
    reflectors: MutableMapping[Hashable, Any],
    key: Hashable,
    make: Callable[[], Reflector],
    *,
    replace: bool = False,
) -> Reflector:
    """The reflector of a key, watching and loaded: made, or restarted where its watch is dead.

    For ``KubeSpawner._start_reflector``, which hands out a reflector for ever, whether it watches
    or not (jupyterhub/kubespawner#938). ``replace`` lists anew; who waits for the reflector's
    objects goes on waiting, as it stays the same reflector.

    Raises as :meth:`LabReflector.start`.
    """
    reflector: Reflector | None = reflectors.get(key)
    loop = asyncio.get_running_loop()
    if reflector is None or reflector.first_load_future.get_loop() is not loop:
        reflector = reflectors[key] = make()
    if replace or not reflector.watching:
        await reflector.restart()
    else:
        await reflector.loaded()
    return reflector
