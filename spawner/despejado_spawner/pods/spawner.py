"""``LabSpawner``: labs as pods, for any JupyterHub that KubeSpawner serves.

How a lab starts: options and identity make a plan, the plan makes objects, the objects are created
in order, and the watches tell what becomes of the pod until its server answers. A hub that comes
back in the middle finds the pod and goes on.
"""

from __future__ import annotations

import asyncio
import secrets as random
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

from jupyterhub.utils import make_ssl_context, maybe_future
from kubespawner.objects import make_namespace

from despejado_spawner.errors import SpawnerError
from despejado_spawner.failures import spawn_failure
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.first_answer import answers
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.cluster.watches import NotWatching
from despejado_spawner.pods.creation import create_lab, gated
from despejado_spawner.pods.home_keeper import HomeKeeper
from despejado_spawner.pods.kubespawner.manifests import as_manifest
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.monitor import LabLife
from despejado_spawner.pods.names import DIGEST_ANNOTATION, START_LABEL, TAG_ANNOTATION
from despejado_spawner.pods.planner import LabPlanning, Planned
from despejado_spawner.pods.start import Start, first_to_fail
from despejado_spawner.progress import POD_SCALE, Phase, SpawnProgress

_MARGIN = 5.0
"""Seconds before JupyterHub's own limit at which a start ends itself, with a better message."""


class LabSpawner(LabLife, LabPlanning):
    """A KubeSpawner whose labs start at once, fail at once and say why.

    Configuration of KubeSpawner (``c.KubeSpawner...``) counts as it is. With an image menu
    (`images` or `image_repository`) options are typed and labs get the platform's files.
    """

    phases = tuple(phase.value for phase in POD_SCALE)
    """The phases of a start in their order, for the hub's pages."""

    _progress: SpawnProgress | None = None
    _starting = False

    def start(self) -> asyncio.Future[str]:
        """Start the lab; the result is its address, once it answers.

        Raises JupyterHub's ``SpawnException`` (5.5: ``HTTPError``) with what happened and what to
        do. Whatever ends it early, cancelling included, leaves nothing.
        """
        self._start_future = asyncio.ensure_future(self._start())
        return self._start_future

    async def _start(self) -> str:
        progress = self._progress
        if progress is None or not progress.unused:
            progress = self._progress = SpawnProgress(POD_SCALE)
        self._starting = True
        self.forget_end()
        deadline = Deadline.after(max(1.0, self.start_timeout - _MARGIN))
        start_id = random.token_hex(4)
        try:
            return await self._launch(progress, start_id, deadline)
        except SpawnerError as error:
            self.log.warning("Lab of %s not started: %s", self._log_name, error)
            await asyncio.shield(self._clear_away(start_id))
            raise spawn_failure(error) from error
        except (Exception, asyncio.CancelledError):
            await asyncio.shield(self._clear_away(start_id))
            raise
        finally:
            self._starting = False
            progress.close()

    async def _launch(self, progress: SpawnProgress, start_id: str, deadline: Deadline) -> str:
        progress.tell(Phase.QUEUED, "Your lab is being prepared.")
        await self.load_user_options()
        api = self.lab_api(deadline, progress)
        if self.enable_user_namespaces:
            await self._own_namespace(api)
        await self.watch_namespace()
        await self.ensure_own_claim()
        planned = await self.plan_start(start_id)
        pod = await create_lab(
            api, planned.dependents, planned.pod, lambda: self._end_earlier(api, progress)
        )
        self.pod_id = pod["metadata"]["uid"]
        self._remember_start()
        await self._extras_of_kubespawner(api, pod)
        return await self._follow(pod, planned, progress, deadline)

    async def _follow(
        self,
        pod: Manifest,
        planned: Planned | None,
        progress: SpawnProgress,
        deadline: Deadline,
    ) -> str:
        """From the created pod to a lab that answers; also where a new hub takes over."""
        with self.watch_lab(pod) as watch:
            start = Start(
                watched=watch,
                settings=self.diagnosis_settings(),
                progress=progress,
                history=self.start_history,
                image=_image_of(pod),
                deadline=deadline.at,
            )
            if gated(pod):
                keeper = HomeKeeper(
                    self.lab_api(deadline, progress), self.home_job(pod, planned), self.log
                )
                await first_to_fail(start.while_alive(), keeper.open_gate(pod, progress))
                self.note_home(pod)
            running = await start.until_running()
            found = watch.pod()
            url: str = self._get_pod_url(found)
            await self._answers(start, url, deadline)
            start.done(running.node)
        self.note_started()
        return url

    async def _answers(self, start: Start, url: str, deadline: Deadline) -> None:
        context: ssl.SSLContext | None = None
        if self.internal_ssl:
            context = self._hub_certificates()
            if context is None:
                return  # a hub that keeps its certificates elsewhere: it asks by itself
        address = f"{url}{self.server.base_url if self.server else '/'}api"
        limit = deadline.within(self.server_timeout)
        await first_to_fail(start.while_alive(), answers(address, deadline=limit, ssl=context))

    def _hub_certificates(self) -> ssl.SSLContext | None:
        """What JupyterHub's own check of a started server shows and trusts."""
        names = ("internal_ssl_key", "internal_ssl_cert", "internal_ssl_ca")
        found = [self.user.settings.get(name) for name in names]
        if not all(isinstance(each, str) and each for each in found):
            return None
        key, certificate, authority = found
        context: ssl.SSLContext = make_ssl_context(key, certificate, cafile=authority)
        return context

    async def _own_namespace(self, api: LabApi) -> None:
        """As KubeSpawner's `_ensure_namespace`, but tried again, and told where it is refused."""
        labels = self._expand_all(self.user_namespace_labels)
        annotations = self._expand_all(self.user_namespace_annotations)
        made = make_namespace(self.namespace, labels=labels, annotations=annotations)
        await api.ensure_namespace(as_manifest(made))

    async def _extras_of_kubespawner(self, api: LabApi, pod: Manifest) -> None:
        """What KubeSpawner makes when the pod is there."""
        await self._service(api, pod)
        if self.after_pod_created_hook:
            await maybe_future(self.after_pod_created_hook(self, pod))

    async def _service(self, api: LabApi, pod: Manifest) -> None:
        """The Service of this start, where labs have one; it may be there already."""
        if self.internal_ssl or self.services_enabled:
            await api.replace(self.lab_service(pod))

    async def _end_earlier(self, api: LabApi, progress: SpawnProgress) -> None:
        progress.tell(Phase.QUEUED, "An earlier lab of yours is still there; ending it first.")
        self.log.warning("Ending a pod %s that the hub did not know", self.pod_name)
        await self.delete_pod(now=True)

    async def _clear_away(self, start_id: str) -> None:
        """Remove what this start has made, whatever it was; the next one begins from nothing."""
        api = self.lab_api(Deadline.after(self.k8s_api_request_retry_timeout))
        try:
            await api.remove_start(start_id, self.job_namespace)
        except SpawnerError as error:
            self.log.warning("Left of the start %s of %s: %s", start_id, self._log_name, error)

    # A hub that comes back

    async def poll(self) -> int | None:
        """None while the lab runs or starts, else how it ended."""
        if self._starting:
            return None
        if not await self._can_see():
            return None
        pod = self.current_pod()
        if pod is not None and self._check_pending and self.unfinished(pod):
            failure = await self._take_over(pod)
            if failure is not None:
                return 1
        return await self.poll_pod()

    async def _can_see(self) -> bool:
        """Whether the watches tell what is there.

        A cluster that cannot be asked says nothing of a lab: JupyterHub would remove each that is
        called gone. A hub that has just started waits, as it does not know any of its labs yet.
        """
        while True:
            try:
                await self.watch_namespace()
            except NotWatching as error:
                self.log.warning("Nothing is known of the lab of %s: %s", self._log_name, error)
                if not self._check_pending:
                    return False
            except SpawnerError as error:
                self.log.warning("Nothing is known of the lab of %s: %s", self._log_name, error)
                return False
            else:
                return True

    async def _take_over(self, pod: Manifest) -> Exception | None:
        """Go on with the start that an earlier hub began.

        Meanwhile the hub's pages show it as any start: pending, with its progress.
        """
        self.log.info("Going on with the start of %s", self._log_name)
        self._progress = progress = SpawnProgress(POD_SCALE)
        progress.tell(Phase.QUEUED, "The hub was restarted; your lab goes on starting.")
        deadline = Deadline.after(max(1.0, self.start_timeout - _MARGIN))
        start_id = pod["metadata"]["labels"][START_LABEL]
        self._starting = self._spawn_pending = True
        task = asyncio.ensure_future(self._go_on(pod, progress, deadline))
        self._start_future = self._spawn_future = task
        try:
            await task
        except SpawnerError as error:
            self.log.warning("Lab of %s not started: %s", self._log_name, error)
            self.note_end(error)
            await asyncio.shield(self._clear_away(start_id))
            return error
        finally:
            self._starting = self._spawn_pending = False
            progress.close()
        return None

    async def _go_on(self, pod: Manifest, progress: SpawnProgress, deadline: Deadline) -> str:
        api = self.lab_api(deadline)
        await api.adopt_start(pod)
        await self._service(api, pod)
        url = await self._follow(pod, None, progress, deadline)
        self.follow_address(url)
        return url

    # Progress

    def clear_state(self) -> None:
        """JupyterHub does this before a start: who listens from then on hears of that start."""
        super().clear_state()
        self._progress = SpawnProgress(POD_SCALE)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The phases of the current start, from the first, for any number of listeners."""
        if self._progress is not None:
            async for event in self._progress.listen():
                yield event.to_json()


def _image_of(pod: Manifest) -> str:
    """What identifies the image in the history of durations."""
    notes: Mapping[str, str] = pod["metadata"].get("annotations") or {}
    known = notes.get(DIGEST_ANNOTATION) or notes.get(TAG_ANNOTATION)
    image: str = known or pod["spec"]["containers"][0]["image"]
    return image
