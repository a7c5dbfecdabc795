"""Volumes that do not come: which of the node's troubles heal (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from despejado_spawner.kubernetes.read import PodView, text
from despejado_spawner.kubernetes.told import in_order, since

Event = Mapping[str, Any]

_REASONS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_FINAL = re.compile(
    r"no such file or directory|No such file or directory|does not exist|permission denied|"
    r"Permission denied|access denied by server|wrong fs type|hostPath type check failed|"
    r"not a directory|failed to prepare subPath|invalid argument|"
    r"(configmap|secret|persistentvolumeclaim|references non-existent \w+ key).* not found|"
    r"references non-existent",
)
_HEALS = re.compile(r"failed to sync|timed out|timeout|Multi-Attach|connection refused|try again")
_PATIENCE = 3.0
"""Seconds for which what looks final may still be a node that is behind."""


def failure(view: PodView, events: Sequence[Event], now: datetime) -> str | None:
    """Why a volume of the pod will not come; None while it may."""
    for event in in_order(events):
        if event.get("reason") not in _REASONS:
            continue
        said = text(event.get("message"))
        if _HEALS.search(said) or not _FINAL.search(said):
            continue
        waited = since(event, now, first=True)
        if waited is not None and waited >= _PATIENCE:
            return f"A volume of the lab cannot be mounted on {view.node}: {said}"
    return None


def hopeful(events: Sequence[Event]) -> str | None:
    """What to say while a volume keeps the lab waiting."""
    for event in reversed(in_order(events)):
        reason = event.get("reason")
        if reason in ("Pulling", "Pulled", "Created", "Started", "SuccessfulAttachVolume"):
            return None
        if reason in _REASONS:
            said = text(event.get("message"))
            if "Multi-Attach" in said:
                return "Your volume is still in use by an earlier lab; waiting until it is free."
            return "Waiting for the lab's volumes."
    return None
