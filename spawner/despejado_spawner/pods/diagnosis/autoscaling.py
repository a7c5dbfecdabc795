"""What autoscalers say of a pod that has no place (pure).

Wordings: cluster-autoscaler 1.34 (``processors/status/eventing_scale_up_processor.go`` and the
skipped reasons of ``core/scaleup``), GKE's ``FailedScaleUp``, Karpenter 1.x
(``scheduling/events.go``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any

from despejado_spawner.pods.diagnosis.events import component
from despejado_spawner.pods.diagnosis.pod_view import text

Event = Mapping[str, Any]

_LIMITED = re.compile(
    r"max (node group size|limit|total nodes|cluster \w+)[\w ,]* (reached|limit)|max limit reached|"
    r"node group size reached|total nodes|in backoff|not ready|unhealthy|exceed limits|"
    r"insufficient capacity|quota|unavailable offerings",
    re.I,
)
_COUNTED = re.compile(r"\d+ \S+")


class Scaling(Enum):
    """An autoscaler's last word on a pod."""

    COMING = auto()
    """A machine for it is on its way."""
    SHORT = auto()
    """It would add one if it could: at its maximum, or the cloud has none to give."""
    NEVER = auto()
    """No kind of machine that it could add would do."""


def last_word(events: Sequence[Event]) -> Scaling | None:
    """The last that an autoscaler has said, of ordered events; None if there seems to be none."""
    for event in reversed(events):
        reason, said = event.get("reason"), text(event.get("message"))
        if reason in ("TriggeredScaleUp", "Nominated"):
            return Scaling.COMING
        if reason == "FailedScaleUp":
            return Scaling.SHORT
        if reason == "NotTriggerScaleUp":
            # Without a counted reason it has not looked at any group yet.
            why = said.partition(":")[2]
            if _LIMITED.search(said) or not (_COUNTED.search(why) or "wouldn't fit" in said):
                return Scaling.SHORT
            return Scaling.NEVER
        if reason == "FailedScheduling" and "karpenter" in component(event):
            return Scaling.SHORT if _LIMITED.search(said) else Scaling.NEVER
    return None
