"""The menu of labs that are processes: software environments."""

from __future__ import annotations

from collections.abc import Iterable

from despejado_images.environments import PLAIN_TAG, EnvironmentImages
from despejado_images.image import Image

from despejado_hub.labs.image_words import note_of, size_words
from despejado_hub.labs.interface import ImageListing
from despejado_hub.tables import table


async def list_environments(source: EnvironmentImages, *, refresh: bool) -> ImageListing:
    """The menu, after the package index was asked, if it is to ``refresh``."""
    if refresh:
        await source.refresh()
    images = source.choices()
    never_asked = all(image.tag == PLAIN_TAG for image in images)
    return ImageListing(
        [image.document() for image in images],
        menu_table(images),
        problem=source.problem if refresh else None,
        hint="The package index was not asked yet: despejado images list --refresh"
        if never_asked
        else None,
        warnings=source.warnings,
    )


def menu_table(images: Iterable[Image]) -> str:
    """The menu as aligned columns."""
    rows = [("TAG", "TITLE", "STATE", "SIZE", "NOTE")]
    rows += [
        (image.tag, image.title, image.state, size_words(image), note_of(image)) for image in images
    ]
    return table(rows)
