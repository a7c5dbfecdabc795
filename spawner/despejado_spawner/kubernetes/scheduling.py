"""What the scheduler's and the autoscaler's words mean (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from despejado_spawner.kubernetes.read import text
from despejado_spawner.kubernetes.told import in_order

Event = Mapping[str, Any]

_NODES = re.compile(r"(?P<found>\d+)/(?P<all>\d+) nodes are available: (?P<why>.*)", re.S)
_REASON = re.compile(r"(?P<count>\d+) (?P<what>.+)")
_ROOM = re.compile(r"Insufficient (?P<what>[\w./-]+)|Too many pods")
_PASSING_TAINT = re.compile(
    r"node\.kubernetes\.io/(not-ready|unreachable|unschedulable|disk-pressure|memory-pressure|"
    r"pid-pressure|network-unavailable)|uninitialized|node\(s\) were unschedulable|"
    r"node\(s\) had condition"
)
_CLAIM = re.compile(r'persistentvolumeclaim "(?P<name>[^"]+)" (?P<what>not found|is being deleted)')
_UNBOUND = re.compile(r"unbound immediate PersistentVolumeClaims|waiting for .*volume", re.I)
_WORDS = {
    "cpu": "CPU",
    "memory": "memory",
    "ephemeral-storage": "disk space",
}


@dataclass(frozen=True)
class Verdict:
    """Whether a pod that has no place will never get one, and what to say."""

    final: bool
    message: str
    fraction: float = 0.2
    advice: str | None = None
    reason: str = "unschedulable"


def judge(said: str, events: Sequence[Event], *, autoscaler: bool) -> Verdict:
    """What it means that the scheduler has found no place, in its own words ``said``."""
    claim = _CLAIM.search(said)
    if claim:
        message = f"The lab's volume {claim['name']!r} {_claim_words(claim['what'])}."
        return Verdict(True, message, reason="volume")
    scaling = _scaling(events)
    if scaling == "TriggeredScaleUp":
        return Verdict(False, "The cluster is full; it adds a machine for your lab.", 0.5)
    nodes = _NODES.search(said)
    reasons = _reasons(nodes["why"]) if nodes else []
    full = [what for _, what in reasons if _ROOM.search(what)]
    passing = [what for _, what in reasons if _PASSING_TAINT.search(what)]
    total = int(nodes["all"]) if nodes else 0
    if _UNBOUND.search(said):
        return Verdict(False, "Waiting for the lab's volume.", 0.3)
    if full:
        lacking = ", ".join(sorted({_lacking(what) for what in full}))
        refused = scaling == "NotTriggerScaleUp"
        if refused or (_too_big_for_all(said, total) and not autoscaler):
            more = ", nor is any that it could add" if refused else ""
            return Verdict(
                True,
                f"No machine of the cluster is big enough for this lab ({lacking}){more}.",
                advice="Choose a smaller size.",
            )
        return Verdict(
            False,
            f"The cluster has no room for your lab now ({lacking}); it starts when there is.",
        )
    if passing:
        return Verdict(False, "The cluster's machines are not ready at present; waiting for one.")
    if not nodes or total == 0:
        return Verdict(
            False, "The cluster has no machine at present." if nodes else "Looking for a place."
        )
    if autoscaler and scaling != "NotTriggerScaleUp":
        return Verdict(False, "No machine is right for your lab; the cluster may add one.", 0.3)
    return Verdict(
        True,
        f"None of the cluster's {total} machine{'' if total == 1 else 's'} may run this lab: "
        f"{'; '.join(f'{count} {what}' for count, what in reasons) or said}.",
    )


def _too_big_for_all(said: str, total: int) -> bool:
    """Whether the lab would not fit even if every machine were empty.

    The scheduler then calls preemption "not helpful"; where a machine is only full it has found
    no victims, or some.
    """
    match = re.search(r"preemption: .*?(\d+) Preemption is not helpful", said)
    return match is not None and int(match[1]) == total > 0


def _scaling(events: Sequence[Event]) -> str | None:
    """The autoscaler's last word; one that is only pausing has not spoken."""
    for event in reversed(in_order(events)):
        reason = text(event.get("reason"))
        if reason == "TriggeredScaleUp":
            return reason
        if reason == "NotTriggerScaleUp" and not re.search(
            r"in backoff|max node group size reached|not ready", text(event.get("message"))
        ):
            return reason
    return None


def _reasons(why: str) -> list[tuple[int, str]]:
    """The counted reasons before the scheduler's remarks on claims and preemption."""
    counted = re.split(r"\. |\.$", why)[0] if not why.startswith("no ") else ""
    found = []
    for each in re.split(r", (?=\d+ )", counted):
        match = _REASON.match(each.strip())
        if match:
            found.append((int(match["count"]), match["what"].rstrip(". ")))
    return found


def _lacking(what: str) -> str:
    match = _ROOM.search(what)
    if match is None or match["what"] is None:
        return "too many labs on each"
    return f"not enough {_WORDS.get(match['what'], match['what'])}"


def _claim_words(what: str) -> str:
    return "does not exist" if what == "not found" else "is being deleted"
