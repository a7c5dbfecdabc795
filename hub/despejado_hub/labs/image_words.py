"""What is said of an image in a table of the menu."""

from __future__ import annotations

from despejado_images.amounts import decimal_size
from despejado_images.image import Image

from despejado_hub.tables import about


def size_words(image: Image) -> str:
    """The size as one says it; empty if it is not known."""
    return "" if image.size_bytes is None else decimal_size(image.size_bytes)


def note_of(image: Image) -> str:
    """What is to be said of a line: that it is recommended, where its build is, why it fails."""
    notes = ["recommended"] if image.recommended else []
    if image.state == "building" and image.phase:
        notes.append(image.phase)
    if image.state in ("failed", "unavailable") and image.reason:
        notes.append(image.reason.partition("\n")[0])
    if image.state == "absent" and image.expected_seconds:
        notes.append(f"takes about {about(image.expected_seconds)}")
    return ", ".join(notes)
