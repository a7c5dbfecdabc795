"""What an environment, a choice on the menu and a running build are; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

UI_TAG = "ui"
"""The tag of the environment that runs JupyterLab; it is never on the menu of images."""
PLAIN_TAG = "plain"
"""The tag of the kernel environment without Rubin software; it is always on the menu."""
RECOMMENDED_TAG = "recommended"
"""The alias of whatever the platform recommends (by default the newest weekly)."""

EnvironmentKind = Literal["ui", "kernel"]
Sort = Literal["ui", "plain", "stack"]
"""What a build has in common with earlier ones: how long it takes and how much it adds."""
EnvironmentState = Literal["ready", "building", "absent", "failed"]
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


@dataclass(frozen=True, slots=True)
class EnvironmentChoice:
    """One line of the menu. Times in seconds, sizes in bytes, ``fraction`` from 0 to 1.

    ``expected_seconds`` is how long the whole build takes, judged by earlier ones of its sort.
    ``size_bytes`` of an environment that is not ready is what the last one of its sort added.
    """

    tag: str
    title: str
    recommended: bool
    state: EnvironmentState
    phase: str | None = None
    fraction: float | None = None
    expected_seconds: float | None = None
    size_bytes: int | None = None
    reason: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class MenuPolicy:
    """What the menu of environments shows beside ``plain`` and whatever is already built.

    ``recommended`` is a tag, or None for the newest weekly. Zero means none of that type.
    """

    recommended: str | None = None
    weeklies: int = 3
    releases: int = 1
    candidates: int = 0


def sort_of(tag: str) -> Sort:
    """The sort of a tag."""
    if tag == UI_TAG:
        return "ui"
    return "plain" if tag == PLAIN_TAG else "stack"
