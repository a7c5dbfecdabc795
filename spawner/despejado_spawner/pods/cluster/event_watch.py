"""The watch of the events of pods (:mod:`~despejado_spawner.pods.cluster.kept_events`)."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from kubespawner.spawner import EventReflector
from traitlets import Dict, Float, Int

from despejado_spawner.pods.cluster.kept_events import (
    KeptEvents,
    happened,
    involved_pod,
    slim_event,
)
from despejado_spawner.pods.cluster.reflector import LabReflector, object_key
from despejado_spawner.pods.cluster.subscriptions import Change, Subscription
from despejado_spawner.pods.models import Manifest

PRUNE_EVERY = 30.0
"""Seconds between two looks for what need not be kept, made when events arrive."""


class LabEventReflector(LabReflector, EventReflector):
    """The events of all labs' pods (``events``), found by the pod they tell of."""

    fields = Dict({"involvedObject.kind": "Pod"}, config=True, help="Which events are watched.")
    events_a_pod = Int(100, config=True, help="Most events kept of one pod; the oldest go first.")
    keep_seconds = Float(3600.0, config=True, help="Age at which an event is dropped.")
    gone_seconds = Float(
        120.0,
        config=True,
        help="Seconds for which events of a pod that is not (any more) there are kept.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._pods: LabReflector | None = None
        self._there: set[str] | None = None  # uids of these pods, while events are listed
        self.kept = KeptEvents()
        self.resources = self.kept.by_key

    def follow_pods(self, pods: LabReflector) -> None:
        """Keep the events of these pods only, and for ``gone_seconds`` those of others.

        A pod's first event may be here before the pod is.
        """
        self._pods = pods

    @property
    def events(self) -> list[Manifest]:
        """All events, the latest last."""
        return self.kept.all()

    def events_of(self, namespace: str, name: str, uid: str | None = None) -> list[Manifest]:
        """The events of one pod, the latest last; of each pod of that name without ``uid``.

        An earlier pod of the same name has another uid: its events are not this one's.
        """
        return self.kept.of(f"{namespace}/{name}", uid)

    def subscribe(self, key: str) -> Subscription[list[Manifest]]:
        """The events of the pods ``namespace/name``, anew after each further event."""
        namespace, _, name = key.partition("/")
        return Subscription(self.changes, key, partial(self.events_of, namespace, name))

    # -- what is kept -------------------------------------------------------------------------

    async def _list_once(self) -> str:
        self._there = self._uids_there()
        return await super()._list_once()

    def _slim(self, item: Manifest) -> Manifest | None:
        """An event of a list. Most of what a cluster has to tell is of pods that are gone."""
        event = slim_event(item)
        when = happened(event)
        age = time.time() - when if when else 0.0
        if age > self.keep_seconds:
            return None
        if age <= self.gone_seconds or self._there is None:
            return event
        return event if event["involvedObject"]["uid"] in self._there else None

    def _uids_there(self) -> set[str] | None:
        """The uids of the pods that exist; None while that is not known."""
        if self._pods is None or not self._pods.first_load_future.done():
            return None
        return {pod["metadata"]["uid"] for pod in self._pods.resources.values()}

    def _apply(self, kind: str, item: Manifest) -> None:
        if kind == "DELETED":
            # The API server forgets events after an hour; so do we, by their own age.
            self.kept.forget(object_key(item), item)
            return
        event = slim_event(item)
        self.kept.keep(event, self.events_a_pod)
        key = object_key(event)
        self._tell(Change("MODIFIED", key, event))
        if time.monotonic() - self.kept.pruned >= PRUNE_EVERY:
            self.prune()

    def _replace(self, found: dict[str, Manifest]) -> None:
        known = self.resources
        self.kept = KeptEvents()
        self.resources = self.kept.by_key
        for event in sorted(found.values(), key=happened):
            self.kept.keep(event, self.events_a_pod)
        for key, event in self.resources.items():
            before = known.get(key)
            if before is None or before["metadata"] != event["metadata"]:
                self._tell(Change("MODIFIED" if before else "ADDED", key, event))

    def _tell(self, change: Change) -> None:
        # Who waits, waits for a pod: an event is news of the pod that it tells of.
        self.changes.tell(Change(change.type, involved_pod(change.object), change.object))

    def prune(self) -> None:
        """Drop what is too old, and what tells of pods that are gone."""
        self.kept.prune(
            self._uids_there(), keep_seconds=self.keep_seconds, gone_seconds=self.gone_seconds
        )
