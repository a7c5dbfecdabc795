"""The menu of labs that are pods: what the registry offers by the policy."""

from __future__ import annotations

from collections.abc import Sequence

from despejado_images import catalogue
from despejado_images.image import Image

from despejado_hub.config import Platform, derive
from despejado_hub.labs.interface import ImageListing
from despejado_hub.labs.pods.settings import image_credentials, kubernetes_of
from despejado_hub.tables import note_of, size_words, table


def image_catalogue(platform: Platform) -> catalogue.ImageCatalogue:
    """The registry's menu; ``refresh`` it before it is read."""
    images = kubernetes_of(platform).images
    return catalogue.image_catalogue(
        images.repository, derive.menu_policy(platform), image_credentials(images)
    )


async def list_registry(platform: Platform) -> ImageListing:
    """Ask the registry; a menu without images cannot be used."""
    source = image_catalogue(platform)
    await source.refresh()
    if source.problem is not None:
        return ImageListing((), "", usable=False, problem=source.problem)
    images = source.choices()
    repository = kubernetes_of(platform).images.repository
    hint = f"{repository} has nothing that labs.images offers: despejado images build TAG"
    return ImageListing(
        images,
        registry_table(images),
        source.warnings,
        usable=bool(images),
        hint=None if images else hint,
    )


def registry_table(images: Sequence[Image]) -> str:
    """The menu as aligned columns; SIZE is what a node downloads that has no layer of it."""
    rows = [("TAG", "TITLE", "CREATED", "DIGEST", "SIZE", "NOTE")]
    rows += [
        (
            image.tag,
            image.title,
            image.created[:10],
            image.digest.removeprefix("sha256:")[:12],
            size_words(image),
            note_of(image),
        )
        for image in images
    ]
    return table(rows)
