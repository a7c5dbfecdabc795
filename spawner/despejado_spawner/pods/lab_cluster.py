"""The cluster as one lab sees it: its pod in the shared watches, and calls about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.event_watch import LabEventReflector
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.cluster.lab_watch import LabWatch
from despejado_spawner.pods.cluster.watches import LabPodReflector, shared_reflector
from despejado_spawner.pods.models import Manifest
from despejado_spawner.progress import Phase, SpawnProgress

_PROCESS_BEGAN = datetime.now(UTC)
_PATIENCE_OF_A_START = 4
"""By how much longer than `k8s_api_request_retry_timeout` a start waits for the API server."""
_SWEEP_PAUSE = 15.0
"""Seconds between the two looks of a sweep; from a lab's objects to its pod it is less than one."""
_SWEPT: set[str] = set()
"""Namespaces in which this hub has removed what earlier hubs left."""


class LabCluster:
    """One lab's place in the cluster that its spawner is configured for.

    The watches are shared by all labs of a hub (``reflectors`` of the spawner's class). KubeSpawner
    has its own, which end for good after half a minute without an API server.
    """

    def __init__(self, spawner: Any) -> None:
        self._spawner = spawner
        self._sweeping: asyncio.Future[None] | None = None

    # Calls

    def api(
        self, deadline: Deadline | None = None, progress: SpawnProgress | None = None
    ) -> LabApi:
        """Calls to the cluster, with a limit on the time that they may take together.

        Those of a start, which has a ``progress``, are tried for longer, and that is said.
        """
        retry: float = self._spawner.k8s_api_request_retry_timeout
        deadline = deadline or Deadline.after(retry)
        trouble = None
        if progress is not None:
            retry *= _PATIENCE_OF_A_START
            trouble = partial(
                progress.tell,
                Phase.QUEUED,
                "The cluster does not answer at present. Your lab is asked for again and again.",
            )
        return LabApi(
            self._spawner.namespace,
            deadline=deadline,
            request_timeout=self._spawner.k8s_api_request_timeout,
            retry_timeout=retry,
            log=self._spawner.log,
            trouble=trouble,
        )

    # Watches

    async def start_watching(self) -> None:
        """Have the shared watches of the lab's namespace running.

        Raises
        ------
        SpawnerError
            If the cluster cannot be watched.
        """
        spawner = self._spawner
        if spawner.events_enabled:
            pods, events = await asyncio.gather(self._start_pods(), self._start_events())
            events.follow_pods(pods)
        else:
            await self._start_pods()
        if spawner.namespace not in _SWEPT:
            _SWEPT.add(spawner.namespace)
            self._sweeping = asyncio.ensure_future(self._sweep(spawner.namespace))

    async def _start_pods(self) -> LabPodReflector:
        # The label of KubeSpawner before 7, which later ones set as well.
        labels = {"component": self._spawner.component_label}
        make = partial(LabPodReflector, labels=labels, **self._where)
        return await shared_reflector(self._spawner.reflectors, self._key("pods"), make)

    async def _start_events(self) -> LabEventReflector:
        fields = {"involvedObject.kind": "Pod"}
        make = partial(LabEventReflector, fields=fields, **self._where)
        return await shared_reflector(self._spawner.reflectors, self._key("events"), make)

    @property
    def _where(self) -> dict[str, Any]:
        return {
            "parent": self._spawner,
            "namespace": self._spawner.namespace,
            "omit_namespace": self._spawner.enable_user_namespaces,
        }

    def _key(self, kind: str) -> tuple[str, str | None]:
        everywhere = self._spawner.enable_user_namespaces
        return kind, None if everywhere else self._spawner.namespace

    @property
    def _pods(self) -> LabPodReflector | None:
        found: LabPodReflector | None = self._spawner.reflectors.get(self._key("pods"))
        return found

    @property
    def _events(self) -> LabEventReflector | None:
        if not self._spawner.events_enabled:
            return None
        found: LabEventReflector | None = self._spawner.reflectors.get(self._key("events"))
        return found

    async def _sweep(self, namespace: str) -> None:
        """Remove what a hub that died had made for labs that never came."""
        log = self._spawner.log
        try:
            api = self.api(Deadline.after(60 + _SWEEP_PAUSE))
            for what in await api.sweep(_PROCESS_BEGAN, _SWEEP_PAUSE):
                log.info("Removed what was left of a start: %s", what)
        except SpawnerError as error:
            _SWEPT.discard(namespace)  # the next start tries again
            log.warning("What earlier hubs left was not removed: %s", error)

    # This lab

    def pod(self) -> Manifest | None:
        """The lab's pod as last seen; None without one, and before anything is watched."""
        pods = self._pods
        return None if pods is None else pods.pod(self._pod_key)

    def events(self, uid: str | None) -> Sequence[Manifest]:
        """The events of the lab's pod of that uid."""
        if self._events is None:
            return ()
        return self._events.events_of(self._spawner.namespace, self._spawner.pod_name, uid)

    def watch(self, created: Manifest | None = None) -> LabWatch:
        """The pod and its events, to wait for changes of; only while the watches run."""
        pods = self._pods
        assert pods is not None, "start_watching comes first"  # noqa: S101
        spawner = self._spawner
        return LabWatch(pods, self._events, spawner.namespace, spawner.pod_name, created)

    def on_change(self, told: Callable[[Any], None]) -> Callable[[], None] | None:
        """Call at each change of the pod; the result ends that. None while nothing is watched."""
        pods = self._pods
        return None if pods is None else pods.on_change(self._pod_key, told)

    @property
    def _pod_key(self) -> str:
        return f"{self._spawner.namespace}/{self._spawner.pod_name}"
