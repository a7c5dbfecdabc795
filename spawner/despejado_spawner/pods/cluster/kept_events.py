"""The events of pods, kept small: few a pod, none of pods that are long gone. No I/O.

KubeSpawner keeps every event whole for as long as the API server does: 35,000 of them took
1.5 GB (jupyterhub/kubespawner#913).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from datetime import datetime

from despejado_spawner.pods.cluster.reflector import object_key
from despejado_spawner.pods.models import Manifest

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


class KeptEvents:
    """Events by their key (``by_key``) and by the pod that they tell of."""

    def __init__(self) -> None:
        self.by_key: dict[str, Manifest] = {}
        self._by_pod: dict[str, dict[str, Kept]] = {}  # uid of the pod -> key of the event
        self._uids: dict[str, dict[str, None]] = {}  # namespace/name of the pod -> its uids
        self.pruned = time.monotonic()

    @property
    def empty(self) -> bool:
        """Whether nothing is kept, of any pod."""
        return not (self.by_key or self._by_pod or self._uids)

    def all(self) -> list[Manifest]:
        """All events, the latest last."""
        return _in_order(kept for of_pod in self._by_pod.values() for kept in of_pod.values())

    def of(self, pod: str, uid: str | None) -> list[Manifest]:
        """The events of the pod ``namespace/name``, the latest last."""
        uids = self._uids.get(pod, {}) if uid is None else (uid,)
        kept = [each for one in uids for each in self._by_pod.get(one, {}).values()]
        return _in_order(each for each in kept if involved_pod(each.event) == pod)

    def keep(self, event: Manifest, most: int) -> None:
        """Keep an event; of one pod the oldest above ``most`` goes."""
        uid, key = event["involvedObject"]["uid"], object_key(event)
        of_pod = self._by_pod.setdefault(uid, {})
        self._uids.setdefault(involved_pod(event), {})[uid] = None
        of_pod.pop(key, None)  # a repeated event is the newest again
        of_pod[key] = Kept(event, happened(event) or time.time(), time.monotonic())
        self.by_key[key] = event
        if len(of_pod) > most:
            oldest = next(iter(of_pod))
            self.forget(oldest, of_pod[oldest].event)

    def forget(self, key: str, event: Manifest) -> None:
        """Drop an event, if it is kept."""
        self.by_key.pop(key, None)
        involved = event.get("involvedObject") or {}
        uid = involved.get("uid") or ""
        of_pod = self._by_pod.get(uid)
        if of_pod is None:
            return
        of_pod.pop(key, None)
        if not of_pod:
            del self._by_pod[uid]
            name = involved_pod(event)
            uids = self._uids.get(name, {})
            uids.pop(uid, None)
            if not uids:
                self._uids.pop(name, None)

    def prune(self, there: Set[str] | None, *, keep_seconds: float, gone_seconds: float) -> None:
        """Drop what is too old, and what tells of pods whose uids are not ``there``."""
        now, clock = time.monotonic(), time.time()
        self.pruned = now
        for uid, of_pod in list(self._by_pod.items()):
            newest = max(kept.seen for kept in of_pod.values())
            gone = there is not None and uid not in there and now - newest > gone_seconds
            for key, kept in list(of_pod.items()):
                if gone or clock - kept.when > keep_seconds:
                    self.forget(key, kept.event)


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


def involved_pod(event: Manifest) -> str:
    """``namespace/name`` of the pod that an event tells of."""
    involved = event.get("involvedObject") or {}
    return f"{involved.get('namespace') or ''}/{involved.get('name') or ''}"


def _in_order(kept: Iterable[Kept]) -> list[Manifest]:
    return [each.event for each in sorted(kept, key=lambda each: each.when)]
