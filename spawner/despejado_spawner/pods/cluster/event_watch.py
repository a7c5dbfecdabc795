"""The events of pods, kept small: few a pod, none of pods that are long gone, no more than needed.

KubeSpawner keeps every event whole for as long as the API server does: 35,000 of them took
1.5 GB (jupyterhub/kubespawner#913).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from kubespawner.spawner import EventReflector
from traitlets import Dict, Float, Int

from despejado_spawner.pods.cluster.reflector import LabReflector, object_key
from despejado_spawner.pods.cluster.subscriptions import Change, Subscription
from despejado_spawner.pods.models import Manifest

PRUNE_EVERY = 30.0
"""Seconds between two looks for what need not be kept, made when events arrive."""
COMMON = ("type", "reason", "action", "reportingComponent")
"""Fields with few values: one copy of each value serves all events."""


@dataclass
class Kept:
    """An event with what its place in the order and its age are told by."""

    event: Manifest = field(repr=False)
    when: float
    """When it happened last, in seconds since the epoch by the cluster's clock."""
    seen: float
    """When it was received, on the monotonic clock."""


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
        self._by_pod: dict[str, dict[str, Kept]] = {}  # uid of the pod -> key of the event
        self._uids: dict[str, dict[str, None]] = {}  # namespace/name of the pod -> its uids
        self._pruned = time.monotonic()

    def follow_pods(self, pods: LabReflector) -> None:
        """Keep the events of these pods only, and for ``gone_seconds`` those of others.

        A pod's first event may be here before the pod is.
        """
        self._pods = pods

    @property
    def events(self) -> list[Manifest]:
        """All events, the latest last."""
        return _in_order(kept for of_pod in self._by_pod.values() for kept in of_pod.values())

    def events_of(self, namespace: str, name: str, uid: str | None = None) -> list[Manifest]:
        """The events of one pod, the latest last; of each pod of that name without ``uid``.

        An earlier pod of the same name has another uid: its events are not this one's.
        """
        uids = self._uids.get(f"{namespace}/{name}", {}) if uid is None else (uid,)
        kept = [each for one in uids for each in self._by_pod.get(one, {}).values()]
        return _in_order(each for each in kept if _involved(each.event) == f"{namespace}/{name}")

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
            self._forget(object_key(item), item)
            return
        event = slim_event(item)
        self._keep(event)
        key = object_key(event)
        self._tell(Change("MODIFIED", key, event))
        self._prune()

    def _replace(self, found: dict[str, Manifest]) -> None:
        known = self.resources
        self.resources, self._by_pod, self._uids = {}, {}, {}
        for event in sorted(found.values(), key=happened):
            self._keep(event)
        for key, event in self.resources.items():
            before = known.get(key)
            if before is None or before["metadata"] != event["metadata"]:
                self._tell(Change("MODIFIED" if before else "ADDED", key, event))

    def _tell(self, change: Change) -> None:
        # Who waits, waits for a pod: an event is news of the pod that it tells of.
        self.changes.tell(Change(change.type, _involved(change.object), change.object))

    def _keep(self, event: Manifest) -> None:
        involved = event["involvedObject"]
        uid, key = involved["uid"], object_key(event)
        of_pod = self._by_pod.setdefault(uid, {})
        self._uids.setdefault(_involved(event), {})[uid] = None
        of_pod.pop(key, None)  # a repeated event is the newest again
        of_pod[key] = Kept(event, happened(event) or time.time(), time.monotonic())
        self.resources[key] = event
        if len(of_pod) > self.events_a_pod:
            oldest = next(iter(of_pod))
            self._forget(oldest, of_pod[oldest].event)

    def _forget(self, key: str, event: Manifest) -> None:
        self.resources.pop(key, None)
        involved = event.get("involvedObject") or {}
        uid = involved.get("uid") or ""
        of_pod = self._by_pod.get(uid)
        if of_pod is None:
            return
        of_pod.pop(key, None)
        if not of_pod:
            del self._by_pod[uid]
            name = _involved(event)
            uids = self._uids.get(name, {})
            uids.pop(uid, None)
            if not uids:
                self._uids.pop(name, None)

    def _prune(self) -> None:
        now = time.monotonic()
        if now - self._pruned >= PRUNE_EVERY:
            self._pruned = now
            self.prune()

    def prune(self) -> None:
        """Drop what is too old, and what tells of pods that are gone."""
        there = self._uids_there()
        now, clock = time.monotonic(), time.time()
        for uid, of_pod in list(self._by_pod.items()):
            newest = max(kept.seen for kept in of_pod.values())
            gone = there is not None and uid not in there and now - newest > self.gone_seconds
            for key, kept in list(of_pod.items()):
                if gone or clock - kept.when > self.keep_seconds:
                    self._forget(key, kept.event)


def slim_event(item: Manifest) -> Manifest:
    """The fields of an event that anything here or in KubeSpawner reads; each is always there."""
    metadata, involved = item["metadata"], item.get("involvedObject") or {}
    source = item.get("source") or {}
    event: Manifest = {
        "metadata": {
            name: metadata.get(name)
            for name in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        },
        "involvedObject": {
            "kind": sys.intern(involved.get("kind") or ""),
            "namespace": involved.get("namespace") or metadata.get("namespace") or "",
            "name": involved.get("name") or "",
            "uid": involved.get("uid") or "",
            "fieldPath": sys.intern(involved.get("fieldPath") or ""),
        },
        "message": item.get("message") or item.get("note") or "",
        "count": item.get("count"),
        "firstTimestamp": item.get("firstTimestamp"),
        "lastTimestamp": item.get("lastTimestamp"),
        "eventTime": item.get("eventTime"),
        "series": item.get("series"),
        "source": {
            "component": sys.intern(source.get("component") or ""),
            "host": sys.intern(source.get("host") or ""),
        },
    }
    for name in COMMON:
        event[name] = sys.intern(item.get(name) or "")
    return event


def happened(event: Manifest) -> float:
    """When an event happened last, in seconds since the epoch; 0.0 where it does not say.

    The old events have ``lastTimestamp``, the new ones ``eventTime`` and, when repeated,
    ``series``; some have neither and only say when they were created.
    """
    series = event.get("series") or {}
    times = (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        event["metadata"].get("creationTimestamp"),
    )
    for text in times:
        if text:
            try:
                return datetime.fromisoformat(text).timestamp()
            except ValueError:
                continue
    return 0.0


def _involved(event: Manifest) -> str:
    involved = event.get("involvedObject") or {}
    return f"{involved.get('namespace') or ''}/{involved.get('name') or ''}"


def _in_order(kept: Iterable[Kept]) -> list[Manifest]:
    return [each.event for each in sorted(kept, key=lambda each: each.when)]
