"""What an image, a step of its build and its progress are; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

EngineName = Literal["buildah", "podman", "docker"]
ImageKind = Literal["lab", "hub", "services", "stock"]
ImagePhase = Literal[
    "waiting", "resolving", "base", "installing", "testing", "pushing", "ready", "failed"
]

DEBIAN = "docker.io/library/debian:trixie-slim"
"""What every image is made from."""
PYTHON = "3.13"
"""The Python of that Debian, which all environments of an image are resolved for."""


@dataclass(frozen=True, slots=True)
class Target:
    """An image that can be asked for.

    ``repository`` is its name below the registry's prefix; ``folder`` the one of ``images/`` that
    holds its Containerfile and smoke test.
    """

    kind: ImageKind
    tag: str
    repository: str
    folder: str


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """One environment inside an image: everything decided, nothing installed.

    ``manifest`` is what ``despejado-environment.json`` will say, without the sizes. ``lock`` is
    the text of the lock, ``wheels`` are our own distributions as files on this machine.
    ``files`` (JSON) and ``links`` are made beside it, folders ``without`` below it removed.
    """

    prefix: str
    digest: str
    manifest: Mapping[str, Any]
    lock: str
    wheels: tuple[Path, ...]
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def document(self, not_compiled: str) -> dict[str, Any]:
        """``environment.json``, which ``install.py`` follows."""
        return {
            "prefix": self.prefix,
            "manifest": dict(self.manifest),
            "files": {path: dict(content) for path, content in self.files.items()},
            "links": dict(self.links),
            "without": list(self.without),
            "not_compiled": not_compiled,
        }


@dataclass(frozen=True, slots=True)
class BuildStep:
    """One image of a chain, each made from the one before.

    ``key`` is 64 digits over all that decides the content. An image of this ``reference`` whose
    label says the same key is used as it is. ``files`` go into the context as they are.
    """

    name: str
    reference: str
    parent: str
    containerfile: str
    key: str
    labels: Mapping[str, str]
    environment: EnvironmentSpec | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def phase(self) -> ImagePhase:
        """What a person is told meanwhile."""
        return "base" if self.environment is None else "installing"


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What an engine says of an image that it has. ``layers`` are digests of their content."""

    id: str
    labels: Mapping[str, str]
    layers: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RunStep:
    """A command in a container that is gone afterwards, as ``user``, with folders to read."""

    reference: str
    command: tuple[str, ...]
    user: str
    mounts: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that passed its smoke test.

    ``id`` is the engine's, by which it is found whoever takes its name meanwhile. ``digest`` is
    the registry's, if it was pushed.
    """

    kind: ImageKind
    tag: str
    title: str
    reference: str
    id: str
    content: str
    versions: Mapping[str, str]
    layers: tuple[str, ...]
    size_bytes: int
    pushed: str | None = None
    digest: str | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.kind,
            "tag": self.tag,
            "title": self.title,
            "reference": self.reference,
            "id": self.id,
            "content": self.content,
            "versions": dict(self.versions),
            "layers": list(self.layers),
            "size_bytes": self.size_bytes,
            "pushed": self.pushed,
            "digest": self.digest,
        }


@dataclass(frozen=True, slots=True)
class ImageProgress:
    """Where a build stands. ``step`` of ``steps`` counts what is done; seconds since the start.

    ``expected_seconds`` is how long the present phase took the last time on this machine;
    ``detail`` is what the tools say meanwhile.
    """

    tag: str
    phase: ImagePhase
    message: str
    step: int
    steps: int
    seconds: float
    expected_seconds: float | None = None
    detail: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tag": self.tag,
            "phase": self.phase,
            "message": self.message,
            "detail": self.detail,
            "step": self.step,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
            "expected_seconds": self.expected_seconds,
        }
