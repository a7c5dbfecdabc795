"""What was recorded, read at a moment after its last event."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from despejado_spawner.pods.diagnosis.diagnose import (
    Diagnosis,
    Ended,
    Failed,
    Running,
    Settings,
    Waiting,
    diagnose,
)
from despejado_spawner.pods.diagnosis.events import moment

DATA = Path(__file__).parent / "data"
NAMES = sorted(path.stem for path in (DATA / "situations").glob("*.json"))
STARTS = sorted(path.stem for path in (DATA / "starts").glob("*.json"))
SITE = Settings(bigger_size="large")

Json = dict[str, Any]


def recorded(name: str) -> tuple[Json, list[Json]]:
    """The pod and its events in a situation; nobody else's copy."""
    document = json.loads((DATA / "situations" / f"{name}.json").read_text())
    return document["pod"], document["events"]


def recorded_start(name: str) -> list[tuple[Json, list[Json]]]:
    """The pod and its events at each step of a start."""
    document = json.loads((DATA / "starts" / f"{name}.json").read_text())
    events = document["events"]
    return [(step["pod"], events[: step["events"]]) for step in document["steps"]]


def wordings(name: str) -> list[Json]:
    """What other versions say, each with its source."""
    found: list[Json] = json.loads((DATA / "wordings" / f"{name}.json").read_text())
    return found


def after(events: list[Json], seconds: float, pod: Json | None = None) -> datetime:
    """A moment after the last event; without events after the pod was made, or after now."""
    times = [found for found in map(moment, events) if found is not None]
    if pod is not None and not times:
        times = [datetime.fromisoformat(pod["metadata"]["creationTimestamp"])]
    return max(times, default=datetime.now(UTC)) + timedelta(seconds=seconds)


def look(name: str, seconds: float = 1.0, site: Settings = SITE) -> Diagnosis:
    """What a situation means."""
    pod, events = recorded(name)
    return diagnose(pod, events, now=after(events, seconds, pod), settings=site)


def with_event(events: list[Json], reason: str, message: str, component: str = "") -> list[Json]:
    """The events and a later one."""
    last = events[-1]
    later = copy.deepcopy(last) | {"reason": reason, "message": message}
    later["metadata"] = {"resourceVersion": str(len(events) + 1)}
    later["source"] = {"component": component}
    return [*events, later]


def in_words(found: Diagnosis) -> str:
    """A diagnosis as a person reads it."""
    match found:
        case Waiting():
            return f"{found.phase.value}: {found.message}"
        case Running():
            return f"running on {found.node}" + (f": {found.warning}" if found.warning else "")
        case Failed() | Ended():
            kind = "failed" if isinstance(found, Failed) else "ended"
            failure = found.failure
            return f"{kind}, {failure.reason}: {failure.message} -> {failure.advice}"
