"""Software to choose from: one record for environments of a laptop and images of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal, Protocol

from despejado_images.errors import UnavailableImageError, UnknownImageError

RECOMMENDED = "recommended"
"""The name of whatever the platform recommends (by default the newest weekly)."""
UI_TAG = "ui"
"""The tag of the environment that runs JupyterLab; it is never on the menu of images."""
PLAIN_TAG = "plain"
"""The tag of the software without Rubin's; always on a laptop's menu."""

ImageKind = Literal["environment", "container"]
ImageState = Literal["ready", "building", "absent", "failed", "unavailable"]

_NO_VERSIONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Image:
    """One line of the menu. Times in seconds, sizes in bytes, ``fraction`` from 0 to 1.

    ``reference`` is what a cluster pulls (empty for an environment), ``digest`` (``sha256:...``)
    says what is inside and may be empty. ``versions`` is name to version of the software,
    ``created`` an ISO 8601 time or empty. ``launcher`` says that a container starts by the
    platform's own command. ``also`` are other tags of the same image, which have no line.

    ``ready`` can be started at once, ``absent`` and ``building`` after a build of
    ``expected_seconds``, ``failed`` is a build that may be tried again; what is ``unavailable``
    cannot be started. ``reason`` says why of the last two, ``phase`` and ``fraction`` where a
    build is. ``size_bytes`` is what an environment takes or will add, and what a node downloads
    of a container image.
    """

    tag: str
    title: str
    _: KW_ONLY
    kind: ImageKind = "container"
    reference: str = ""
    digest: str = ""
    versions: Mapping[str, str] = field(default_factory=lambda: _NO_VERSIONS)
    created: str = ""
    size_bytes: int | None = None
    launcher: bool = False
    recommended: bool = False
    also: tuple[str, ...] = ()
    state: ImageState = "ready"
    reason: str | None = None
    phase: str | None = None
    fraction: float | None = None
    expected_seconds: float | None = None

    @property
    def can_start(self) -> bool:
        """Whether it can be chosen."""
        return self.state != "unavailable"

    def document(self) -> dict[str, Any]:
        """All of it as JSON; the names are those of the fields."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**values, "versions": dict(self.versions), "also": list(self.also)}


class ImageSource(Protocol):
    """The images that a site offers now."""

    @property
    def problem(self) -> str | None:
        """Why the list is not of now, for the operator; None after a good look."""
        ...

    @property
    def warnings(self) -> Sequence[str]:
        """What the operator should mend, a sentence each."""
        ...

    def choices(self) -> Sequence[Image]:
        """The menu, the recommended image first; answers from memory or files."""
        ...

    def resolve(self, name: str) -> Image:
        """The image of a name, as `find_image`."""
        ...

    async def refresh(self) -> None:
        """Look again; a failure leaves the last good list and is told in ``problem``."""
        ...


def find_image(images: Iterable[Image], name: str) -> Image:
    """The image of a tag, or of ``recommended``.

    Raises
    ------
    UnknownImageError
        If none has that name.
    UnavailableImageError
        If it cannot be started; the text says why.
    """
    images = tuple(images)
    found = next((image for image in images if name in (image.tag, *image.also)), None)
    if found is None and name == RECOMMENDED:
        found = next((image for image in images if image.recommended), None)
    if found is None:
        raise UnknownImageError(f"There is no image {name!r}.")
    if not found.can_start:
        raise UnavailableImageError(cannot_start(found))
    return found


def cannot_start(image: Image) -> str:
    """A sentence about an image that is unavailable."""
    return f"{image.title} cannot be started: {(image.reason or 'no reason known').rstrip('.')}."


def names_of(images: Iterable[Image]) -> dict[str, str]:
    """Names that have no line of their own, each with the tag that it stands for now."""
    found: dict[str, str] = {}
    tags = set()
    for image in images:
        tags.add(image.tag)
        found.update(dict.fromkeys(image.also, image.tag))
        if image.recommended:
            found[RECOMMENDED] = image.tag
    return {name: tag for name, tag in found.items() if name not in tags}
