"""The events of a pod: in order, without the harmless ones, as lines for people (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from despejado_spawner.kubernetes.read import part, text

Event = Mapping[str, Any]

HARMLESS: Mapping[str, tuple[str, str]] = {
    "FailedToRetrieveImagePullSecret": (
        "",
        "the image may be pulled without; where it may not, the pull itself says so",
    ),
    "DNSConfigForming": ("", "a node with more name servers than a pod may have; it works"),
    "Unhealthy": ("", "a probe of a server that is still starting"),
    "FailedMount": (
        "failed to sync (secret|configmap) cache",
        "the node hears of an object a moment after the pod",
    ),
    "FailedScheduling": ("skip schedule deleting pod", "the pod is being deleted anyway"),
    "NetworkNotReady": ("", "a node that has just come up"),
    "NotTriggerScaleUp": ("in backoff", "the autoscaler tries again by itself"),
}
"""Event reason to the words it is harmless with (a pattern; empty for any) and why it is."""


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


def parse_time(value: object) -> datetime | None:
    """A time of the API; None for anything else."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def in_order(events: Iterable[Event]) -> list[Event]:
    """By time; those without one first."""
    return sorted(events, key=lambda event: _seconds(moment(event)))


def newest(events: Iterable[Event], *reasons: str) -> Event | None:
    """The last event with one of these reasons."""
    found = [event for event in in_order(events) if event.get("reason") in reasons]
    return found[-1] if found else None


def since(event: Event | None, now: datetime, *, first: bool = False) -> float | None:
    """Seconds since an event happened, or since it happened for the first time."""
    if event is None:
        return None
    began = parse_time(event.get("firstTimestamp")) if first else None
    found = began or moment(event)
    return None if found is None else (now - found).total_seconds()


def event_lines(events: Sequence[Event]) -> list[str]:
    """The events for the page's details: time, reason, message, how often."""
    lines = []
    for event in in_order(events):
        if is_harmless(event):
            continue
        when = moment(event)
        stamp = f"{when:%H:%M:%S} " if when else ""
        count = event.get("count")
        often = f" ({count} times)" if isinstance(count, int) and count > 1 else ""
        lines.append(f"{stamp}{text(event.get('reason'))}: {text(event.get('message'))}{often}")
    return lines


def _seconds(when: datetime | None) -> float:
    return when.timestamp() if when is not None else 0.0
