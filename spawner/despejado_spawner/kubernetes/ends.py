"""How labs end: killed for memory, evicted, crashed, deleted, with their machine (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from despejado_spawner.errors import LabFailed
from despejado_spawner.kubernetes.read import ContainerState, PodView, part, text
from despejado_spawner.kubernetes.reasons import failed

Event = Mapping[str, Any]

_MISSING = re.compile(
    r"executable file not found|no such file or directory|not a directory|permission denied|"
    r"exec format error"
)
_LOST = ("NodeLost", "NodeStatusUnknown", "NodeShutdown", "Terminated", "Shutdown")
_LOST_DISRUPTION = ("DeletionByTaintManager", "DeletionByPodGC", "TerminationByKubelet")
_SIGKILL = 137


def ended(
    view: PodView, events: Sequence[Event], bigger_size: str | None, details: tuple[str, ...]
) -> LabFailed | None:
    """How the pod has ended or is ending; None while it may live."""
    disrupted = view.condition("DisruptionTarget")
    if view.reason == "Evicted" or disrupted.get("reason") == "EvictionByEvictionAPI":
        said = view.message or text(disrupted.get("message")) or "its machine needed the space"
        return failed("evicted", f"The cluster has ended your lab: {said}", None, details)
    if view.reason in _LOST or (
        disrupted.get("status") == "True" and disrupted.get("reason") in _LOST_DISRUPTION
    ):
        return failed("node_lost", f"The machine of your lab ({view.node}) is gone.", None, details)
    for container in view.containers():
        if container.kind != "terminated":
            continue
        if container.init and container.exit_code == 0:
            continue
        if container.init or container.is_lab:
            return _terminated(view, container, bigger_size, details)
    if view.phase in ("Failed", "Succeeded"):
        said = view.message or view.reason or "no reason given"
        if view.reason in ("OutOfcpu", "OutOfmemory", "OutOfpods", "NodeAffinity", "Admission"):
            return failed("unschedulable", f"The machine refused the lab: {said}", "", details)
        return failed("crashed", f"The lab has failed: {said}", None, details)
    if view.deleting:
        return failed("deleted", "The lab is being deleted in the cluster.", None, details)
    return None


def not_startable(said: str, details: tuple[str, ...]) -> LabFailed | None:
    """What a container that cannot be started has said; None for what the node tries again."""
    if not said or re.search(r"context deadline exceeded|is reserved for|timeout", said):
        return None
    short = said.strip().splitlines()[-1]
    match = re.search(r'exec: \\?"(?P<program>[^"\\]+)\\?": (?P<why>[^:]+)', said)
    if match:
        message = f"The image cannot start a lab: {match['program']}: {match['why'].strip()}."
        return failed("command", message, None, details)
    if _MISSING.search(said):
        return failed("command", f"The image cannot start a lab: {short}", None, details)
    return failed("container_config", f"The lab's container cannot start: {short}", None, details)


def crash_loop(view: PodView, container: ContainerState, details: tuple[str, ...]) -> LabFailed:
    """A container that the site's restart policy starts again and again."""
    last = _last_exit(view, container)
    return failed(
        "crashed",
        f"The lab's {_what(container)} ends as soon as it starts{last}.",
        None,
        details,
    )


def _terminated(
    view: PodView, container: ContainerState, bigger_size: str | None, details: tuple[str, ...]
) -> LabFailed:
    limit = _memory_limit(view, container)
    if container.reason == "OOMKilled":
        bigger = (
            f"Start a bigger lab ({bigger_size}), or one with less in memory."
            if bigger_size
            else "Have less in memory at a time; there is no bigger size."
        )
        return failed(
            "out_of_memory", f"Your lab needed more memory than its {limit}.", bigger, details
        )
    if container.reason in ("StartError", "ContainerCannotRun"):
        failure = not_startable(container.message, details)
        if failure is not None:
            return failure
    said = container.message.strip()
    how = f"exit code {container.exit_code}"
    if container.exit_code == _SIGKILL:
        how += ", killed"
    own = f": {said.rstrip('.')}." if said else "."
    if container.exit_code == 0 and container.is_lab:
        return failed(
            "ended", "The lab has ended by itself" + (own if said else "."), None, details
        )
    message = f"The lab's {_what(container)} ended with {how}{own}"
    return failed("crashed", message, None, details)


def _what(container: ContainerState) -> str:
    return "server" if container.is_lab else f"container {container.name!r}"


def _memory_limit(view: PodView, container: ContainerState) -> str:
    key = "initContainers" if container.init else "containers"
    for each in part(view.pod, "spec", key) or ():
        if part(each, "name") == container.name:
            limit = part(each, "resources", "limits", "memory")
            return f"limit of {limit}" if limit else "machine has"
    return "limit"


def _last_exit(view: PodView, container: ContainerState) -> str:
    for each in part(view.pod, "status", "containerStatuses") or ():
        if part(each, "name") == container.name:
            code = part(each, "lastState", "terminated", "exitCode")
            return f" (exit code {code})" if code is not None else ""
    return ""
