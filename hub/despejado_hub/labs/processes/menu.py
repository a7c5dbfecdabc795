"""The image menu as JSON, for the script of the spawn page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from despejado_images.environments import EnvironmentStore
from despejado_spawner.options.form import image_note

from despejado_hub.config import Platform, derive

_SHOWN = (
    "tag",
    "title",
    "state",
    "recommended",
    "phase",
    "fraction",
    "expected_seconds",
    "size_bytes",
    "reason",
)


def environment_store(platform: Platform, root: Path) -> EnvironmentStore:
    """The environments of a platform, below ``root``."""
    return EnvironmentStore(root, derive.menu_policy(platform))


def menu_document(store: EnvironmentStore) -> dict[str, Any]:
    """Each image with its state and the note that the form shows behind its title.

    Reads files only, as ``EnvironmentStore.choices`` does.
    """
    return {
        "images": [
            {**{name: getattr(image, name) for name in _SHOWN}, "note": image_note(image)}
            for image in store.choices()
        ]
    }
