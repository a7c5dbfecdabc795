"""How a lab starts, and how a hub that comes back goes on with a start.

Options and identity make a plan, the plan makes objects, the objects are created in order, and the
watches tell what becomes of the pod until its server answers.
"""

from __future__ import annotations

import asyncio
import secrets as random
import ssl
from collections.abc import Mapping
from typing import Any, Protocol

from despejado_spawner.errors import SpawnerError
from despejado_spawner.failures import spawn_failure
from despejado_spawner.history import shared_history
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.first_answer import answers
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.creation import create_lab, gated
from despejado_spawner.pods.home_keeper import HomeKeeper
from despejado_spawner.pods.homes import LabHomes
from despejado_spawner.pods.kubespawner.stock import Stock
from despejado_spawner.pods.lab_cluster import LabCluster
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.monitor import LabMonitor
from despejado_spawner.pods.names import DIGEST_ANNOTATION, START_LABEL, TAG_ANNOTATION
from despejado_spawner.pods.options import PodOptions
from despejado_spawner.pods.planner import Planner
from despejado_spawner.pods.start import Start, first_to_fail
from despejado_spawner.progress import POD_SCALE, Phase, SpawnProgress

_MARGIN = 5.0
"""Seconds before JupyterHub's own limit at which a start ends itself, with a better message."""


class StartedLab(Protocol):
    """What of a spawner is about a start."""

    log: Any
    server: Any
    internal_ssl: bool
    start_timeout: int
    server_timeout: float
    history_path: str
    pod_id: str | None


class LabStarter:
    """Runs one start at a time, with its progress for any number of listeners.

    ``here`` says that this very hub has started the lab that is there.
    """

    def __init__(
        self,
        lab: StartedLab,
        stock: Stock,
        cluster: LabCluster,
        options: PodOptions,
        planner: Planner,
        homes: LabHomes,
        monitor: LabMonitor,
    ) -> None:
        self._lab = lab
        self._stock = stock
        self._cluster = cluster
        self._options = options
        self._planner = planner
        self._homes = homes
        self._monitor = monitor
        self.progress: SpawnProgress | None = None
        self.starting = False
        self.here = False

    def expect(self) -> None:
        """A start is about to come: who listens from now on hears of that one."""
        self.progress = SpawnProgress(POD_SCALE)

    async def start(self) -> str:
        """Start the lab; the result is its address, once it answers.

        Whatever ends it early, cancelling included, leaves nothing. Raises JupyterHub's exception.
        """
        if self.progress is None or not self.progress.unused:
            self.expect()
        progress = self._begun()
        self._monitor.forget_end()
        start_id = random.token_hex(4)
        try:
            return await self._launch(progress, start_id, self._deadline())
        except SpawnerError as error:
            self._lab.log.warning("Lab of %s not started: %s", self._stock.log_name, error)
            await asyncio.shield(self._clear_away(start_id))
            raise spawn_failure(error) from error
        except (Exception, asyncio.CancelledError):
            await asyncio.shield(self._clear_away(start_id))
            raise
        finally:
            self.starting = False
            progress.close()

    async def poll(self) -> int | None:
        """None while the lab runs or starts, else how it ended.

        A hub that has just started goes on with a start that an earlier one began.
        """
        if self.starting or not await self._monitor.visible():
            return None
        pod = self._cluster.pod()
        begun = pod is not None and self._stock.unchecked and self._monitor.unfinished(pod)
        if pod is not None and begun and not await self._take_over(pod):
            return 1
        return await self._monitor.poll()

    def _begun(self) -> SpawnProgress:
        assert self.progress is not None  # noqa: S101 (`expect` came before)
        self.starting = True
        return self.progress

    def _deadline(self) -> Deadline:
        return Deadline.after(max(1.0, self._lab.start_timeout - _MARGIN))

    async def _launch(self, progress: SpawnProgress, start_id: str, deadline: Deadline) -> str:
        progress.tell(Phase.QUEUED, "Your lab is being prepared.")
        await self._options.load()
        api = self._cluster.api(deadline, progress)
        await self._stock.ensure_namespace(api)
        await self._cluster.start_watching()
        await self._stock.ensure_own_claim(self._cluster.api())
        planned = await self._planner.plan(start_id)
        for warning in planned.warnings:
            self._lab.log.warning("Lab of %s: %s", self._stock.log_name, warning)
        pod = await create_lab(
            api, planned.dependents, planned.pod, lambda: self._end_earlier(progress)
        )
        self._lab.pod_id = pod["metadata"]["uid"]
        # A hub that dies during the start must know the pod's name.
        self._stock.save_state()
        await self._stock.ensure_service(api, pod)
        await self._stock.after_pod_created(pod)
        return await self._follow(pod, progress, deadline)

    async def _follow(self, pod: Manifest, progress: SpawnProgress, deadline: Deadline) -> str:
        """From the created pod to a lab that answers; also where a new hub takes over."""
        with self._cluster.watch(pod) as watch:
            start = Start(
                watched=watch,
                settings=self._monitor.settings(),
                progress=progress,
                history=shared_history(self._lab.history_path),
                image=_image_of(pod),
                deadline=deadline.at,
            )
            if gated(pod):
                api = self._cluster.api(deadline, progress)
                keeper = HomeKeeper(api, self._homes.job(pod), self._lab.log)
                await first_to_fail(start.while_alive(), keeper.open_gate(pod, progress))
                self._homes.note(pod)
            running = await start.until_running()
            found = watch.pod()
            assert found is not None  # noqa: S101 (a pod that goes ends `until_running`)
            url = self._stock.url(found)
            await self._answers(start, url, deadline)
            start.done(running.node)
        self._monitor.started = self.here = True
        return url

    async def _answers(self, start: Start, url: str, deadline: Deadline) -> None:
        context: ssl.SSLContext | None = None
        if self._lab.internal_ssl:
            context = self._stock.certificates_of_the_hub()
            if context is None:
                return  # a hub that keeps its certificates elsewhere: it asks by itself
        server = self._lab.server
        address = f"{url}{server.base_url if server else '/'}api"
        limit = deadline.within(self._lab.server_timeout)
        await first_to_fail(start.while_alive(), answers(address, deadline=limit, ssl=context))

    async def _end_earlier(self, progress: SpawnProgress) -> None:
        progress.tell(Phase.QUEUED, "An earlier lab of yours is still there; ending it first.")
        self._lab.log.warning("Ending a pod of %s that the hub did not know", self._stock.log_name)
        await self._monitor.delete_pod(now=True)

    async def _clear_away(self, start_id: str) -> None:
        """Remove what this start has made, whatever it was; the next one begins from nothing."""
        try:
            await self._cluster.api().remove_start(start_id, self._homes.job_namespace)
        except SpawnerError as error:
            name = self._stock.log_name
            self._lab.log.warning("Left of the start %s of %s: %s", start_id, name, error)

    # A hub that comes back

    async def _take_over(self, pod: Manifest) -> bool:
        """Go on with the start that an earlier hub began; False if it fails.

        Meanwhile the hub's pages show it as any start: pending, with its progress.
        """
        name = self._stock.log_name
        self._lab.log.info("Going on with the start of %s", name)
        self.expect()
        progress = self._begun()
        progress.tell(Phase.QUEUED, "The hub was restarted; your lab goes on starting.")
        task = asyncio.ensure_future(self._go_on(pod, progress, self._deadline()))
        try:
            with self._stock.shown_as_starting(task):
                await task
        except SpawnerError as error:
            self._lab.log.warning("Lab of %s not started: %s", name, error)
            self._monitor.note_end(error)
            await asyncio.shield(self._clear_away(pod["metadata"]["labels"][START_LABEL]))
            return False
        finally:
            self.starting = False
            progress.close()
        return True

    async def _go_on(self, pod: Manifest, progress: SpawnProgress, deadline: Deadline) -> str:
        api: LabApi = self._cluster.api(deadline)
        await api.adopt_start(pod)
        await self._stock.ensure_service(api, pod)
        url = await self._follow(pod, progress, deadline)
        self._monitor.follow_address(url)
        return url


def _image_of(pod: Manifest) -> str:
    """What identifies the image in the history of durations."""
    notes: Mapping[str, str] = pod["metadata"].get("annotations") or {}
    known = notes.get(DIGEST_ANNOTATION) or notes.get(TAG_ANNOTATION)
    image: str = known or pod["spec"]["containers"][0]["image"]
    return image
