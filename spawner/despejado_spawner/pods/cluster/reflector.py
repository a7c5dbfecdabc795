"""A copy of objects of the cluster, kept up to date by one watch for all users.

KubeSpawner's reflectors list everything every ten to thirty seconds, end for good after thirty
seconds without the API server and tell nobody what changed. These have the same face
(``resources``, ``pods``, ``first_load_future``, ``start``, ``stop``), so that inherited code goes
on working, and never end.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
from kubespawner.reflector import ResourceReflector
from traitlets import Float, Int

from despejado_spawner.errors import SpawnerError
from despejado_spawner.pods.cluster.backoff import Backoff
from despejado_spawner.pods.cluster.stream import GONE, ApiStatus, list_pages, watch_lines
from despejado_spawner.pods.cluster.subscriptions import Callback, Change, Changes
from despejado_spawner.pods.models import Manifest

STEADY = 1.0
"""Seconds without trouble after which a watch counts as working."""
BUSY = frozenset({429, 500, 502, 503})
"""Answers of a server in trouble: what the watch knows of the cluster is still good."""
REFUSED = frozenset({400, 401, 403, 404})
"""Answers to a first list that no retry will change."""
TRANSPORT = (aiohttp.ClientError, OSError, TimeoutError)
EXPECTED = (*TRANSPORT, ApiStatus, ValueError)


class NotWatching(SpawnerError):
    """The watch ended (the hub is stopping) or its first list did not come in time."""

    reason = "api"


@dataclass
class Outage:
    """A time without a watch: when it began (monotonic), why, and how often it was tried."""

    since: float
    cause: str
    attempts: int = 1


def object_key(item: Manifest) -> str:
    """``namespace/name``, as KubeSpawner's dictionaries have it."""
    metadata = item["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


class LabReflector(ResourceReflector):
    """A copy of some objects, kept by one list and a watch from there on."""

    first_load_future: asyncio.Future[None]
    watch_task: asyncio.Task[None] | None
    resources: dict[str, Manifest]

    page_size = Int(500, config=True, help="Objects in one page of a list.")
    request_timeout = Int(
        30, config=True, help="Seconds for one page of a list, and for a watch to be accepted."
    )
    timeout_seconds = Int(
        300,
        config=True,
        help="Seconds after which the API server ends a watch. It is continued from where it was.",
    )
    stale_seconds = Float(
        90.0,
        config=True,
        help="""Seconds of silence after which everything is listed anew. Where anything happens,
        API servers send a bookmark a minute, so that this means a connection that was lost
        without a word.""",
    )
    first_load_timeout = Float(
        60.0,
        config=True,
        help="Seconds that a caller waits for the first list while the API server is away.",
    )
    retry_delay = Float(0.1, config=True, help="Seconds before the first retry.")
    max_retry_delay = Float(5.0, config=True, help="Longest pause between retries, in seconds.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.changes = Changes()
        self.outage: Outage | None = None
        self.lists = 0
        """How often everything was listed."""
        self._version: str | None = None
        self._steady = False

    @property
    def where(self) -> str:
        """What is watched, in words."""
        place = "all namespaces" if self.omit_namespace else f"namespace {self.namespace}"
        return f"{self.kind} of {place}"

    @property
    def watching(self) -> bool:
        """Whether the watch lives (it may be waiting for the API server to come back)."""
        return self.watch_task is not None and not self.watch_task.done()

    # -- life ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to watch and wait for the first list.

        Raises
        ------
        RuntimeError
            If it is watching already.
        SpawnerError
            If the cluster refuses the list, or does not answer in ``first_load_timeout`` seconds
            (the watch goes on trying).
        """
        if self.watching:
            raise RuntimeError(f"The {self.where} are being watched already")
        await self.restart()

    async def restart(self) -> None:
        """List anew and go on from there, keeping subscriptions; callers share one list.

        Raises as :meth:`start`.
        """
        if not (self.watching and not self.first_load_future.done()):
            before = self.watch_task
            if before is not None:
                before.cancel()
            self._stopping = self.changes.closed = False
            self.first_load_future = asyncio.get_running_loop().create_future()
            self.watch_task = asyncio.create_task(
                self._watch_and_update(before), name=f"watch {self.where}"
            )
            self.watch_task.add_done_callback(self._note_end)
        await self.loaded()

    async def loaded(self) -> None:
        """Wait for the first list. Raises as :meth:`start`."""
        try:
            async with asyncio.timeout(self.first_load_timeout):
                await asyncio.shield(self.first_load_future)
        except TimeoutError:
            cause = f" ({self.outage.cause})" if self.outage else ""
            raise NotWatching(
                f"The cluster did not list the {self.where} within"
                f" {self.first_load_timeout:g} s{cause}. The hub keeps trying."
            ) from None

    async def stop(self) -> None:
        """End the watch; iterations over subscriptions end too."""
        self._stopping = True
        task, self.watch_task = self.watch_task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        if not self.first_load_future.done():
            self.first_load_future.set_exception(NotWatching(f"The watch of {self.where} stopped."))
            self.first_load_future.exception()  # seen, even if nobody waits
        self.changes.close()

    # -- the watch ----------------------------------------------------------------------------

    async def _watch_and_update(self, before: asyncio.Task[None] | None = None) -> None:
        """Rounds of list and watch, for ever. Only the refusal of a first list ends it."""
        if before is not None:
            await asyncio.wait({before})
        self._version = None
        backoff = Backoff(self.retry_delay, self.max_retry_delay)
        gone_before = False
        while True:
            self._steady = False
            # As a value, whatever it is: not even a mistake of ours may end the watch.
            [failure] = await asyncio.gather(self._round(), return_exceptions=True)
            if self._steady:
                backoff.reset()
                gone_before = False
            if isinstance(failure, ApiStatus) and failure.status == GONE:
                self.log.debug("The watch of %s is too old (%s): listing", self.where, failure)
                self._version = None
                if not gone_before:
                    gone_before = True
                    continue
            elif self._steady and isinstance(failure, TRANSPORT):
                # Load balancers cut connections as a matter of course: no outage yet.
                self.log.debug("The watch of %s was cut (%s)", self.where, failure)
            elif failure is not None:
                if self._refused(failure):
                    return
                self._note_outage(failure)
                if not isinstance(failure, TRANSPORT) and not (
                    isinstance(failure, ApiStatus) and failure.status in BUSY
                ):
                    self._version = None
            if failure is not None or not self._steady:
                await asyncio.sleep(backoff.next())

    async def _round(self) -> None:
        """List if nothing is known, then watch until the server ends it or falls silent."""
        if self._version is None:
            self._version = await self._list_and_update()
        arguments: dict[str, Any] = {
            "watch": True,
            "allow_watch_bookmarks": True,
            "resource_version": self._version,
            "timeout_seconds": round(self.timeout_seconds * random.uniform(1.0, 1.2)),  # noqa: S311
            "_preload_content": False,
            "_request_timeout": (self.request_timeout, self.stale_seconds),
        }
        async with asyncio.timeout(self.request_timeout):
            response = await self._call(**arguments)
        heard = False
        steady = asyncio.get_running_loop().call_later(STEADY, self._note_steady)
        try:
            if response.status != 200:
                steady.cancel()
                body = await response.read()
                raise ApiStatus(response.status, response.reason, body.decode(errors="replace"))
            async for kind, item in watch_lines(response):
                heard = True
                self._note_steady()
                self._take(kind, item)
        except TimeoutError:
            self.log.debug("Silence on the watch of %s: connecting anew", self.where)
        finally:
            steady.cancel()
            response.close()
        if not heard:
            # Not even a bookmark: nothing happens in this cluster, or its past is not ours any
            # more. After a restore of etcd the server accepts our version and keeps silent until
            # it has caught up with it.
            self._version = None

    @property
    def _call(self) -> Callable[..., Any]:
        selectors: dict[str, Any] = {
            "label_selector": self.label_selector,
            "field_selector": self.field_selector,
        }
        if not self.omit_namespace:
            selectors["namespace"] = self.namespace
        return partial(getattr(self.api, self.list_method_name), **selectors)

    def _take(self, kind: str, item: Manifest) -> None:
        version = (item.get("metadata") or {}).get("resourceVersion")
        if kind != "BOOKMARK":
            self._apply(kind, item)
        # After it was applied: an object that could not be is asked for again.
        self._version = version or self._version

    async def _list_and_update(self, resource_version: str | None = None) -> str:
        """List everything, tell the differences; the resource version to watch from.

        A list that changed too much between two pages is 410, as a watch that is too old.
        """
        version = await self._list_once()
        if not self.first_load_future.done():
            self.first_load_future.set_result(None)
        return version

    async def _list_once(self) -> str:
        self.lists += 1
        found: dict[str, Manifest] = {}
        version = ""
        pages = list_pages(self._call, page_size=self.page_size, timeout=self.request_timeout)
        async for items, version in pages:  # noqa: B007  (the last page's is used)
            for item in items:
                kept = self._slim(item)
                if kept is not None:
                    found[object_key(kept)] = kept
        self._replace(found)
        return version

    # -- trouble ------------------------------------------------------------------------------

    def _refused(self, failure: BaseException) -> bool:
        """Whether the first list was refused for good; those who wait for it are told."""
        if self.first_load_future.done() or not isinstance(failure, ApiStatus):
            return False
        if failure.status not in REFUSED:
            return False
        if self.outage is not None:
            # An API server that has just come back refuses everybody for a moment.
            return False
        from despejado_spawner.pods.diagnosis.refusals import refusal

        error = refusal(failure.status, failure.reason, failure.body, f"list the {self.where}")
        self.first_load_future.set_exception(error)
        self.log.error("The %s cannot be watched: %s", self.where, error)
        return True

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """Nobody is to wait for the list of a watch that was cancelled or is broken."""
        if task is self.watch_task and not self.first_load_future.done():
            why = "was cancelled" if task.cancelled() else f"ended: {task.exception()}"
            self.first_load_future.set_exception(NotWatching(f"The watch of {self.where} {why}."))
            self.first_load_future.exception()  # seen, even if nobody waits

    def _note_outage(self, failure: BaseException) -> None:
        """Log the first failure of an outage, and only that."""
        if self.outage is not None:
            self.outage.attempts += 1
            return
        cause = f"{type(failure).__name__}: {failure}"
        self.outage = Outage(time.monotonic(), cause)
        self.log.warning(
            "The watch of %s is interrupted (%s). Labs run on; changes are seen when the cluster"
            " answers again, which is tried at least every %g s.",
            self.where,
            cause,
            self.max_retry_delay,
            exc_info=None if isinstance(failure, EXPECTED) else failure,
        )

    def _note_steady(self) -> None:
        """The watch works."""
        self._steady = True
        outage, self.outage = self.outage, None
        if outage is not None:
            self.log.info(
                "The watch of %s works again, after %.1f s and %d attempts.",
                self.where,
                time.monotonic() - outage.since,
                outage.attempts,
            )

    # -- the copy -----------------------------------------------------------------------------

    def _slim(self, item: Manifest) -> Manifest | None:
        """What is kept of an object; None for none of it. ``managedFields`` are half of a pod."""
        item["metadata"].pop("managedFields", None)
        return item

    def _apply(self, kind: str, item: Manifest) -> None:
        """Take one watch event into the copy and tell it."""
        kept = self._slim(item)
        if kept is None:
            return
        key = object_key(kept)
        if kind == "DELETED":
            self.resources.pop(key, None)
            self._tell(Change("DELETED", key, kept))
            return
        known = self.resources.get(key)
        self.resources[key] = kept
        self._tell(Change("MODIFIED" if known else "ADDED", key, kept))

    def _replace(self, found: dict[str, Manifest]) -> None:
        """Take a whole list as the copy and tell what differs from the last one."""
        known, self.resources = self.resources, found
        for key, item in known.items():
            now = found.get(key)
            if now is None or now["metadata"].get("uid") != item["metadata"].get("uid"):
                self._tell(Change("DELETED", key, item))
        for key, item in found.items():
            before = known.get(key)
            if before is None or before["metadata"].get("uid") != item["metadata"].get("uid"):
                self._tell(Change("ADDED", key, item))
            elif before["metadata"].get("resourceVersion") != item["metadata"]["resourceVersion"]:
                self._tell(Change("MODIFIED", key, item))

    def _tell(self, change: Change) -> None:
        self.changes.tell(change)

    def on_change(self, key: str, callback: Callback) -> Callable[[], None]:
        """Call ``callback(change)`` at each change of ``namespace/name``; returns what ends it."""
        return self.changes.on_change(key, callback)
