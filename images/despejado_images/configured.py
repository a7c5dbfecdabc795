"""Where a lab's image comes from: a registry's catalogue, or the names that a site configures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

RECOMMENDED = "recommended"
_KEYS = ("image", "title", "launcher", "digest")


class OfferedImage(Protocol):
    """An image of the menu. ``reference`` is what the cluster pulls; ``digest`` may be empty."""

    @property
    def tag(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def reference(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def versions(self) -> Mapping[str, str]: ...
    @property
    def launcher(self) -> bool: ...
    @property
    def size_bytes(self) -> int | None: ...
    @property
    def recommended(self) -> bool: ...


class ImageSource(Protocol):
    """The images that a site offers now."""

    def choices(self) -> Sequence[OfferedImage]:
        """The menu, recommended image first; answers from memory."""
        ...

    def resolve(self, name: str) -> OfferedImage:
        """The image of a tag or of ``recommended``; raises ``KeyError`` for any other name."""
        ...

    async def refresh(self) -> Any:
        """Look again; keeps the last good list when that fails."""
        ...


@dataclass(frozen=True)
class ConfiguredImage:
    """One image that the configuration names."""

    tag: str
    title: str
    reference: str
    digest: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    launcher: bool = False
    size_bytes: int | None = None
    recommended: bool = False


class ConfiguredImages:
    """A menu without a registry: tag to reference, or to ``image``, ``title``, ``launcher``.

    The first is the recommended one.
    """

    def __init__(self, configured: Mapping[str, str | Mapping[str, Any]]) -> None:
        self._images = {
            tag: _configured(tag, value, first=number == 0)
            for number, (tag, value) in enumerate(configured.items())
        }

    def choices(self) -> Sequence[OfferedImage]:
        return tuple(self._images.values())

    def resolve(self, name: str) -> OfferedImage:
        if name == RECOMMENDED:
            return next(iter(self._images.values()))
        return self._images[name]

    async def refresh(self) -> None:
        """Nothing to look for."""


def _configured(tag: str, value: str | Mapping[str, Any], *, first: bool) -> ConfiguredImage:
    if isinstance(value, str):
        value = {"image": value}
    unknown = [key for key in value if key not in _KEYS]
    if unknown:
        raise ValueError(f"Image {tag!r}: {unknown[0]!r} is unknown. Allowed: {', '.join(_KEYS)}.")
    if not isinstance(value.get("image"), str) or not value["image"]:
        raise ValueError(f"Image {tag!r}: 'image' must name an image, such as registry/lab:tag.")
    return ConfiguredImage(
        tag=tag,
        title=str(value.get("title") or tag),
        reference=value["image"],
        digest=str(value.get("digest", "")),
        launcher=bool(value.get("launcher", False)),
        recommended=first,
    )
