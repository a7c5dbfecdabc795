"""``despejado images list`` where labs are pods: what the registry offers by the policy."""

from __future__ import annotations

from collections.abc import Sequence

from despejado_images.image import Image

from despejado_hub.config import Platform, pods
from despejado_hub.pod_labs import image_catalogue

from .images import note_of, say_warnings, size_words, table
from .output import complain, say, say_json


async def list_registry(platform: Platform, *, as_json: bool) -> int:
    """Ask the registry and print the menu; 1 if it does not answer or offers nothing."""
    catalogue = image_catalogue(platform)
    await catalogue.refresh()
    if catalogue.problem is not None:
        complain(catalogue.problem)
        return 1
    say_warnings(catalogue)
    images = catalogue.choices()
    if as_json:
        say_json([image.document() for image in images])
    else:
        say(registry_table(images))
        if not images:
            repository = pods.kubernetes_of(platform).images.repository
            say(f"{repository} has nothing that labs.images offers: despejado images build TAG")
    return 0 if images else 1


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
