"""A lab that is there: found again, watched, told of when it ends, stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from despejado_spawner.errors import LabFailed, SpawnerError
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.watches import NotWatching
from despejado_spawner.pods.diagnosis.diagnose import (
    Diagnosis,
    Ended,
    Failed,
    Running,
    Settings,
    diagnose,
)
from despejado_spawner.pods.diagnosis.pod_view import PodView
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import START_LABEL
from despejado_spawner.pods.start import now


class Gone(Protocol):
    """Waits for the end of a pod; a context manager around the waiting."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: Any) -> None: ...


class PodCalls(Protocol):
    """The one call that a monitor makes."""

    async def delete_pod(self, name: str, grace: int | None = None) -> bool:
        """Delete a pod; False if it is not there. ``grace`` is in seconds.

        Raises
        ------
        SpawnerError
            If the cluster refuses.
        """
        ...


class MonitoredCluster(Protocol):
    """The lab's pod (:class:`~despejado_spawner.pods.lab_cluster.LabCluster`)."""

    def pod(self) -> Manifest | None:
        """The lab's pod as last seen; None without one."""
        ...

    def events(self, uid: str | None) -> Sequence[Manifest]:
        """The events of the lab's pod of that uid."""
        ...

    def watch(self) -> Gone:
        """The pod, to wait for its end; only after `start_watching`."""
        ...

    def api(self, deadline: Deadline | None = None) -> PodCalls:
        """Calls to the cluster that together end at the deadline."""
        ...

    def on_change(self, told: Callable[[Any], None]) -> Callable[[], None] | None:
        """Call ``told`` at each change of the pod; what is returned ends that.

        None while nothing is watched.
        """
        ...

    async def start_watching(self) -> None:
        """Have the watches running.

        Raises
        ------
        SpawnerError
            If the cluster cannot be watched.
        """
        ...


class MonitoredLab(Protocol):
    """What of a spawner is about a lab that is there."""

    log: Any
    server: Any
    namespace: str
    pod_name: str
    delete_grace_period: int
    delete_stopped_pods: bool
    stop_timeout: float


class HubSide(Protocol):
    """The hub of a lab (:class:`~despejado_spawner.pods.kubespawner.stock.Stock`)."""

    @property
    def log_name(self) -> str:
        """The server in a log: its user's name and its own."""
        ...

    @property
    def unchecked(self) -> bool:
        """Whether a hub that has just started asks for the first time."""
        ...

    def url(self, pod: Manifest) -> str:
        """Where the server of a running pod is."""
        ...

    def save(self) -> None:
        """Have what has changed of the server's records written now."""
        ...


class LabMonitor:
    """Knows whether the lab is up and why it is not.

    Parameters
    ----------
    lab, cluster, hub
        The spawner's settings, its pod in the cluster, and its hub.
    settings
        What the reading of pods and events needs to know of site and choice.
    end
        Tells the hub that the lab has ended (JupyterHub's ``poll_and_notify``).
    """

    def __init__(
        self,
        lab: MonitoredLab,
        cluster: MonitoredCluster,
        hub: HubSide,
        settings: Callable[[], Settings],
        end: Callable[[], Awaitable[Any]],
    ) -> None:
        self._lab = lab
        self._cluster = cluster
        self._hub = hub
        self.settings = settings
        self._end = end
        self.started = False
        """Whether the lab has answered: from then on its end is an end and no failed start."""
        self.last_end: dict[str, Any] | None = None
        self._stopping = False
        self._unwatch: Callable[[], None] | None = None
        self._ending: asyncio.Future[Any] | None = None

    # Polling

    async def visible(self) -> bool:
        """Whether the watches tell what is there.

        A cluster that cannot be asked says nothing of a lab: JupyterHub would remove each that is
        called gone. A hub that has just started waits, as it does not know any of its labs yet.
        """
        log, name = self._lab.log, self._hub.log_name
        while True:
            try:
                await self._cluster.start_watching()
            except NotWatching as error:
                log.warning("Nothing is known of the lab of %s: %s", name, error)
                if not self._hub.unchecked:
                    return False
            except SpawnerError as error:
                log.warning("Nothing is known of the lab of %s: %s", name, error)
                return False
            else:
                return True

    async def poll(self) -> int | None:
        """None while the pod starts or runs; else its exit code, 1 if there is none.

        How it ended is kept for the hub's pages, and what is left of it is removed.
        """
        pod = self._cluster.pod()
        if pod is None:
            if self.started and not self._stopping:
                self.note_end(LabFailed("deleted", "Your lab was deleted in the cluster."))
            return 1
        ended = self.ended(pod)
        if ended is None:
            self._follow_pod(pod)
            return None
        self.note_end(ended)
        if self._lab.delete_stopped_pods:
            await self.delete_pod(now=True)
        code = PodView(pod).exit_code
        return 1 if code is None else code

    def ended(self, pod: Manifest) -> LabFailed | None:
        """Why this pod is no lab any more, or never becomes one; None while it may."""
        view = PodView(pod)
        if view.deleting and self._stopping:
            return None
        found = self._diagnosis(pod, self._cluster.events(view.uid))
        return found.failure if isinstance(found, Ended | Failed) else None

    @property
    def trouble(self) -> str | None:
        """What is wrong with the running lab that may mend itself: its machine does not answer."""
        pod = self._cluster.pod()
        found = None if pod is None else self._diagnosis(pod, ())
        return found.warning if isinstance(found, Running) else None

    def unfinished(self, pod: Manifest) -> bool:
        """Whether this pod is one of ours that no hub has seen answering."""
        ours = START_LABEL in (pod["metadata"].get("labels") or {})
        return ours and not self.started and self.ended(pod) is None

    def _diagnosis(self, pod: Manifest, events: Sequence[Manifest]) -> Diagnosis:
        return diagnose(pod, events, now=now(), settings=self.settings())

    def _follow_pod(self, pod: Manifest) -> None:
        """A pod may get another address, when its node came back, say."""
        if self._lab.server and pod.get("status", {}).get("podIP"):
            self.follow_address(self._hub.url(pod))

    def follow_address(self, url: str) -> None:
        """Let the hub know where the lab is now."""
        found = urlsplit(url)
        port = found.port or (443 if found.scheme == "https" else 80)
        server = self._lab.server
        if server is None or (server.ip, server.port) == (found.hostname, port):
            return
        self._lab.log.warning("The lab of %s is at %s now", self._hub.log_name, url)
        server.ip, server.port = found.hostname, port
        self._hub.save()

    # Listening

    def listen(self) -> None:
        """Have the hub told of an end when it happens, not when it next asks."""
        self.stop_listening()
        self._unwatch = self._cluster.on_change(self._pod_changed)

    def stop_listening(self) -> None:
        """From now on the hub asks."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None

    def _pod_changed(self, change: Any) -> None:
        if self._stopping or (self._ending is not None and not self._ending.done()):
            return
        if change.type == "DELETED" or self.ended(change.object) is not None:
            self._ending = asyncio.ensure_future(self._end())

    # Stopping

    async def stop(self, *, now: bool) -> None:
        """Delete the pod, which owns all else of the lab, and wait until it is gone."""
        self.stop_listening()
        self._stopping = True
        try:
            await self._cluster.start_watching()
            await self.delete_pod(now=now)
        finally:
            self._stopping = False

    async def delete_pod(self, *, now: bool) -> None:
        """Delete the pod; one whose node does not answer is taken out of the API by force.

        Raises
        ------
        LabFailed
            If the cluster does not do it.
        """
        lab, cluster = self._lab, self._cluster
        grace = 0 if now else lab.delete_grace_period
        with cluster.watch() as watch:
            there = await cluster.api().delete_pod(lab.pod_name, grace)
            if not there and cluster.pod() is None:
                return
            if await watch.until_gone(grace + lab.stop_timeout):
                return
            lab.log.warning("Pod %s does not go; deleting it by force", lab.pod_name)
            await cluster.api().delete_pod(lab.pod_name, 0)
            if not await watch.until_gone(lab.stop_timeout):
                where = f"{lab.namespace}/{lab.pod_name}"
                raise LabFailed("api", f"The lab's pod {where} cannot be deleted.")

    # How it ended

    def note_end(self, error: SpawnerError) -> None:
        """Keep why the lab is not there any more, for the pages of the hub.

        The first reason counts: a pod that ended is deleted afterwards, by us.
        """
        if self.last_end is not None:
            return
        self._lab.log.warning("Lab of %s ended: %s", self._hub.log_name, error)
        bigger = self.settings().bigger_size if error.reason == "out_of_memory" else None
        self.last_end = {
            "reason": error.reason,
            "message": error.message,
            "advice": error.advice,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "bigger_size": bigger,
        }

    def forget_end(self) -> None:
        """A new start: what ended the last lab is over."""
        self.last_end = None
        self.started = False

    # State

    def load(self, started: bool, last_end: Mapping[str, Any] | None) -> None:
        """Go on with what an earlier hub has saved."""
        self.started = started
        self.last_end = None if last_end is None else dict(last_end)
