"""What the scheduler's words mean for a pod that has no place (pure).

Wordings: the scheduler's plugins of Kubernetes 1.36, and of 1.24 to 1.34 where they differ (which
taint a machine has, say, is told up to 1.34 only).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from despejado_spawner.pods.diagnosis.autoscaling import Scaling, last_word
from despejado_spawner.pods.diagnosis.events import component, is_harmless
from despejado_spawner.pods.diagnosis.wording import sentence

Event = Mapping[str, Any]

_NODES = re.compile(r"0/(?P<all>\d+) nodes are available: (?P<why>.*)", re.S)
_COUNTED = re.compile(r"(?P<count>\d+) (?P<what>.+)")
_CLAIM = re.compile(
    r'persistentvolumeclaim "(?P<name>[^"]+)" (?P<what>not found|is being deleted)|'
    r'persistentvolumeclaim "(?P<lost>[^"]+)" bound to non-existent persistentvolume'
)
_UNBOUND = re.compile(
    r"unbound immediate PersistentVolumeClaims|waiting for .*(volume|claim)|binding volumes", re.I
)
_NOT_HELPFUL = re.compile(r"preemption: .*?(\d+) Preemption is not helpful")
_LACK = re.compile(r"Insufficient (?P<what>[\w./-]+)")
_RESOURCES = {"cpu": "CPU", "memory": "memory", "ephemeral-storage": "disk space"}
_PATIENCE_CLAIM = 3.0
"""Seconds for which a claim that was just made may not have come to the scheduler."""
_PATIENCE_TAINT = 120.0
"""Seconds for which an unnamed taint may be that of a machine that is just not ready."""


class Kind(Enum):
    """What can become of a machine that refuses a pod."""

    FULL = auto()
    """Other pods are in the way."""
    PASSING = auto()
    """It is not ready, or closed for a while."""
    UNTOLD = auto()
    """A taint that may be either."""
    NEVER = auto()
    """It is not for this pod."""


_KINDS: Sequence[tuple[str, Kind, str]] = (
    (r"Insufficient |Too many pods", Kind.FULL, "full"),
    (r"didn't have free ports", Kind.FULL, "in use on a port of the lab"),
    (r"exceed max volume count", Kind.FULL, "without room for another volume"),
    (r"ReadWriteOncePod|no available disk", Kind.FULL, "where your volume is still in use"),
    (r"anti-affinity|topology spread", Kind.FULL, "with too many labs already"),
    (
        r"taint \{(node\.kubernetes\.io/|node\.cloudprovider\.kubernetes\.io/uninitialized)",
        Kind.PASSING,
        "not ready",
    ),
    (r"were unschedulable|had (unknown )?condition", Kind.PASSING, "closed for new labs"),
    (r"untolerated taint\(s\)", Kind.UNTOLD, "reserved, or not ready"),
    (r"taint", Kind.NEVER, "reserved for other work"),
    (
        r"volume node affinity|PersistentVolume's node affinity|available volume zone",
        Kind.NEVER,
        "out of reach of the lab's volume",
    ),
    (
        r"node affinity/selector|node affinity$|node selector|requested node|scheduler-enforced",
        Kind.NEVER,
        "not of the kind that labs are set to",
    ),
    (
        r"non-existent pv|persistent volumes to bind|enough free storage",
        Kind.NEVER,
        "without a volume for the lab",
    ),
    (r"", Kind.NEVER, ""),
)
"""Pattern of a reason, what can become of it, and what the machines are; first match."""


@dataclass(frozen=True)
class Verdict:
    """Whether a pod that has no place will never get one, and what to say."""

    final: bool
    message: str
    fraction: float = 0.2
    advice: str | None = None
    reason: str = "unschedulable"


@dataclass(frozen=True)
class Refusal:
    """Some machines that refuse the pod for one reason."""

    count: int
    what: str

    @property
    def kind(self) -> Kind:
        """What can become of this refusal."""
        return next(kind for pattern, kind, _ in _KINDS if re.search(pattern, self.what))

    @property
    def words(self) -> str:
        """What these machines are, without their number."""
        found = next(words for pattern, _, words in _KINDS if re.search(pattern, self.what))
        return found or f'"{self.what}"'


def is_refusal(event: Event) -> bool:
    """Whether the scheduler says in this event that it has found no place."""
    return (
        event.get("reason") == "FailedScheduling"
        and "karpenter" not in component(event)
        and not is_harmless(event)
    )


def judge(said: str, events: Sequence[Event], *, autoscaler: bool, waited: float) -> Verdict:
    """What it means that the scheduler has found no place, in its own words ``said``.

    ``events`` are in order; ``autoscaler`` says that the site has one, whether or not it has
    spoken; ``waited`` is for how many seconds there has been no place.
    """
    claim = _claim(said, waited)
    if claim is not None:
        return claim
    scaling = last_word(events)
    if scaling is Scaling.COMING:
        return Verdict(False, "The cluster is full; it adds a machine for your lab.", 0.5)
    if _UNBOUND.search(said):
        return Verdict(False, "Waiting for the lab's volume to be made.", 0.3)
    total, refusals = _refusals(said)
    if not refusals:
        if "no nodes available" in said or said.startswith("0/0 "):
            return Verdict(False, "The cluster has no machine at present; waiting for one.")
        return Verdict(False, "Looking for a place in the cluster.")
    kinds = {each.kind for each in refusals}
    if Kind.FULL in kinds:
        return _full(said, total, refusals, scaling, autoscaler=autoscaler)
    passing = [each for each in refusals if each.kind is Kind.PASSING]
    if passing:
        return Verdict(
            False, f"The machines for labs are {passing[0].words} at present; waiting for one."
        )
    if Kind.UNTOLD in kinds and waited < _PATIENCE_TAINT:
        return Verdict(
            False, "The machines for labs are reserved, or not ready at present; waiting for one."
        )
    if scaling is Scaling.SHORT:
        return Verdict(False, "The cluster needs another kind of machine, and has none to add now.")
    if autoscaler and scaling is None:
        return Verdict(False, "No machine is right for your lab; the cluster may add one.", 0.3)
    if total == 1:
        message = f"The cluster's only machine may not run this lab: it is {refusals[0].words}."
    else:
        told = "; ".join(f"{each.count} {each.words}" for each in refusals)
        message = f"None of the cluster's {total} machines may run this lab: {told}."
    volume = all(re.search(r"volume|storage|pv", each.what, re.I) for each in refusals)
    return Verdict(True, message, reason="volume" if volume else "unschedulable")


def _full(
    said: str,
    total: int,
    refusals: Sequence[Refusal],
    scaling: Scaling | None,
    *,
    autoscaler: bool,
) -> Verdict:
    lacking = ", ".join(sorted({_lacking(each) for each in refusals if each.kind is Kind.FULL}))
    kinds = {each.kind for each in refusals}
    never = scaling is Scaling.NEVER
    hopeful = Kind.PASSING in kinds or scaling is Scaling.SHORT or (autoscaler and scaling is None)
    if not hopeful and (never or _too_big_for_all(said, total)):
        message = f"No machine of the cluster is big enough for this lab ({lacking})"
        if never:
            message += ", nor is any that it could add"
        if Kind.UNTOLD in kinds:
            message += "; others are reserved, or not ready"
        return Verdict(True, f"{message}.", advice="Choose a smaller size.")
    full = f"The cluster has no room for your lab now ({lacking}"
    if scaling is Scaling.SHORT:
        full += ", and it cannot add a machine at present"
    return Verdict(False, f"{full}); your lab starts when there is.")


def _claim(said: str, waited: float) -> Verdict | None:
    claim = _CLAIM.search(said)
    if claim is None:
        return None
    if claim["lost"]:
        message = f"The storage of the lab's volume {claim['lost']!r} is gone."
        return Verdict(True, message, reason="volume")
    if claim["what"] == "not found":
        if waited < _PATIENCE_CLAIM:
            return Verdict(False, "Waiting for the lab's volume to be made.", 0.3)
        message = f"The lab's volume {claim['name']!r} does not exist."
    else:
        message = f"The lab's volume {claim['name']!r} is being deleted."
    return Verdict(True, message, reason="volume")


def _too_big_for_all(said: str, total: int) -> bool:
    """Whether the lab would not fit even if every machine were empty.

    The scheduler then calls preemption "not helpful"; where a machine is only full it has found
    no victims, or some.
    """
    match = _NOT_HELPFUL.search(said)
    return match is not None and int(match[1]) == total > 0


def _refusals(said: str) -> tuple[int, list[Refusal]]:
    """How many machines there are, and the counted reasons; one machine may have several.

    After the reasons come remarks on preemption. A reason without a count holds for all machines.
    """
    nodes = _NODES.search(said)
    if nodes is None:
        return 0, []
    total = int(nodes["all"])
    why = re.split(r"\.? (preemption:|no new claims)", nodes["why"], maxsplit=1)[0].rstrip(". ")
    found = []
    for each in re.split(r", (?=\d+ )|\. ", why):
        match = _COUNTED.fullmatch(each.strip())
        if match:
            found.append(Refusal(int(match["count"]), match["what"]))
        elif each.strip():
            found.append(Refusal(total, sentence(each).rstrip(".")))
    return total, found


def _lacking(refusal: Refusal) -> str:
    match = _LACK.search(refusal.what)
    if match is None:
        return "too many labs" if "pods" in refusal.what else refusal.words
    what = match["what"]
    if what.endswith("/gpu"):
        return "not enough GPUs"
    return f"not enough {_RESOURCES.get(what, what)}"
