"""What the hub, its commands and its supervisor ask of labs, wherever these run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from despejado_images.image import Image

from despejado_hub.check.result import Result
from despejado_hub.config import Platform
from despejado_hub.runtime import Runtime

from .tokens import DataTokens

Check = Callable[[], Iterable[Result]]
Say = Callable[[str], None]
Menu = Callable[[], dict[str, Any]]

HIDDEN = "(a secret, not shown)"
"""What stands in a preview in place of a secret."""


@dataclass(frozen=True)
class Missing:
    """What of the installation is missing, and the command that brings it."""

    what: str
    install: str

    def __str__(self) -> str:
        return f"{self.what}: {self.install}"


@dataclass(frozen=True)
class Explanation:
    """One lab: whether it is ``up``, what is known, and the end of its log."""

    server: str
    up: bool
    message: str
    advice: str | None = None
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabPreview:
    """A lab before anybody starts it.

    ``documents`` are its parts as YAML shows them, in lines of ``width``; ``document`` is the
    whole as JSON; ``warnings`` is what one should know of it.
    """

    documents: Sequence[object]
    document: object
    width: int
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class ImageListing:
    """The menu as ``despejado images list`` shows it, ``table`` for people.

    ``warnings`` is what the operator should mend, ``problem`` why the list is not of now, ``hint``
    what to do next. Nothing can be chosen from a menu that is not ``usable``.
    """

    images: Sequence[Image]
    table: str
    warnings: Sequence[str] = ()
    usable: bool = True
    problem: str | None = None
    hint: str | None = None


class Labs(ABC):
    """The labs of one platform.

    Nothing is started, created or kept by these methods, except by ``make_ready``.
    """

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    # For the hub

    @property
    def namespace(self) -> str | None:
        """Where labs are that go on when the platform stops; None if they end with it."""
        return None

    @property
    @abstractmethod
    def token_lifetime(self) -> int | None:
        """Seconds that a data token is good for; None is until the lab stops."""

    @abstractmethod
    def missing(self) -> Missing | None:
        """What such labs need and this installation has not."""

    def places(self) -> dict[str, str]:
        """Fields of ``Runtime`` that are not those of one machine."""
        return {}

    @abstractmethod
    def configure(
        self,
        c: Any,
        runtime: Runtime,
        *,
        tokens: DataTokens,
        identity_hook: Callable[[Any], Any],
    ) -> None:
        """Choose and configure the spawner; ``c`` is a traitlets ``Config``."""

    def menu(self, runtime: Runtime) -> Menu | None:
        """What makes the menu's document for the spawn page; None where the page has the menu."""
        return None

    @abstractmethod
    async def make_ready(self, state: Path, say: Say) -> None:
        """Build what the platform offers; each step and each failure is said in a line."""

    # For commands

    @property
    def images_are_containers(self) -> bool:
        """Whether labs are made of container images, and not of environments of this machine."""
        return False

    @property
    def see_other_files(self) -> bool:
        """Whether a path in the platform file may be one that this machine does not have."""
        return False

    @abstractmethod
    async def preview(self, state: Path, user: str, asked: Mapping[str, str]) -> LabPreview:
        """The lab that ``user`` would get; raises ``SpawnerError`` if none can start."""

    @abstractmethod
    async def explain(self, state: Path, user: str) -> list[Explanation]:
        """Why each lab of ``user`` is up or not; one explanation at least."""

    @abstractmethod
    async def images(self, state: Path, *, refresh: bool) -> ImageListing:
        """The menu; ``refresh`` asks for new images first, where that is not done anyway."""

    @abstractmethod
    def checks(self, state: Path, port: int) -> dict[str, Check]:
        """What ``despejado check`` tries for labs, by name."""

    def rights(self, account: str) -> list[dict[str, Any]]:
        """What the hub's service account needs, as manifests; none where no cluster is asked."""
        return []
