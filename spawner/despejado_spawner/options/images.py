"""The images on offer as the menu, the options and the lab see them."""

from __future__ import annotations

from despejado_images.configured import ImageSource, OfferedImage

from despejado_spawner.errors import OptionsError
from despejado_spawner.models import LabImage
from despejado_spawner.options.menu import ImageChoice


def menu_images(source: ImageSource) -> tuple[ImageChoice, ...]:
    """The lines of the image menu."""
    return tuple(
        ImageChoice(
            tag=image.tag,
            title=image.title,
            recommended=image.recommended,
            size_bytes=image.size_bytes,
        )
        for image in source.choices()
    )


def offered(source: ImageSource, name: str) -> OfferedImage:
    """The image of that name.

    Raises
    ------
    OptionsError
        If it is not offered.
    """
    try:
        return source.resolve(name)
    except KeyError:
        tags = tuple(image.tag for image in source.choices())
        raise OptionsError("image", f"There is no image {name!r}.", tags) from None


def lab_image(image: OfferedImage) -> LabImage:
    """What the lab is told of its image."""
    return LabImage(image.tag, image.title, image.digest, image.versions)
