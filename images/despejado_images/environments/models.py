"""What an environment and a running build are; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from despejado_images.image import PLAIN_TAG, UI_TAG, Image

EnvironmentKind = Literal["ui", "kernel"]
Sort = Literal["ui", "plain", "stack"]
"""What a build has in common with earlier ones: how long it takes and how much it adds."""
BuildState = Literal["building", "ready", "failed"]
BuildPhase = Literal[
    "waiting", "resolving", "downloading", "installing", "compiling", "checking", "ready"
]


@dataclass(frozen=True, slots=True)
class Environment:
    """A finished environment on this machine.

    ``digest`` (``sha256:...``) covers the lock, our own wheels and the Python version: two
    environments with one digest hold the same software. ``size_bytes`` is what the folder occupies,
    each file counted once; ``added_bytes`` leaves out what other environments had already.
    """

    tag: str
    title: str
    kind: EnvironmentKind
    prefix: Path
    python: Path
    digest: str
    versions: Mapping[str, str]
    size_bytes: int
    added_bytes: int
    created: datetime

    @property
    def image(self) -> Image:
        """The environment as it stands on the menu and as a lab is told of it."""
        return Image(
            self.tag,
            self.title,
            kind="environment",
            digest=self.digest,
            versions=self.versions,
            created=self.created.isoformat(),
            size_bytes=self.size_bytes,
        )


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """Where a build stands. ``message`` and ``reason`` are sentences for the person who waits."""

    tag: str
    phase: BuildPhase
    fraction: float | None
    message: str
    state: BuildState
    pid: int
    started: datetime
    updated: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The versions of the stack that the package index offers, as tags, newest first of a type.

    ``checked`` is when the index last answered; ``problem`` says why a later attempt failed, in
    which case the tags are those of the last good answer (none on a first start offline).
    """

    tags: Mapping[str, str]
    """Tag to version of the Butler: ``{"w_2026_43": "30.2026.4300"}``."""
    checked: datetime | None = None
    problem: str | None = None


def sort_of(tag: str) -> Sort:
    """The sort of a tag."""
    if tag == UI_TAG:
        return "ui"
    return "plain" if tag == PLAIN_TAG else "stack"
