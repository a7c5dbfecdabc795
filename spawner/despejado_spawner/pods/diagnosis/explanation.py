"""Why a lab is not up, in words for ``despejado explain`` (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from despejado_spawner.pods.diagnosis.diagnose import (
    Failed,
    Running,
    Settings,
    Waiting,
    diagnose,
)
from despejado_spawner.pods.diagnosis.endings import ended
from despejado_spawner.pods.diagnosis.events import event_lines, in_order, moment, of_pod
from despejado_spawner.pods.diagnosis.pod_view import PodView, parse_time
from despejado_spawner.pods.names import TITLE_ANNOTATION
from despejado_spawner.progress import Phase
from despejado_spawner.reasons import REASONS

Event = Mapping[str, Any]

LINES = 12
"""The last lines of events that are shown."""


@dataclass(frozen=True)
class Explanation:
    """One lab. ``reason`` is a code of ``reasons.REASONS``, None for one that is not over.

    ``since`` is when it came into this state, as far as the cluster tells.
    """

    title: str
    message: str
    up: bool = False
    reason: str | None = None
    phase: Phase | None = None
    since: datetime | None = None
    advice: str = ""
    lines: tuple[str, ...] = ()


def explain_pod(
    pod: Mapping[str, Any] | None,
    events: Iterable[Event],
    *,
    now: datetime,
    settings: Settings | None = None,
) -> Explanation:
    """What a person who asks is told. Without a pod the events may be those of one that is gone."""
    if pod is None:
        return _gone(in_order(events))
    view = PodView(pod)
    ordered = of_pod(events, view.uid)
    lines = tuple(event_lines(ordered))[-LINES:]
    found = diagnose(pod, ordered, now=now, settings=settings or Settings())
    if isinstance(found, Running):
        message = f"{_what(view)} runs on {found.node}, at the address {found.ip}."
        advice = "If its pages do not come, look at the log of the pod and at the hub's log."
        if found.warning:
            message = f"{message} {found.warning}"
            advice = "Wait for the machine, or stop the lab and start it on another one."
        return Explanation(
            "Running",
            message,
            up=found.warning is None,
            phase=Phase.STARTING,
            since=view.lab.began if view.lab is not None else None,
            advice=advice,
            lines=lines,
        )
    if isinstance(found, Waiting):
        since = _waiting_since(view, found.phase)
        return Explanation(
            found.phase.waiting,
            f"{found.message}{_for_how_long(since, now)}",
            phase=found.phase,
            since=since,
            advice="Wait; a start that takes too long is ended by itself.",
            lines=lines,
        )
    failure = found.failure
    return Explanation(
        REASONS[failure.reason].title,
        failure.message,
        reason=failure.reason,
        since=_failed_since(view) if isinstance(found, Failed) else _ended_at(view),
        advice=failure.advice,
        lines=failure.details[-LINES:],
    )


def _gone(ordered: list[Event]) -> Explanation:
    if not ordered:
        return Explanation(
            "No lab",
            "The cluster has no lab of this user, and no event of the last hour tells of one.",
            advice="Start one; if a start fails at once, the hub's log has why.",
        )
    return Explanation(
        "No lab",
        "The cluster has no lab of this user any more.",
        since=moment(ordered[-1]),
        advice="Start one; the last events of the one that was there are below.",
        lines=tuple(event_lines(ordered))[-LINES:],
    )


def _what(view: PodView) -> str:
    title = view.note(TITLE_ANNOTATION)
    return f"The lab with {title}" if title else "The lab"


def _waiting_since(view: PodView, phase: Phase) -> datetime | None:
    if phase is Phase.PULLING:
        placed = parse_time(view.condition("PodScheduled").get("lastTransitionTime"))
        return placed or view.created
    return view.created


def _failed_since(view: PodView) -> datetime | None:
    return _waiting_since(view, Phase.PULLING if view.node else Phase.SCHEDULING)


def _ended_at(view: PodView) -> datetime | None:
    asked = view.deletion_asked
    if asked is not None and _only_deleted(view):
        return asked
    times = [each.finished for each in view.containers() if each.needed and each.finished]
    disrupted = parse_time(view.condition("DisruptionTarget").get("lastTransitionTime"))
    return max(times, default=None) or disrupted or asked


def _only_deleted(view: PodView) -> bool:
    over = ended(view)
    return over is not None and over.reason == "deleted"


def _for_how_long(since: datetime | None, now: datetime) -> str:
    if since is None:
        return ""
    passed = now - since
    if passed < timedelta(seconds=2):
        return ""
    seconds = int(passed.total_seconds())
    long = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
    return f" It has been so for {long}."
