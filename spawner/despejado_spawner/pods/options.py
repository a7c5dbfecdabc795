"""The options of ``LabSpawner``: typed ones where a site has an image menu, else profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from despejado_images.image import ImageSource

from despejado_spawner.errors import OptionsError
from despejado_spawner.models import Size
from despejado_spawner.options.hub import TypedOptions
from despejado_spawner.options.menu import Menu
from despejado_spawner.options.notices import Notices
from despejado_spawner.pods.kubespawner.profiles import TypedProfiles
from despejado_spawner.pods.traits import LabTraits
from despejado_spawner.units import parse_memory

_ONLY_SIZE = "small"
_DEFAULT_MEMORY = 2 * 2**30


class LabOptions(TypedOptions, TypedProfiles, LabTraits):
    """Chooses between the two by whether there is a menu; a site never has both."""

    notices = Notices()
    """Shared by all spawners of a hub, as the source of its images is."""

    @property
    def has_menu(self) -> bool:
        """Whether this site offers an image menu (*platform*) or KubeSpawner's own (*adopted*)."""
        return self.image_source is not None

    @property
    def offered_images(self) -> ImageSource:
        """The images on offer; only where there is a menu."""
        return cast(ImageSource, self.image_source)

    def menu(self) -> Menu:
        """The images and sizes that there are now; from memory."""
        source = self.offered_images
        self.notices.tell(self.log, source)
        return Menu.of(source.choices(), self.lab_sizes(), self.default_size)

    def menu_url(self) -> str:
        return f"{self.hub.base_url}{self.menu_path.lstrip('/')}" if self.menu_path else ""

    def lab_sizes(self) -> tuple[Size, ...]:
        """The configured sizes, or the one that KubeSpawner's limits describe."""
        if self.sizes:
            return self.site.lab_sizes
        memory = self.mem_limit or _DEFAULT_MEMORY
        return (
            Size(
                _ONLY_SIZE,
                float(self.cpu_limit or 1.0),
                memory if isinstance(memory, int) else parse_memory(memory),
                self.cpu_guarantee or None,
                self.mem_guarantee or None,
            ),
        )

    async def get_options_form(self) -> str:
        if not self.has_menu:
            form: str = await super(TypedOptions, self).get_options_form()
            return form
        await self.first_look()
        return await super().get_options_form()

    def run_options_from_form(self, form_data: Mapping[str, Any]) -> Any:
        if not self.has_menu:
            return super(TypedOptions, self).run_options_from_form(form_data)
        return super().run_options_from_form(form_data)

    def options_from_query(self, query_data: Mapping[str, Any]) -> Any:
        if not self.has_menu:
            return super(TypedOptions, self).options_from_query(query_data)
        return super().options_from_query(query_data)

    async def _run_apply_user_options(self, user_options: object) -> None:
        if not self.has_menu:
            await super(TypedOptions, self)._run_apply_user_options(user_options)
            return
        await self.first_look()
        await super()._run_apply_user_options(user_options)

    async def load_user_options(self) -> Any:
        """Profiles, where there is no menu; the options of a menu are in the lab's plan."""
        if not self.has_menu:
            return await super().load_user_options()
        return None

    async def first_look(self) -> None:
        """A hub that has just started does not know the registry's images yet.

        Raises
        ------
        OptionsError
            If there is no image.
        """
        if not self.offered_images.choices():
            await self.offered_images.refresh()
            if not self.offered_images.choices():
                raise OptionsError("image", "No image is on offer now. Tell the administrator.")
