"""The bundled tutorials, executed by the tests of every release."""

from __future__ import annotations

from pathlib import Path

__all__ = ["tutorials_folder"]


def tutorials_folder() -> Path:
    """Folder of the tutorial notebooks: inside an installed package, beside it in a source tree."""
    package = Path(__file__).resolve().parent
    inside = package / "notebooks"
    return inside if inside.is_dir() else package.parent
