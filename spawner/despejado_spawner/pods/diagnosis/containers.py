"""Why a container does not start, and what to say while it may (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from despejado_spawner.errors import LabFailed
from despejado_spawner.pods.diagnosis import endings, pulls
from despejado_spawner.pods.diagnosis.events import began, healed, newest
from despejado_spawner.pods.diagnosis.pod_view import ContainerState, PodView, text
from despejado_spawner.pods.diagnosis.wording import sentence

Event = Mapping[str, Any]

_COMMAND_REASONS = (
    "RunContainerError",
    "StartError",
    "ContainerCannotRun",
    "CreateContainerError",
)
_HOOK_REASONS = ("PreCreateHookError", "PreStartHookError", "PostStartHookError")
_PATIENCE_CONFIG = 3.0
"""Seconds for which a missing ConfigMap may only be one that the node has not heard of."""
_ROOT = re.compile(r"runAsNonRoot|non-numeric user|will run as root", re.I)
_LATE = re.compile(r"(configmap|secret)s? \S+ not found|not registered|not yet been read", re.I)
_NO_RUNTIME = re.compile(r"no runtime for|RuntimeHandler .*not supported|unknown runtime handler")


def stuck(
    view: PodView,
    container: ContainerState,
    events: Sequence[Event],
    *,
    now: datetime,
    image_patience: float,
    bigger_size: str | None,
) -> LabFailed | None:
    """Why this waiting container will not run; None while it may."""
    reason, said = container.reason, container.message
    if reason in pulls.REASONS:
        return pulls.failure(view, container, events, now=now, patience=image_patience)
    if reason == "CreateContainerConfigError":
        return _not_configurable(said, events, now)
    if reason in _COMMAND_REASONS:
        return endings.not_startable(said)
    if reason in _HOOK_REASONS:
        message = f"A command that belongs to the lab's start failed: {sentence(said or reason)}"
        return LabFailed("container_config", message)
    if reason == "CrashLoopBackOff":
        return endings.crash_loop(view, container, bigger_size)
    return None


def preparing(view: PodView) -> str | None:
    """What to say while a container that runs before the lab does its work."""
    for container in view.containers():
        if container.init and not container.sidecar and container.kind == "running":
            return f"Preparing the lab ({container.name})."
    return None


def machine_away(view: PodView) -> str | None:
    """What to say while the machine does not answer; None if it does.

    Nothing tells of it but this: the node's controller takes back that the pod is ready, without
    a reason. It may come back; after five minutes (``tolerationSeconds``) it is given up.
    """
    ready = view.condition("Ready")
    if ready.get("status") == "False" and not ready.get("reason"):
        return f"The machine of your lab ({view.node}) does not answer at present."
    return None


def no_sandbox(view: PodView, events: Sequence[Event]) -> str | None:
    """Why the pod itself can never be made on its node; None while it may."""
    event = newest(events[healed(events) :], "FailedCreatePodSandBox")
    if event is None or not _NO_RUNTIME.search(text(event.get("message"))):
        return None
    return f"The runtime class that labs are configured with is not on the machine {view.node}."


def sandbox_trouble(events: Sequence[Event]) -> str | None:
    """What to say while the node cannot set up the pod and tries again."""
    if newest(events[healed(events) :], "FailedCreatePodSandBox", "NetworkNotReady") is None:
        return None
    return "The machine has trouble to set up the lab's network; trying again."


def _not_configurable(said: str, events: Sequence[Event], now: datetime) -> LabFailed | None:
    if _ROOT.search(said):
        who = "as a user that has no number" if "non-numeric" in said else "as root"
        message = f"The image runs {who}, which a lab may not."
        return LabFailed("container_config", message, "Choose another image.")
    # The node may hear of a ConfigMap a moment after the pod; everything else is final.
    if _LATE.search(said):
        event = next((each for each in events if each.get("reason") == "Failed"), None)
        since = began(event) if event is not None else None
        if since is None or (now - since).total_seconds() < _PATIENCE_CONFIG:
            return None
    folder = re.search(r'subPath.* for volumeMount "(?P<name>[^"]+)"', said)
    if folder:
        message = f"The lab's folder on its volume {folder['name']!r} cannot be used."
        return LabFailed("container_config", message)
    return LabFailed("container_config", f"The lab's container cannot be made: {sentence(said)}")
