"""Volumes that do not come: which of the troubles heal (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from despejado_spawner.pods.diagnosis.events import began, healed
from despejado_spawner.pods.diagnosis.pod_view import PodView, text
from despejado_spawner.pods.diagnosis.wording import sentence

Event = Mapping[str, Any]

_ON_THE_NODE = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_OF_THE_CLAIM = ("ProvisioningFailed",)
_FINAL = re.compile(
    r"no such file or directory|permission denied|access denied|wrong fs type|not permitted|"
    r"type check failed|not a directory|invalid argument|references non-existent|"
    r"(configmap|secret|persistentvolume(claim)?)s? \S+ not found|storageclass\S* \S+ not found",
    re.I,
)
_HEALS = re.compile(
    r"failed to sync|timed ?out|timeout|Multi-Attach|connection refused|try again|not registered|"
    r"already exists|in progress|being (deleted|detached)",
    re.I,
)
_SLOW = re.compile(
    r"no such host|name or service not known|failed to resolve|no route to host|"
    r"not found in the list of registered CSI drivers|unreachable",
    re.I,
)
_PATIENCE = 3.0
"""Seconds for which what looks final may still be a node that is behind."""
_LONG_PATIENCE = 60.0
"""Seconds for which a name server or a driver may be away: a node that has just come up."""


def failure(view: PodView, events: Sequence[Event], now: datetime) -> str | None:
    """Why a volume of the pod will not come; None while it may."""
    for event in events[healed(events) :]:
        reason = event.get("reason")
        if reason not in (*_ON_THE_NODE, *_OF_THE_CLAIM):
            continue
        said = text(event.get("message"))
        patience = _patience(said)
        since = began(event)
        if patience is None or since is None or (now - since).total_seconds() < patience:
            continue
        if reason in _OF_THE_CLAIM:
            return f"A volume for the lab cannot be made: {sentence(said)}"
        return _not_mounted(said, view)
    return None


def hopeful(events: Sequence[Event]) -> str | None:
    """What to say while a volume keeps the lab waiting."""
    for event in reversed(events[healed(events) :]):
        reason = event.get("reason")
        if reason == "SuccessfulAttachVolume":
            return None
        if reason == "VolumePermissionChangeInProgress":
            return "Giving you the files of your volume; that takes long where there are many."
        if reason in _ON_THE_NODE:
            if "Multi-Attach" in text(event.get("message")):
                return "Your volume is still in use by an earlier lab; waiting until it is free."
            return "Waiting for the lab's volumes."
    return None


def _not_mounted(said: str, view: PodView) -> str:
    """The volume's name and the last line of what mounting it has said."""
    named = re.match(r'\S+ failed for volume "(?P<name>[^"]+)" : (?P<why>.*)', said, re.S)
    volume = f"The lab's volume {named['name']!r}" if named else "A volume of the lab"
    why = (named["why"] if named else said).strip().splitlines()[-1].removeprefix("Output: ")
    return f"{volume} cannot be mounted on {view.node}: {sentence(why)}"


def _patience(said: str) -> float | None:
    """Seconds until this is taken as final; None for what heals by itself."""
    if _SLOW.search(said):
        return _LONG_PATIENCE
    if _HEALS.search(said) or not _FINAL.search(said):
        return None
    return _PATIENCE
