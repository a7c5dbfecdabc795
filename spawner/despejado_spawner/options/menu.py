"""What there is to choose from: images and sizes, as offered to one user at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from despejado_images.errors import ImagesError
from despejado_images.image import Image, cannot_start, find_image, names_of

from despejado_spawner.errors import OptionsError
from despejado_spawner.models import NOTHING, Size
from despejado_spawner.options.inputs import Input


def bigger_sizes(sizes: Sequence[Size], size: Size) -> tuple[str, ...]:
    """The names of the sizes with more memory than ``size``, the next one first."""
    larger = sorted((each for each in sizes if each.memory > size.memory), key=lambda s: s.memory)
    return tuple(each.name for each in larger)


@dataclass(frozen=True)
class Menu:
    """Images (recommended first) and sizes, and what is taken when nothing is said.

    ``aliases`` maps names such as ``recommended`` to the tag that they stand for now. ``own`` are
    the options of the site's that this user may use.
    """

    images: tuple[Image, ...]
    sizes: tuple[Size, ...]
    default_size: str
    aliases: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    own: tuple[Input, ...] = ()

    @classmethod
    def of(cls, images: Sequence[Image], sizes: tuple[Size, ...], default_size: str) -> Menu:
        """A menu of what is on offer; without a default the first size is taken."""
        return cls(tuple(images), sizes, default_size or sizes[0].name, names_of(images))

    def image(self, name: str) -> Image:
        """The image of that name or alias.

        Raises
        ------
        OptionsError
            If the platform offers no such image, or it cannot be started.
        """
        try:
            return find_image(self.images, self.aliases.get(name, name))
        except ImagesError as error:
            raise OptionsError("image", str(error), self.image_names) from None

    def size(self, name: str) -> Size:
        """The size of that name.

        Raises
        ------
        OptionsError
            If the platform offers no such size.
        """
        for size in self.sizes:
            if size.name == name:
                return size
        raise OptionsError("size", f"There is no size {name!r}.", self.size_names)

    @property
    def size_names(self) -> tuple[str, ...]:
        """The names of the sizes, as they are offered."""
        return tuple(size.name for size in self.sizes)

    @property
    def image_names(self) -> tuple[str, ...]:
        """The names that can be chosen."""
        tags = {image.tag: None for image in self.images if image.can_start}
        return (*(name for name, tag in self.aliases.items() if tag in tags), *tags)

    def why_not(self, name: str) -> str | None:
        """A sentence about an image of the menu that cannot be started; None for others."""
        tag = self.aliases.get(name, name)
        stuck = (image for image in self.images if image.tag == tag and not image.can_start)
        return next(map(cannot_start, stuck), None)

    @property
    def default_image(self) -> str | None:
        """The recommended image if it is ready, else the first ready one, else the first."""
        able = [image for image in self.images if image.can_start]
        ready = [image for image in able if image.state == "ready"]
        for image in (*(image for image in ready if image.recommended), *ready, *able):
            return image.tag
        return None
