"""Tables, and images and amounts in them, as commands print them."""

from __future__ import annotations

from collections.abc import Sequence

from despejado_images.amounts import decimal_size
from despejado_images.image import Image


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as aligned columns; the column before the last holds numbers."""
    last = len(rows[0]) - 1
    widths = [max(len(row[column]) for row in rows) for column in range(last)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[: last - 1], widths, strict=False)]
        cells += [row[last - 1].rjust(widths[last - 1]), row[last]]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def about(seconds: float) -> str:
    """A duration as one says it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


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
