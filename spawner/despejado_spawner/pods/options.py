"""The options of labs that are pods: those of an image menu, where a site has one.

A site without one has KubeSpawner's profiles
(:class:`~despejado_spawner.pods.kubespawner.profiles.ProfileOptions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from despejado_images.errors import ImagesError
from despejado_images.image import ImageSource

from despejado_spawner.errors import OptionsError
from despejado_spawner.models import Size
from despejado_spawner.options.hub import OptionsHolder, ServerOptions, TypedOptions
from despejado_spawner.options.menu import Menu, bigger_sizes
from despejado_spawner.options.notices import Notices
from despejado_spawner.site.model import Site
from despejado_spawner.units import parse_memory

_ONLY_SIZE = "small"
_DEFAULT_MEMORY = 2 * 2**30
_NOTICES = Notices()
"""Shared by all spawners of a hub, as the source of its images is."""


class PodOptions(ServerOptions, Protocol):
    """How people choose, and what of their choice the reading of pods needs."""

    async def load(self) -> None:
        """Apply the choice to the spawner's settings, where it is about those."""
        ...

    def image_bytes(self) -> int | None:
        """The size of the chosen image as the registry has it, where that is known."""
        ...

    def bigger_size(self) -> str | None:
        """The next size with more memory than the chosen one; None if there is none."""
        ...


class MenuHolder(OptionsHolder, Protocol):
    """A spawner of a site with an image menu."""

    log: Any
    site: Site
    cpu_limit: float | None
    cpu_guarantee: float | None
    mem_limit: Any
    mem_guarantee: Any


class MenuOptions(TypedOptions):
    """Typed options with the images of a registry or of the site's configuration."""

    def __init__(self, spawner: MenuHolder, images: ImageSource) -> None:
        super().__init__(spawner, self._current_menu)
        self._holder = spawner
        self._images = images

    async def first_look(self) -> None:
        """A hub that has just started does not know the registry's images yet.

        Raises
        ------
        OptionsError
            If there is no image.
        """
        if not self._images.choices():
            await self._images.refresh()
            if not self._images.choices():
                raise OptionsError("image", "No image is on offer now. Tell the administrator.")

    async def form(self) -> str:
        """The spawn form, when there are images; raises as `first_look` does."""
        await self.first_look()
        return await super().form()

    async def check(self, user_options: object) -> dict[str, Any]:
        """See `ServerOptions.check`."""
        await self.first_look()
        return await super().check(user_options)

    async def load(self) -> None:
        """Nothing: these options are in the lab's plan."""

    def image_bytes(self) -> int | None:
        """See `PodOptions.image_bytes`."""
        name = self._said("image")
        if name is None:
            return None
        try:
            return self._images.resolve(name).size_bytes
        except ImagesError:
            return None  # a lab of an image that is no longer on the menu

    def bigger_size(self) -> str | None:
        """See `PodOptions.bigger_size`."""
        sizes, chosen = self._sizes(), self._said("size")
        current = next((size for size in sizes if size.name == chosen), None)
        return None if current is None else next(iter(bigger_sizes(sizes, current)), None)

    def _said(self, name: str) -> str | None:
        options = self._holder.user_options
        value = options.get(name) if isinstance(options, Mapping) else None
        return value if isinstance(value, str) else None

    def _current_menu(self) -> Menu:
        """The images and sizes that there are now; from memory."""
        _NOTICES.tell(self._holder.log, self._images)
        default_size = self._holder.site.default_size
        return Menu.of(self._images.choices(), self._sizes(), default_size)

    def _sizes(self) -> tuple[Size, ...]:
        """The configured sizes, or the one that KubeSpawner's limits describe."""
        holder = self._holder
        if holder.site.sizes:
            return holder.site.lab_sizes
        memory = holder.mem_limit or _DEFAULT_MEMORY
        return (
            Size(
                _ONLY_SIZE,
                float(holder.cpu_limit or 1.0),
                memory if isinstance(memory, int) else parse_memory(memory),
                holder.cpu_guarantee or None,
                holder.mem_guarantee or None,
            ),
        )
