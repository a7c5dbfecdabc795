"""A pod as the API has it, read without surprises: what is missing is absent, never an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from despejado_spawner.kubernetes.names import CONTAINER


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


@dataclass(frozen=True)
class ContainerState:
    """The state of one container: ``kind`` is waiting, running or terminated, or empty."""

    name: str
    image: str
    kind: str
    reason: str
    message: str
    exit_code: int | None = None
    restarts: int = 0
    init: bool = False

    @property
    def is_lab(self) -> bool:
        return self.name == CONTAINER and not self.init


@dataclass(frozen=True)
class PodView:
    """A typed look at a pod."""

    pod: Mapping[str, Any]

    @property
    def name(self) -> str:
        return text(part(self.pod, "metadata", "name"))

    @property
    def namespace(self) -> str:
        return text(part(self.pod, "metadata", "namespace"))

    @property
    def uid(self) -> str:
        return text(part(self.pod, "metadata", "uid"))

    @property
    def phase(self) -> str:
        return text(part(self.pod, "status", "phase"))

    @property
    def reason(self) -> str:
        """Why the whole pod is in its phase: ``Evicted``, ``NodeLost`` and so on."""
        return text(part(self.pod, "status", "reason"))

    @property
    def message(self) -> str:
        return text(part(self.pod, "status", "message"))

    @property
    def node(self) -> str | None:
        return text(part(self.pod, "spec", "nodeName")) or None

    @property
    def ip(self) -> str | None:
        return text(part(self.pod, "status", "podIP")) or None

    @property
    def deleting(self) -> bool:
        return bool(part(self.pod, "metadata", "deletionTimestamp"))

    @property
    def gates(self) -> tuple[str, ...]:
        found = items(part(self.pod, "spec", "schedulingGates"))
        return tuple(text(each.get("name")) for each in found)

    def condition(self, kind: str) -> Mapping[str, Any]:
        """A condition by its type; empty if the pod has none of it."""
        for each in items(part(self.pod, "status", "conditions")):
            if each.get("type") == kind:
                return each
        return {}

    def containers(self) -> Iterator[ContainerState]:
        """All containers, init containers first."""
        for key, init in (("initContainerStatuses", True), ("containerStatuses", False)):
            for status in items(part(self.pod, "status", key)):
                yield _state(status, init=init)

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
        for each in items(part(self.pod, "spec", "containers")):
            if each.get("name") == CONTAINER:
                return text(each.get("image"))
        return ""


def _state(status: Mapping[str, Any], *, init: bool) -> ContainerState:
    state = part(status, "state")
    kind = next((each for each in ("terminated", "running", "waiting") if part(state, each)), "")
    detail = part(state, kind) if kind else None
    code, restarts = part(detail, "exitCode"), status.get("restartCount")
    return ContainerState(
        name=text(status.get("name")),
        image=text(status.get("image")),
        kind=kind,
        reason=text(part(detail, "reason")),
        message=text(part(detail, "message")),
        exit_code=code if isinstance(code, int) else None,
        restarts=restarts if isinstance(restarts, int) else 0,
        init=init,
    )
