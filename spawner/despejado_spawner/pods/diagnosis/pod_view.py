"""A pod as the API has it, read without surprises: what is missing is absent, never an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from despejado_spawner.pods.names import CONTAINER


def part(value: object, *path: str) -> Any:
    """What lies at a path of mappings; None where anything on the way is not there."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def items(value: object) -> Sequence[Mapping[str, Any]]:
    """The mappings of a list; none for anything that is no list."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else ()


def text(value: object) -> str:
    """A text, empty for anything else."""
    return value if isinstance(value, str) else ""


def parse_time(value: object) -> datetime | None:
    """A time of the API; None for anything else."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


@dataclass(frozen=True)
class ContainerState:
    """The state of one container: ``kind`` is waiting, running or terminated, or empty.

    ``sidecar`` is an init container that goes on beside the lab (``restartPolicy: Always``);
    ``last`` is how its run before this one ended, as the API has it.
    """

    name: str
    image: str
    kind: str
    reason: str
    message: str
    exit_code: int | None = None
    began: datetime | None = None
    finished: datetime | None = None
    ready: bool = False
    init: bool = False
    sidecar: bool = False
    last: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_lab(self) -> bool:
        """Whether this is the container that the single-user server runs in."""
        return self.name == CONTAINER and not self.init

    @property
    def needed(self) -> bool:
        """Whether there is no lab without it; a container beside the lab may fail."""
        return self.is_lab or self.init


@dataclass(frozen=True)
class PodView:
    """A typed look at a pod."""

    pod: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The pod's name; as all texts here, empty if there is none."""
        return text(part(self.pod, "metadata", "name"))

    @property
    def namespace(self) -> str:
        """The namespace that the pod is in."""
        return text(part(self.pod, "metadata", "namespace"))

    @property
    def uid(self) -> str:
        """What tells this pod from an earlier one of the same name."""
        return text(part(self.pod, "metadata", "uid"))

    @property
    def phase(self) -> str:
        """``Pending``, ``Running``, ``Succeeded``, ``Failed`` or ``Unknown``."""
        return text(part(self.pod, "status", "phase"))

    @property
    def reason(self) -> str:
        """Why the whole pod is in its phase: ``Evicted``, ``NodeLost`` and so on."""
        return text(part(self.pod, "status", "reason"))

    @property
    def message(self) -> str:
        """The sentence that belongs to ``reason``."""
        return text(part(self.pod, "status", "message"))

    @property
    def node(self) -> str | None:
        """The machine that the scheduler has chosen; None before."""
        return text(part(self.pod, "spec", "nodeName")) or None

    @property
    def ip(self) -> str | None:
        """The pod's address; None until its machine has given it one."""
        return text(part(self.pod, "status", "podIP")) or None

    @property
    def created(self) -> datetime | None:
        """When the API server took the pod."""
        return parse_time(part(self.pod, "metadata", "creationTimestamp"))

    @property
    def deleting(self) -> bool:
        """Whether somebody has asked for its deletion; its containers may still run."""
        return bool(part(self.pod, "metadata", "deletionTimestamp"))

    @property
    def deletion_asked(self) -> datetime | None:
        """When the deletion was asked for: the API says when its grace period is over."""
        over = parse_time(part(self.pod, "metadata", "deletionTimestamp"))
        grace = part(self.pod, "metadata", "deletionGracePeriodSeconds")
        if over is None or not isinstance(grace, int):
            return over
        return over - timedelta(seconds=grace)

    @property
    def gates(self) -> tuple[str, ...]:
        """The names of the scheduling gates that are still closed."""
        found = items(part(self.pod, "spec", "schedulingGates"))
        return tuple(text(each.get("name")) for each in found)

    def condition(self, kind: str) -> Mapping[str, Any]:
        """A condition by its type; empty if the pod has none of it."""
        for each in items(part(self.pod, "status", "conditions")):
            if each.get("type") == kind:
                return each
        return {}

    def holds(self, kind: str) -> bool | None:
        """Whether a condition is true; None if it is unknown or there is none of it."""
        return {"True": True, "False": False}.get(text(self.condition(kind).get("status")))

    def containers(self) -> Iterator[ContainerState]:
        """All containers, init containers first."""
        for key, init in (("initContainerStatuses", True), ("containerStatuses", False)):
            for status in items(part(self.pod, "status", key)):
                name = text(status.get("name"))
                sidecar = init and self.declared(name, init=True).get("restartPolicy") == "Always"
                yield _state(status, init=init, sidecar=sidecar)

    def declared(self, name: str, *, init: bool) -> Mapping[str, Any]:
        """A container as it was asked for; empty if the pod has none of that name."""
        for each in items(part(self.pod, "spec", "initContainers" if init else "containers")):
            if each.get("name") == name:
                return each
        return {}

    @property
    def lab(self) -> ContainerState | None:
        """The lab's own container; None before the node knows of it."""
        return next((each for each in self.containers() if each.is_lab), None)

    @property
    def exit_code(self) -> int | None:
        """With what the lab's container has ended."""
        return self.lab.exit_code if self.lab is not None else None

    @property
    def image(self) -> str:
        """The image of the lab's container, as it was asked for."""
        return text(self.declared(CONTAINER, init=False).get("image"))

    def note(self, annotation: str) -> str:
        """An annotation, empty if there is none of it."""
        return text(part(self.pod, "metadata", "annotations", annotation))


def _state(status: Mapping[str, Any], *, init: bool, sidecar: bool) -> ContainerState:
    state = part(status, "state")
    kind = next((each for each in ("terminated", "running", "waiting") if part(state, each)), "")
    detail = part(state, kind) if kind else None
    code, last = part(detail, "exitCode"), part(status, "lastState", "terminated")
    return ContainerState(
        name=text(status.get("name")),
        image=text(status.get("image")),
        kind=kind,
        reason=text(part(detail, "reason")),
        message=text(part(detail, "message")),
        exit_code=code if isinstance(code, int) else None,
        began=parse_time(part(detail, "startedAt")),
        finished=parse_time(part(detail, "finishedAt")),
        ready=status.get("ready") is True,
        init=init,
        sidecar=sidecar,
        last=last if isinstance(last, Mapping) else {},
    )
