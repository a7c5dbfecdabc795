"""What a pod and its events mean: where a lab is, why it will not come, how it ended (pure).

The words that are looked for are those of Kubernetes 1.36 with containerd 1.6, recorded in
``tests/spawner/pods/data/situations``, and of other versions, runtimes and autoscalers, from
their sources and from what their users report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from despejado_spawner.errors import LabFailed
from despejado_spawner.pods.diagnosis import containers, endings, pulls, scheduling, volumes
from despejado_spawner.pods.diagnosis.events import began, event_lines, newest, of_pod
from despejado_spawner.pods.diagnosis.pod_view import PodView, parse_time, text
from despejado_spawner.pods.names import HOME_GATE, TITLE_ANNOTATION
from despejado_spawner.progress import Phase

Event = Mapping[str, Any]


@dataclass(frozen=True)
class Settings:
    """What of the site and of the lab counts for the meaning of a state.

    ``autoscaler`` says that the cluster has one; ``image_retry_seconds`` for how long a registry
    may not answer; ``bigger_size`` is the next size with more memory, ``image_bytes`` how much
    there is to download, where they are known.
    """

    autoscaler: bool = False
    image_retry_seconds: float = 120.0
    bigger_size: str | None = None
    image_bytes: int | None = None


@dataclass(frozen=True)
class Waiting:
    """On its way. ``fraction`` says how far inside the phase, where that is known."""

    phase: Phase
    message: str
    node: str | None = None
    fraction: float | None = None
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Running:
    """The lab's container runs; whether its server answers is to be asked there.

    ``warning`` is set while its machine does not answer: it may come back, and the lab with it.
    """

    ip: str
    node: str | None
    warning: str | None = None


@dataclass(frozen=True)
class Failed:
    """It will not come up."""

    failure: LabFailed


@dataclass(frozen=True)
class Ended:
    """It has run, or was on its way, and is over."""

    failure: LabFailed


Diagnosis = Waiting | Running | Failed | Ended


def diagnose(
    pod: Mapping[str, Any], events: Iterable[Event], *, now: datetime, settings: Settings
) -> Diagnosis:
    """Where the lab is.

    ``events`` are those of the pod, or of its name: what tells of another pod is left out. ``now``
    is the time with its zone.
    """
    view = PodView(pod)
    ordered = of_pod(events, view.uid)
    over = endings.ended(view, ordered, settings.bigger_size)
    if over is not None:
        return Ended(_with_events(over, ordered))
    lab = view.lab
    if lab is not None and lab.kind == "running" and view.ip:
        return Running(view.ip, view.node, containers.machine_away(view))
    if view.gates:
        return _held(view, ordered)
    failure = _failure(view, ordered, now, settings)
    if failure is not None:
        return Failed(_with_events(failure, ordered))
    if view.node is None:
        return _without_a_place(view, ordered, now, settings)
    return _on_its_machine(view, ordered, settings)


def _failure(
    view: PodView, events: Sequence[Event], now: datetime, settings: Settings
) -> LabFailed | None:
    """Why the lab will not come, wherever it is; None while it may."""
    for container in view.containers():
        if container.kind == "waiting" and container.needed:
            failure = containers.stuck(
                view,
                container,
                events,
                now=now,
                image_patience=settings.image_retry_seconds,
                bigger_size=settings.bigger_size,
            )
            if failure is not None:
                return failure
    lost = volumes.failure(view, events, now)
    if lost is not None:
        return LabFailed("volume", lost)
    unmade = containers.no_sandbox(view, events)
    return LabFailed("container_config", unmade) if unmade is not None else None


def _held(view: PodView, events: Sequence[Event]) -> Waiting:
    details = tuple(event_lines(events))
    if HOME_GATE in view.gates:
        return Waiting(Phase.HOME, "Preparing your home folder.", None, None, details)
    gates = ", ".join(view.gates)
    return Waiting(Phase.QUEUED, f"The cluster holds your lab back ({gates}).", None, None, details)


def _without_a_place(
    view: PodView, events: Sequence[Event], now: datetime, settings: Settings
) -> Diagnosis:
    condition = view.condition("PodScheduled")
    details = tuple(event_lines(events))
    # Events of the scheduler itself, whose word may be there before the pod has it.
    told = [each for each in events if scheduling.is_refusal(each)]
    if condition.get("reason") in ("Unschedulable", "SchedulerError"):
        said = text(condition.get("message"))
    elif told:
        said = text(told[-1].get("message"))
    else:
        return Waiting(Phase.SCHEDULING, "Looking for a place in the cluster.", None, None, details)
    # The condition has the time of a gate that was closed before; the event knows better.
    since = began(told[0]) if told else parse_time(condition.get("lastTransitionTime"))
    verdict = scheduling.judge(
        said,
        events,
        autoscaler=settings.autoscaler,
        waited=(now - since).total_seconds() if since is not None else 0.0,
    )
    if verdict.final:
        return Failed(LabFailed(verdict.reason, verdict.message, verdict.advice, details))
    return Waiting(Phase.SCHEDULING, verdict.message, None, verdict.fraction, details)


def _on_its_machine(view: PodView, events: Sequence[Event], settings: Settings) -> Waiting:
    details = tuple(event_lines(events))
    title = view.note(TITLE_ANNOTATION) or view.image or "the image"
    away = containers.machine_away(view)
    if away is not None:
        return Waiting(Phase.PULLING, away, view.node, 0.0, details)
    preparing = containers.preparing(view)
    if preparing is not None:
        return Waiting(Phase.PULLING, preparing, view.node, 0.05, details)
    pull = pulls.state(view, events, title, settings.image_bytes)
    if pull is not None:
        return Waiting(Phase.PULLING, pull.message, view.node, pull.fraction, details)
    message = volumes.hopeful(events) or containers.sandbox_trouble(events)
    if message is None and newest(events, "Scheduled", "SuccessfulAttachVolume") is not None:
        message = f"Setting up the lab on {view.node}."
    return Waiting(
        Phase.PULLING, message or "Setting up the lab on its machine.", view.node, 0.0, details
    )


def _with_events(failure: LabFailed, events: Sequence[Event]) -> LabFailed:
    """The failure with what the cluster has told, before what the lab itself has."""
    details = (*event_lines(events), *failure.details)
    return LabFailed(failure.reason, failure.message, failure.advice, details)
