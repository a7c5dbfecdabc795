"""The events of a pod: in order, without the harmless ones, as lines for people (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from despejado_spawner.pods.diagnosis.pod_view import parse_time, part, text

Event = Mapping[str, Any]

HARMLESS: Mapping[str, tuple[str, str]] = {
    "FailedToRetrieveImagePullSecret": (
        "",
        "the image may be pulled without; where it may not, the pull itself says so",
    ),
    "DNSConfigForming": ("", "a node with more name servers than a pod may have; it works"),
    "Unhealthy": ("", "a probe of a server that is still starting"),
    "ProbeWarning": ("", "a probe that was answered by a redirection"),
    "FailedMount": (
        r"failed to sync (secret|configmap) cache|object .* not registered",
        "the node hears of an object a moment after the pod",
    ),
    "FailedScheduling": (
        r"skip schedule deleting pod|object has been modified|nominated node",
        "the pod is being deleted anyway, or the scheduler tries again at once",
    ),
    "NetworkNotReady": ("", "a node that has just come up"),
    "NotTriggerScaleUp": ("in backoff", "the autoscaler tries again by itself"),
    "BackOff": ("", "how long the node waits until it tries again; why is told by other events"),
    "SandboxChanged": ("", "the node makes the pod's network anew"),
    "CgroupV1": ("", "about the age of the node, not about the lab"),
    "PossibleMemoryBackedVolumesOnDisk": ("", "about swap on the node, not about the lab"),
}
"""Event reason to the words it is harmless with (a pattern; empty for any) and why it is."""

_HEALED = ("FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox")
"""Troubles that are over once the node goes on to what comes after them."""
_GOES_ON = ("Pulling", "Pulled", "Created", "Started")


def is_harmless(event: Event) -> bool:
    """Whether an event worries without need."""
    known = HARMLESS.get(text(event.get("reason")))
    return known is not None and re.search(known[0], text(event.get("message"))) is not None


def moment(event: Event) -> datetime | None:
    """When an event last happened."""
    for path in (("lastTimestamp",), ("series", "lastObservedTime"), ("eventTime",)):
        found = parse_time(part(event, *path))
        if found is not None:
            return found
    return parse_time(part(event, "metadata", "creationTimestamp"))


def in_order(events: Iterable[object]) -> list[Event]:
    """By time, those without one first; of one second, as the API server received them."""
    return sorted((each for each in events if isinstance(each, Mapping)), key=_place)


def of_pod(events: Iterable[Event], uid: str) -> list[Event]:
    """Events without those of an earlier pod of the same name, in order."""
    return [each for each in in_order(events) if _may_be_of(each, uid)]


def newest(events: Sequence[Event], *reasons: str) -> Event | None:
    """The last event with one of these reasons; ``events`` are in order."""
    return next((each for each in reversed(events) if each.get("reason") in reasons), None)


def began(event: Event) -> datetime | None:
    """When an event happened for the first time."""
    return parse_time(event.get("firstTimestamp")) or moment(event)


def healed(events: Sequence[Event]) -> int:
    """Before which place of the ordered events a node's troubles with mounting are over."""
    last = max((i for i, each in enumerate(events) if each.get("reason") in _GOES_ON), default=-1)
    return last + 1


def component(event: Event) -> str:
    """Who tells of the event: ``kubelet``, ``default-scheduler``, ``karpenter`` and so on."""
    return text(part(event, "source", "component")) or text(event.get("reportingComponent"))


def event_lines(events: Iterable[Event]) -> list[str]:
    """The events for the page's details, the last one last: time, reason, message, how often."""
    ordered = in_order(events)
    over = healed(ordered)
    lines = []
    for place, event in enumerate(ordered):
        if is_harmless(event) or (place < over and event.get("reason") in _HEALED):
            continue
        when = moment(event)
        stamp = f"{when:%H:%M:%S} " if when else ""
        times = _times(event)
        often = f" ({times} times)" if times > 1 else ""
        words = " ".join(text(event.get("message")).split())
        lines.append(f"{stamp}{text(event.get('reason'))}: {words}{often}")
    return lines


def _may_be_of(event: Event, uid: str) -> bool:
    involved = event.get("involvedObject")
    if part(involved, "kind") not in (None, "", "Pod"):
        return True  # a claim of the pod, say
    other = text(part(involved, "uid"))
    return not uid or not other or other == uid


def _times(event: Event) -> int:
    series = part(event, "series", "count")
    found = series if isinstance(series, int) else event.get("count")
    return found if isinstance(found, int) else 1


def _place(event: Event) -> tuple[int, int]:
    # The scheduler tells microseconds, the kubelet whole seconds: inside of one second only the
    # order in which the API server had them is right.
    when = moment(event)
    version = text(part(event, "metadata", "resourceVersion"))
    return (
        int(when.timestamp()) if when is not None else 0,
        int(version) if version.isdecimal() else 0,
    )
