"""The environments of one machine: which are ready, which can be chosen, and how to get one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from despejado_spawner.environments.models import (
    BuildProgress,
    Catalogue,
    Environment,
    EnvironmentChoice,
    MenuPolicy,
)


class EnvironmentStore:
    """Software environments below ``root`` (``STATE/environments``).

    All state is in files, written by atomic rename, so any number of processes may look at one
    store; builds are processes of their own and survive the process that asked for them.
    """

    def __init__(self, root: Path, policy: MenuPolicy = MenuPolicy()) -> None:  # noqa: B008
        self.root = root
        self.policy = policy

    def resolve(self, name: str) -> str:
        """The tag behind a name: ``recommended`` becomes the tag that it stands for now."""
        raise NotImplementedError

    def ready(self, tag: str) -> Environment | None:
        """The finished environment of a tag (or alias), or None."""
        raise NotImplementedError

    def choices(self) -> list[EnvironmentChoice]:
        """The menu, recommended first; reads files only and never touches the network."""
        raise NotImplementedError

    async def refresh_catalogue(self) -> Catalogue:
        """Ask the package index which tags exist; on failure keep the last list and say so."""
        raise NotImplementedError

    async def build(self, tag: str) -> AsyncIterator[BuildProgress]:
        """Start the builder, or follow the one that runs; the last item is ready or failed.

        A tag that is ready yields one item at once, without the network. Raises
        ``UnknownTagError`` for a tag that cannot exist.
        """
        raise NotImplementedError
        yield
