"""A lab that runs: found again, watched, told of when it ends, stopped, its secrets renewed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from despejado_images.errors import ImagesError
from jupyterhub.utils import maybe_future
from sqlalchemy.orm import object_session

from despejado_spawner.errors import LabFailed, SpawnerError
from despejado_spawner.options.menu import bigger_sizes
from despejado_spawner.pods.cluster.deadline import Deadline
from despejado_spawner.pods.cluster.event_watch import LabEventReflector
from despejado_spawner.pods.cluster.lab_api import LabApi
from despejado_spawner.pods.cluster.lab_watch import LabWatch
from despejado_spawner.pods.cluster.watches import LabPodReflector, shared_reflector
from despejado_spawner.pods.diagnosis.diagnose import Ended, Failed, Running, Settings, diagnose
from despejado_spawner.pods.diagnosis.pod_view import PodView
from despejado_spawner.pods.models import Manifest
from despejado_spawner.pods.names import START_LABEL, object_name
from despejado_spawner.pods.options import LabOptions
from despejado_spawner.pods.start import now
from despejado_spawner.progress import Phase, SpawnProgress
from despejado_spawner.reasons import failed

_STATE = "despejado"
_PROCESS_BEGAN = datetime.now(UTC)
_PATIENCE_OF_A_START = 4
"""By how much longer than `k8s_api_request_retry_timeout` a start waits for the API server."""
_SWEEP_PAUSE = 15.0
"""Seconds between the two looks of a sweep; from a lab's objects to its pod it is less than one."""


class LabLife(LabOptions):
    """What LabSpawner does with a pod that is there."""

    # One dictionary of our own: with KubeSpawner's, a hub that has both kinds of spawner would
    # hand each the other's watches.
    reflectors: dict[Any, Any] = {}  # noqa: RUF012
    _swept: set[str] = set()  # noqa: RUF012
    _sweeping: asyncio.Future[None] | None = None

    _started = False
    _started_here = False
    _last_end: dict[str, Any] | None = None
    _stopping = False
    _unwatch: Callable[[], None] | None = None
    _ending: asyncio.Future[Any] | None = None
    _renewing: asyncio.Task[None] | None = None

    @property
    def last_end(self) -> Mapping[str, Any] | None:
        """Why the last lab is not there any more: reason, message, advice, when, bigger_size.

        None after a stop that somebody asked for, and since the next start.
        """
        return self._last_end

    # Watches

    async def watch_namespace(self) -> None:
        """Have the shared watches of the lab's namespace running."""
        if self.events_enabled:
            await asyncio.gather(self._start_watching_pods(), self._start_watching_events())
            self.event_reflector.follow_pods(self.pod_reflector)
        else:
            await self._start_watching_pods()
        if self.namespace not in self._swept:
            self._swept.add(self.namespace)
            self._sweeping = asyncio.ensure_future(self._sweep())

    async def _sweep(self) -> None:
        """Remove what a hub that died had made for labs that never came."""
        try:
            api = self.lab_api(Deadline.after(60 + _SWEEP_PAUSE))
            for what in await api.sweep(_PROCESS_BEGAN, _SWEEP_PAUSE):
                self.log.info("Removed what was left of a start: %s", what)
        except SpawnerError as error:
            self._swept.discard(self.namespace)  # the next start tries again
            self.log.warning("What earlier hubs left was not removed: %s", error)

    async def _start_reflector(
        self, kind: str, reflector_class: Any, replace: bool = False, **kwargs: Any
    ) -> Any:
        """Our watches instead of KubeSpawner's, which end for good after half a minute."""
        ours = {"pods": LabPodReflector, "events": LabEventReflector}.get(kind)
        if ours is None:
            return await super()._start_reflector(kind, reflector_class, replace, **kwargs)
        make = partial(ours, parent=self, namespace=self.namespace, **kwargs)
        return await shared_reflector(
            self.reflectors, self._get_reflector_key(kind), make, replace=replace
        )

    def watch_lab(self, created: Manifest | None = None) -> LabWatch:
        """The lab's pod and events in the shared watches."""
        return LabWatch(
            self.pod_reflector, self.event_reflector, self.namespace, self.pod_name, created
        )

    def current_pod(self) -> Manifest | None:
        """The lab's pod as last seen."""
        reflector: LabPodReflector = self.pod_reflector
        return reflector.pod(f"{self.namespace}/{self.pod_name}")

    def lab_api(self, deadline: Deadline, progress: SpawnProgress | None = None) -> LabApi:
        """Calls to the cluster, with a limit on the time that they may take together.

        Those of a start, which has a ``progress``, are tried for longer, and that is said.
        """
        retry: float = self.k8s_api_request_retry_timeout
        trouble = None
        if progress is not None:
            retry *= _PATIENCE_OF_A_START
            trouble = partial(
                progress.tell,
                Phase.QUEUED,
                "The cluster does not answer at present. Your lab is asked for again and again.",
            )
        return LabApi(
            self.namespace,
            deadline=deadline,
            request_timeout=self.k8s_api_request_timeout,
            retry_timeout=retry,
            log=self.log,
            trouble=trouble,
        )

    def diagnosis_settings(self) -> Settings:
        """What the reading of pods and events needs to know of the site."""
        return Settings(
            autoscaler=self.autoscaler,
            image_retry_seconds=self.image_retry,
            bigger_size=self.bigger_size(),
            image_bytes=self._image_bytes(),
        )

    def _image_bytes(self) -> int | None:
        """The size of the chosen image as the registry has it, where that is known."""
        chosen = self.user_options.get("image") if isinstance(self.user_options, dict) else None
        if not self.has_menu or not isinstance(chosen, str):
            return None
        try:
            return self.offered_images.resolve(chosen).size_bytes
        except ImagesError:
            return None  # a lab of an image that is no longer on the menu

    @property
    def trouble(self) -> str | None:
        """What is wrong with the running lab that may mend itself: its machine does not answer."""
        if not self.ready or self.pod_reflector is None:
            return None
        pod = self.current_pod()
        if pod is None:
            return None
        found = diagnose(pod, (), now=now(), settings=self.diagnosis_settings())
        return found.warning if isinstance(found, Running) else None

    def bigger_size(self) -> str | None:
        """The next size with more memory than the lab has; None if it has the most."""
        sizes = self.lab_sizes()
        chosen = self.user_options.get("size") if isinstance(self.user_options, dict) else None
        current = next((size for size in sizes if size.name == chosen), None)
        if current is None:
            return None
        return next(iter(bigger_sizes(sizes, current)), None)

    # Polling

    async def poll_pod(self) -> int | None:
        """None while the pod starts or runs; else its exit code, 1 if there is none.

        How it ended is kept for the hub's pages, and what is left of it is removed.
        """
        pod = self.current_pod()
        if pod is None:
            if self._started and not self._stopping:
                self.note_end(failed("deleted", "Your lab was deleted in the cluster."))
            return 1
        ended = self._ended(pod)
        if ended is None:
            self._follow_pod(pod)
            return None
        self.note_end(ended)
        if self.delete_stopped_pods:
            await self.delete_pod(now=True)
        code = PodView(pod).exit_code
        return 1 if code is None else code

    def _ended(self, pod: Manifest) -> LabFailed | None:
        view = PodView(pod)
        if view.deleting and self._stopping:
            return None
        events = self._events(view)
        found = diagnose(pod, events, now=now(), settings=self.diagnosis_settings())
        return found.failure if isinstance(found, Ended | Failed) else None

    def _events(self, view: PodView) -> Any:
        reflector: LabEventReflector | None = self.event_reflector
        if reflector is None:
            return ()
        return reflector.events_of(self.namespace, self.pod_name, view.uid)

    def _follow_pod(self, pod: Manifest) -> None:
        """A pod may get another address, when its node came back, say."""
        if self.server and pod.get("status", {}).get("podIP"):
            self.follow_address(self._get_pod_url(pod))

    def follow_address(self, url: str) -> None:
        """Let the hub know where the lab is now."""
        found = urlsplit(url)
        port = found.port or (443 if found.scheme == "https" else 80)
        server = self.server
        if server is None or (server.ip, server.port) == (found.hostname, port):
            return
        self.log.warning("The lab of %s is at %s now", self._log_name, url)
        server.ip, server.port = found.hostname, port
        self._save()

    def start_polling(self) -> None:
        """Also listen to the watch, so that an end is noticed when it happens."""
        super().start_polling()
        self._stop_listening()
        reflector: LabPodReflector | None = self.pod_reflector
        if reflector is not None:
            key = f"{self.namespace}/{self.pod_name}"
            self._unwatch = reflector.on_change(key, self._pod_changed)
        if self.refresh_secrets_hook is not None and self.refresh_secrets_interval:
            self._renewing = asyncio.ensure_future(self._renew_secrets())

    def stop_polling(self) -> None:
        super().stop_polling()
        self._stop_listening()

    def _stop_listening(self) -> None:
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None

    def _pod_changed(self, change: Any) -> None:
        if self._stopping or (self._ending is not None and not self._ending.done()):
            return
        if change.type == "DELETED" or self._ended(change.object) is not None:
            self._ending = asyncio.ensure_future(self.poll_and_notify())

    # Stopping

    async def stop(self, now: bool = False) -> None:
        """Delete the pod, which owns all else of the lab, and wait until it is gone."""
        self._stop_listening()
        self._stopping = True
        try:
            await self.watch_namespace()
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
        grace = 0 if now else self.delete_grace_period
        api = self.lab_api(Deadline.after(self.k8s_api_request_retry_timeout))
        with self.watch_lab() as watch:
            if not await api.delete_pod(self.pod_name, grace) and self.current_pod() is None:
                return
            if await watch.until_gone(grace + self.stop_timeout):
                return
            self.log.warning("Pod %s does not go; deleting it by force", self.pod_name)
            api = self.lab_api(Deadline.after(self.k8s_api_request_retry_timeout))
            await api.delete_pod(self.pod_name, 0)
            if not await watch.until_gone(self.stop_timeout):
                raise failed(
                    "api", f"The lab's pod {self.namespace}/{self.pod_name} cannot be deleted."
                )

    # How it ended

    def note_end(self, error: SpawnerError) -> None:
        """Keep why the lab is not there any more, for the pages of the hub.

        The first reason counts: a pod that ended is deleted afterwards, by us.
        """
        if self._last_end is not None:
            return
        self.log.warning("Lab of %s ended: %s", self._log_name, error)
        bigger = self.bigger_size() if error.reason == "out_of_memory" else None
        self._last_end = {
            "reason": error.reason,
            "message": getattr(error, "message", str(error)),
            "advice": getattr(error, "advice", ""),
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "bigger_size": bigger,
        }

    def forget_end(self) -> None:
        """A new start: what ended the last lab is over."""
        self._last_end = None
        self._started = False

    def note_started(self) -> None:
        """The lab answered; from now on its end is an end and not a failed start."""
        self._started = self._started_here = True

    def unfinished(self, pod: Manifest) -> bool:
        """Whether this pod is one of ours that no hub has seen answering."""
        ours = START_LABEL in (pod["metadata"].get("labels") or {})
        return ours and not self._started and self._ended(pod) is None

    # State

    def get_state(self) -> dict[str, Any]:
        """KubeSpawner's state, and whether the lab was up, its home, and how the last one ended."""
        state: dict[str, Any] = super().get_state()
        state[_STATE] = {
            "started": self._started,
            "home": dict(self._known_home) if self._known_home else None,
        }
        if self._last_end is not None:
            state["last_end"] = self._last_end
        return state

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Also that of a stock KubeSpawner: its pods are found again and can be stopped."""
        super().load_state(state)
        own = state.get(_STATE) or {}
        self._started = bool(own.get("started", False))
        self._known_home = own.get("home")
        self._last_end = state.get("last_end")

    def clear_state(self) -> None:
        """Forget the pod; the home that is known and the last end stay."""
        super().clear_state()
        self._started = False
        self.secrets = {}
        if self.orm_spawner is not None:
            # JupyterHub does this at the begin of a start, before it commits: so most starts need
            # no commit of their own, which costs a busy hub more than a request to the cluster.
            self.orm_spawner.state = self.get_state()

    _known_home: Mapping[str, Any] | None = None

    def _remember_start(self) -> None:
        """Have the state written now: a hub that dies during the start must know the pod's name."""
        if self.orm_spawner is None:
            return
        state = self.get_state()
        if self.orm_spawner.state != state:
            self.orm_spawner.state = state
            self._save()

    def _save(self) -> None:
        session = object_session(self.orm_spawner)
        if session is not None:
            session.commit()

    # Secrets of a running lab

    async def _renew_secrets(self) -> None:
        interval = self.refresh_secrets_interval
        # A hub that has just come back does not know how old the secrets of its labs are; nor
        # shall it renew those of all labs in one moment.
        wait = interval if self._started_here else random.uniform(0, min(60, interval))  # noqa: S311
        while True:
            await asyncio.sleep(wait)
            wait = interval
            try:
                await self.renew_secrets()
            except SpawnerError as error:
                self.log.warning("Secrets of %s were not renewed: %s", self._log_name, error)

    async def renew_secrets(self) -> None:
        """Ask the hook for new values and put them into the lab's Secret.

        Raises
        ------
        LabFailed
            If the cluster refuses.
        """
        hook: Any = self.refresh_secrets_hook
        values = await maybe_future(hook(self))
        pod = self.current_pod()
        if not values or pod is None:
            return
        start_id = (pod["metadata"].get("labels") or {}).get(START_LABEL)
        if start_id is None:
            return
        api = self.lab_api(Deadline.after(self.k8s_api_request_retry_timeout))
        await api.patch_secret(object_name(self.pod_name, start_id), values)
        self.secrets.update(values)
