"""The menu of labs that are pods: what the registry offers by the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from despejado_images.catalogue import ImageCatalogue, RepositoryImage
from despejado_images.registry import Registry, parse_repository

from despejado_hub.config import Platform, derive
from despejado_hub.labs.interface import ImageListing
from despejado_hub.labs.pods.settings import kubernetes_of
from despejado_hub.tables import megabytes, table


def image_catalogue(platform: Platform) -> ImageCatalogue:
    """The registry's menu; ``refresh`` it before it is read."""
    repository = kubernetes_of(platform).images.repository
    return ImageCatalogue(Registry(parse_repository(repository)), derive.menu_policy(platform))


async def list_registry(platform: Platform) -> ImageListing:
    """Ask the registry; a menu without images cannot be used."""
    catalogue = image_catalogue(platform)
    await catalogue.refresh()
    if catalogue.problem is not None:
        return ImageListing((), "", usable=False, problem=catalogue.problem)
    images = catalogue.choices()
    repository = kubernetes_of(platform).images.repository
    hint = f"{repository} has nothing that labs.images offers: despejado images build TAG"
    return ImageListing(
        [image_document(image) for image in images],
        registry_table(images),
        usable=bool(images),
        hint=None if images else hint,
    )


def image_document(image: RepositoryImage) -> dict[str, Any]:
    """A line of the menu as JSON; sizes in bytes as the registry has them, compressed."""
    return {
        "tag": image.tag,
        "title": image.title,
        "reference": image.reference,
        "digest": image.digest,
        "created": image.created,
        "size_bytes": image.size_bytes,
        "recommended": image.recommended,
        "versions": dict(image.versions),
    }


def registry_table(images: Sequence[RepositoryImage]) -> str:
    """The menu as aligned columns; SIZE is what a node downloads that has no layer of it."""
    rows = [("TAG", "TITLE", "CREATED", "DIGEST", "SIZE", "NOTE")]
    rows += [
        (
            image.tag,
            image.title,
            image.created[:10],
            image.digest.removeprefix("sha256:")[:12],
            megabytes(image.size_bytes),
            "recommended" if image.recommended else "",
        )
        for image in images
    ]
    return table(rows)
