"""Small files: read with tolerance, replaced as a whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def make_folder(path: Path) -> None:
    """Create a folder and what is missing above it, open to all users whatever the umask."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    path.chmod(0o755)


def read_record(path: Path) -> dict[str, Any] | None:
    """A JSON object, or None if there is none or it is damaged (it is then written anew)."""
    try:
        record = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file as a whole: a reader sees the old text or the new, never half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_record(path: Path, record: Mapping[str, object]) -> None:
    """Replace a JSON file as a whole."""
    write_text(path, json.dumps(record, indent=1, sort_keys=True) + "\n")
