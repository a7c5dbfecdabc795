"""``despejado images list``: the menu of software environments, or of a registry's images."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterable, Sequence

from despejado_images.amounts import decimal_size
from despejado_images.environments import PLAIN_TAG, EnvironmentImages
from despejado_images.image import Image, ImageSource

from despejado_hub.menu import environment_store
from despejado_hub.runtime import state_folder

from .output import complain, load, say, say_json, told


@told
def main(options: argparse.Namespace) -> int:
    """List the menu."""
    platform = load(options)
    if platform.labs.pods is not None:
        from .images_registry import list_registry

        return asyncio.run(list_registry(platform, as_json=options.json))
    root = state_folder(platform, options.state) / "environments"
    source = EnvironmentImages(environment_store(platform, root))
    return asyncio.run(_list(source, refresh=options.refresh, as_json=options.json))


async def _list(source: ImageSource, *, refresh: bool, as_json: bool) -> int:
    if refresh:
        await source.refresh()
        if source.problem is not None:
            complain(source.problem)
    say_warnings(source)
    images = source.choices()
    if as_json:
        say_json([image.document() for image in images])
    else:
        say(menu_table(images))
        if all(image.tag == PLAIN_TAG for image in images):
            say("The package index was not asked yet: despejado images list --refresh")
    return 0


def say_warnings(source: ImageSource) -> None:
    """What the operator should mend, on standard error."""
    for warning in source.warnings:
        complain(warning)


def menu_table(images: Iterable[Image]) -> str:
    """The menu as aligned columns."""
    rows = [("TAG", "TITLE", "STATE", "SIZE", "NOTE")]
    rows += [
        (image.tag, image.title, image.state, size_words(image), note_of(image)) for image in images
    ]
    return table(rows)


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


def about(seconds: float) -> str:
    """A duration as one says it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
