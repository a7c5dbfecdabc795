"""The environments of a machine as a source of images, like a registry's."""

from __future__ import annotations

from collections.abc import Sequence

from despejado_images.environments.store import EnvironmentStore
from despejado_images.image import RECOMMENDED, Image, find_image
from despejado_images.menu import recommendation_warning


class EnvironmentImages:
    """`ImageSource` over an `EnvironmentStore`; answers from its files."""

    def __init__(self, store: EnvironmentStore) -> None:
        self._store = store

    @property
    def problem(self) -> str | None:
        """Why the list of tags may be old: what the package index answered last."""
        return self._store.catalogue.problem

    @property
    def warnings(self) -> Sequence[str]:
        """Whether anything else than asked for is recommended, once the index was reached."""
        recommended = self._store.resolve(RECOMMENDED)
        warning = recommendation_warning(self._store.policy, [recommended])
        return (warning,) if warning and self._store.catalogue.tags else ()

    def choices(self) -> Sequence[Image]:
        """The menu, as the store has it."""
        return self._store.choices()

    def resolve(self, name: str) -> Image:
        """The image of a name, as `find_image`."""
        return find_image(self.choices(), name)

    async def refresh(self) -> None:
        """Ask the package index; on failure the last list stays."""
        await self._store.refresh_catalogue()
