"""The menu of labs that are processes: software environments."""

from __future__ import annotations

from collections.abc import Iterable

from despejado_images.environments import EnvironmentImages, EnvironmentStore
from despejado_images.image import PLAIN_TAG, Image

from despejado_hub.labs.interface import ImageListing
from despejado_hub.tables import note_of, size_words, table

NOT_ASKED = "The package index was not asked yet: despejado images list --refresh"


async def list_environments(store: EnvironmentStore, *, refresh: bool) -> ImageListing:
    """The menu, after the package index was asked, if it is to ``refresh``."""
    source = EnvironmentImages(store)
    if refresh:
        await source.refresh()
    images = source.choices()
    never_asked = all(image.tag == PLAIN_TAG for image in images)
    return ImageListing(
        images,
        menu_table(images),
        source.warnings,
        problem=source.problem if refresh else None,
        hint=NOT_ASKED if never_asked else None,
    )


def menu_table(images: Iterable[Image]) -> str:
    """The menu as aligned columns."""
    rows = [("TAG", "TITLE", "STATE", "SIZE", "NOTE")]
    rows += [
        (image.tag, image.title, image.state, size_words(image), note_of(image)) for image in images
    ]
    return table(rows)
