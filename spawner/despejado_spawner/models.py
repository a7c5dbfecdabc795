"""What a lab is, decided: identity, size, options, plan and process.

Frozen values without I/O. Both roads (processes on a laptop, pods on Kubernetes) are built
from the same :class:`LabPlan`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from despejado_images.image import Image

from despejado_spawner.units import format_memory

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Group:
    """A POSIX group: its name and its GID."""

    name: str
    gid: int


@dataclass(frozen=True)
class Identity:
    """Who a lab runs as.

    ``gid`` is the primary group; ``groups`` are all groups that the identity source knows, with
    or without the primary one. ``full_name`` is free text from the source and may be empty.
    """

    username: str
    uid: int
    gid: int
    groups: tuple[Group, ...] = ()
    full_name: str = ""

    @property
    def supplemental_gids(self) -> tuple[int, ...]:
        """All GIDs, the primary one first, each once."""
        return tuple(dict.fromkeys((self.gid, *(group.gid for group in self.groups))))


@dataclass(frozen=True)
class Size:
    """A lab size: limits, and what is guaranteed. CPU in cores, memory in bytes."""

    name: str
    cpu: float
    memory: int
    cpu_guarantee: float | None = None
    memory_guarantee: int | None = None

    @property
    def label(self) -> str:
        """As in the menu: ``Small (1.0 CPU, 3Gi RAM)``."""
        return f"{self.name.capitalize()} ({self.cpu} CPU, {format_memory(self.memory)} RAM)"


@dataclass(frozen=True)
class SpawnOptions:
    """What a user chose; made by :mod:`despejado_spawner.options`, which validates."""

    image: str
    size: str
    debug: bool = False
    reset: bool = False


@dataclass(frozen=True)
class LabFile:
    """One file of a lab. ``path`` is absolute; the owner is the lab's user."""

    path: Path
    content: str
    mode: int = 0o444
    secret: bool = False

    def __repr__(self) -> str:
        shown = "<secret>" if self.secret else repr(self.content)
        return f"LabFile(path={str(self.path)!r}, content={shown}, mode={self.mode:#o})"


@dataclass(frozen=True)
class LabPlan:
    """Everything about a lab, decided. Builders turn it into a process or a pod.

    Paths are as the lab sees them. ``server_prefix`` is the Python environment of the Jupyter
    server, ``kernel_python`` the interpreter of the chosen image. ``hub_environment`` is what
    JupyterHub hands to a server (it holds secrets of the hub's own); ``environment`` is what the
    platform adds. ``discovery`` is the document of docs/developers.md, "A lab". ``secrets`` are
    written to files and appear nowhere else. ``bigger_sizes`` are the names of the sizes with more
    memory, the next one first.
    """

    identity: Identity
    options: SpawnOptions
    image: Image
    size: Size
    server_name: str
    base_url: str
    hub_url: str
    ip: str
    port: int
    home: Path
    runtime: Path
    server_prefix: Path
    kernel_python: Path
    discovery: Mapping[str, Any]
    hub_environment: Mapping[str, str] = field(default_factory=lambda: NOTHING, repr=False)
    environment: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    secrets: Mapping[str, str] = field(default_factory=lambda: NOTHING, repr=False)
    base_passwd: str = ""
    base_group: str = ""
    tutorials: Path | None = None
    default_url: str = "/lab"
    extra_args: tuple[str, ...] = ()
    bigger_sizes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabProcess:
    """A lab as a process of this machine: what to write, and what to execute as whom."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    files: tuple[LabFile, ...]
    cwd: Path
    uid: int
    gid: int
    groups: tuple[int, ...]
    umask: int = 0o027
