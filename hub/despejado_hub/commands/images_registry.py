"""``despejado images list`` where labs are pods: what the registry offers by the policy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from despejado_images.catalogue import RepositoryImage

from despejado_hub.config import Platform, pods
from despejado_hub.pod_labs import image_catalogue

from .images import megabytes, table
from .output import complain, say, say_json


async def list_registry(platform: Platform, *, as_json: bool) -> int:
    """Ask the registry and print the menu; 1 if it does not answer or offers nothing."""
    catalogue = image_catalogue(platform)
    await catalogue.refresh()
    if catalogue.problem is not None:
        complain(catalogue.problem)
        return 1
    images = catalogue.choices()
    if as_json:
        say_json([image_document(image) for image in images])
    else:
        say(registry_table(images))
        if not images:
            repository = pods.kubernetes_of(platform).images.repository
            say(f"{repository} has nothing that labs.images offers: despejado images build TAG")
    return 0 if images else 1


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
