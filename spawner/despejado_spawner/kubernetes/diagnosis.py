"""What a pod and its events mean: where a lab is, why it will not come, how it ended (pure).

The words that are looked for are those of Kubernetes 1.36 with containerd 1.6, recorded in
``tests/spawner/kubernetes/data/situations``, and of containerd 2, CRI-O and the cluster
autoscaler, from their sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from despejado_spawner.errors import LabFailed
from despejado_spawner.kubernetes import ends, pulls, scheduling, volumes
from despejado_spawner.kubernetes.names import HOME_GATE, TITLE_ANNOTATION
from despejado_spawner.kubernetes.read import ContainerState, PodView, part, text
from despejado_spawner.kubernetes.reasons import failed
from despejado_spawner.kubernetes.told import event_lines, newest, since
from despejado_spawner.progress import Phase

Event = Mapping[str, Any]

_CONFIG_REASONS = ("CreateContainerConfigError",)
_COMMAND_REASONS = (
    "RunContainerError",
    "StartError",
    "ContainerCannotRun",
    "CreateContainerError",
)
_PATIENCE_CONFIG = 3.0
"""Seconds for which a missing ConfigMap may only be one that the node has not heard of."""


@dataclass(frozen=True)
class Settings:
    """What of the site counts for the meaning of a state."""

    autoscaler: bool = False
    image_retry_seconds: float = 120.0
    bigger_size: str | None = None


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
    """The lab's container runs; whether its server answers is to be asked there."""

    ip: str
    node: str | None


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
    pod: Mapping[str, Any], events: Sequence[Event], *, now: datetime, settings: Settings
) -> Diagnosis:
    """Where the lab is. ``events`` are those of this very pod, ``now`` the time with its zone."""
    view = PodView(pod)
    details = tuple(event_lines(events))
    over = ends.ended(view, events, settings.bigger_size, details)
    if over is not None:
        return Ended(over)
    lab = view.lab
    if lab is not None and lab.kind == "running" and view.ip:
        return Running(view.ip, view.node)
    if HOME_GATE in view.gates:
        return Waiting(Phase.HOME, "Preparing your home folder.", None, None, details)
    if view.gates:
        held = f"The cluster holds the lab back ({', '.join(view.gates)})."
        return Waiting(Phase.QUEUED, held, None, None, details)
    if view.node is None:
        return _unscheduled(view, events, settings, details)
    for container in view.containers():
        failure = _stuck(view, container, events, now, settings, details)
        if failure is not None:
            return Failed(failure)
    lost = volumes.failure(view, events, now)
    if lost is not None:
        return Failed(failed("volume", lost, None, details))
    return _on_its_node(view, events, details)


def _unscheduled(
    view: PodView, events: Sequence[Event], settings: Settings, details: tuple[str, ...]
) -> Diagnosis:
    condition = view.condition("PodScheduled")
    said = text(condition.get("message"))
    if condition.get("reason") not in ("Unschedulable", "SchedulerError"):
        return Waiting(Phase.SCHEDULING, "Looking for a place in the cluster.", None, None, details)
    verdict = scheduling.judge(said, events, autoscaler=settings.autoscaler)
    if verdict.final:
        return Failed(failed(verdict.reason, verdict.message, verdict.advice, details))
    return Waiting(Phase.SCHEDULING, verdict.message, None, verdict.fraction, details)


def _stuck(
    view: PodView,
    container: ContainerState,
    events: Sequence[Event],
    now: datetime,
    settings: Settings,
    details: tuple[str, ...],
) -> LabFailed | None:
    """Why this container will not run; None while it may."""
    if container.kind != "waiting":
        return None
    reason, said = container.reason, container.message
    if reason in pulls.REASONS:
        return pulls.failure(
            container, events, now=now, patience=settings.image_retry_seconds, details=details
        )
    if reason in _CONFIG_REASONS:
        waited = since(newest(events, "Failed"), now, first=True)
        late = waited is not None and waited >= _PATIENCE_CONFIG
        # The kubelet may hear of a ConfigMap a moment after the pod; everything else is final.
        if "not found" in said and "couldn't find key" not in said and not late:
            return None
        return failed("container_config", _config_words(said), None, details)
    if reason in _COMMAND_REASONS:
        return ends.not_startable(said, details)
    if reason == "CrashLoopBackOff":
        return ends.crash_loop(view, container, details)
    return None


def _config_words(said: str) -> str:
    if "runAsNonRoot" in said or "non-numeric user" in said:
        return (
            "The image runs as root or as a user without a number, which labs may not: "
            f"{said.strip()}"
        )
    return f"The lab's container cannot be made: {said.strip()}"


def _on_its_node(view: PodView, events: Sequence[Event], details: tuple[str, ...]) -> Diagnosis:
    title = text(part(view.pod, "metadata", "annotations", TITLE_ANNOTATION)) or view.image
    pulling = pulls.state(view, events, title)
    if pulling is not None:
        return Waiting(Phase.PULLING, pulling.message, view.node, pulling.fraction, details)
    waits = volumes.hopeful(events)
    message = waits or "Setting up the lab on its machine."
    return Waiting(Phase.PULLING, message, view.node, 0.0, details)
