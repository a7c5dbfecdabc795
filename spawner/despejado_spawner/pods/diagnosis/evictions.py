"""Labs that the cluster takes away: evicted, preempted, or with their machine (pure)."""

from __future__ import annotations

import re

from despejado_spawner.errors import LabFailed
from despejado_spawner.pods.diagnosis.pod_view import PodView, text
from despejado_spawner.pods.diagnosis.wording import memory_words, sentence

_LOST = ("NodeLost", "NodeShutdown", "Terminated", "Shutdown")
"""Reasons of pods whose node is gone or goes down (kubelet's, node controller's)."""
_LOST_DISRUPTION = ("DeletionByTaintManager", "DeletionByPodGC", "TerminationByKubelet")
_POD_DISK = re.compile(r"total limit of containers (?P<limit>\S+)")
_ONE_DISK = re.compile(r'exceeded its local ephemeral storage limit "(?P<limit>[^"]+)"')
_FOLDER = re.compile(r'EmptyDir volume "(?P<name>[^"]+)" exceeds the limit "(?P<limit>[^"]+)"')
_NODE = re.compile(r"low on resource: (?P<what>[\w.-]+?)\.?(\s|$)")


def disrupted(view: PodView, bigger_size: str | None) -> LabFailed | None:
    """Why the cluster takes this pod away; None while it does not."""
    if view.reason == "Evicted":
        message, advice = _evicted(view, bigger_size)
        return LabFailed("evicted", message, advice)
    condition = view.condition("DisruptionTarget")
    why = text(condition.get("reason")) if condition.get("status") == "True" else ""
    if view.reason == "Preempting" or why == "PreemptionByScheduler":
        message = "The cluster ended your lab to make room for something that it ranks higher."
        return LabFailed("evicted", message, "Start it again.")
    if why == "EvictionByEvictionAPI":
        message = f"The machine of your lab ({view.node}) is being emptied for maintenance."
        return LabFailed("evicted", message, "Start it again; it will get another machine.")
    if view.reason in _LOST or why in _LOST_DISRUPTION:
        message = f"The machine of your lab ({view.node}) does not answer or was shut down."
        return LabFailed("node_lost", message)
    if why:
        said = text(condition.get("message")) or why
        message = f"The cluster takes your lab away: {sentence(said)}"
        return LabFailed("evicted", message, "Start it again.")
    return None


def _evicted(view: PodView, bigger_size: str | None) -> tuple[str, str | None]:
    """What happened and what to do, from the kubelet's words (its ``eviction/helpers.go``)."""
    said = view.message
    disk = _POD_DISK.search(said) or _ONE_DISK.search(said)
    if disk:
        limit = memory_words(disk["limit"].rstrip("."))
        return f"Your lab wrote more than {limit} to its machine's disk, and was ended.", None
    folder = _FOLDER.search(said)
    if folder:
        limit = memory_words(folder["limit"])
        return f"Your lab filled its volume {folder['name']!r} beyond {limit}, and was ended.", None
    node = _NODE.search(said)
    if node and node["what"] == "memory":
        bigger = f"Start a bigger lab ({bigger_size})." if bigger_size else "Start it again."
        message = (
            f"The machine of your lab ({view.node}) ran out of memory, and ended the labs that "
            "used more than was set aside for them."
        )
        return message, bigger
    if node or "DiskPressure" in said:
        what = {"ephemeral-storage": "disk space", "imagefs": "disk space"}
        lacked = what.get(node["what"], node["what"]) if node else "disk space"
        message = f"The machine of your lab ({view.node}) ran out of {lacked}, and ended labs."
        return message, "Start it again."
    return f"The cluster ended your lab: {sentence(said or 'it gave no reason')}", "Start it again."
