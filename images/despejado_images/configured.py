"""A menu without a registry: the images that a site's configuration names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from despejado_images.image import Image, find_image

_KEYS = ("image", "title", "launcher", "digest")


class ConfiguredImages:
    """`ImageSource` of tag to reference, or to ``image``, ``title``, ``launcher``, ``digest``.

    The first is the recommended one.

    Raises
    ------
    ValueError
        Naming the image and the key that is wrong.
    """

    problem: str | None = None
    warnings: Sequence[str] = ()

    def __init__(self, configured: Mapping[str, str | Mapping[str, Any]]) -> None:
        self._images = tuple(
            _image(tag, value, first=number == 0)
            for number, (tag, value) in enumerate(configured.items())
        )

    def choices(self) -> Sequence[Image]:
        """The images in the order of the configuration."""
        return self._images

    def resolve(self, name: str) -> Image:
        """The image of a name, as `find_image`."""
        return find_image(self._images, name)

    async def refresh(self) -> None:
        """Nothing to look for."""


def _image(tag: str, value: str | Mapping[str, Any], *, first: bool) -> Image:
    if isinstance(value, str):
        value = {"image": value}
    unknown = [key for key in value if key not in _KEYS]
    if unknown:
        raise ValueError(f"Image {tag!r}: {unknown[0]!r} is unknown. Allowed: {', '.join(_KEYS)}.")
    if not isinstance(value.get("image"), str) or not value["image"]:
        raise ValueError(f"Image {tag!r}: 'image' must name an image, such as registry/lab:tag.")
    return Image(
        tag,
        str(value.get("title") or tag),
        reference=value["image"],
        digest=str(value.get("digest", "")),
        launcher=bool(value.get("launcher", False)),
        recommended=first,
    )
