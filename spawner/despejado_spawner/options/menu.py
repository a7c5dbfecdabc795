"""What there is to choose from: images and sizes, as offered to one user at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from despejado_spawner.errors import OptionsError
from despejado_spawner.models import NOTHING, Size
from despejado_spawner.options.inputs import Input


@dataclass(frozen=True)
class ImageChoice:
    """One image of the menu. Times in seconds, sizes in bytes, ``fraction`` from 0 to 1."""

    tag: str
    title: str
    state: Literal["ready", "building", "absent", "failed"] = "ready"
    recommended: bool = False
    phase: str | None = None
    fraction: float | None = None
    expected_seconds: float | None = None
    size_bytes: int | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """For the page's own refresh of states; the names are those of the fields."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


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

    images: tuple[ImageChoice, ...]
    sizes: tuple[Size, ...]
    default_size: str
    aliases: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    own: tuple[Input, ...] = ()

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
        return tuple(size.name for size in self.sizes)

    @property
    def image_names(self) -> tuple[str, ...]:
        return (*self.aliases, *(image.tag for image in self.images))

    @property
    def default_image(self) -> str | None:
        """The recommended image if it is ready, else the first ready one, else the first."""
        ready = [image for image in self.images if image.state == "ready"]
        for image in (*(image for image in ready if image.recommended), *ready, *self.images):
            return image.tag
        return None
