"""Where the files of a store are, and reading and writing its small records whole."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from despejado_images.environments.errors import UnknownTagError

MANIFEST = "despejado-environment.json"
LOCK = "requirements.lock"
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)


def folder_name(digest: str) -> str:
    """The folder of an environment below its tag: 12 digits of its digest."""
    return digest.removeprefix("sha256:")[:12]


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of a store at ``root``; a tag is checked before it becomes part of a path."""

    root: Path

    def _of(self, folder: str, tag: str, ending: str = "") -> Path:
        if not _SAFE.fullmatch(tag):
            raise UnknownTagError(tag, ())
        return self.root / folder / f"{tag}{ending}"

    def ready(self, tag: str) -> Path:
        """Folder of the finished environments of a tag."""
        return self._of("ready", tag)

    def current(self, tag: str) -> Path:
        """File that names the finished environment in use."""
        return self.ready(tag) / "current"

    def building(self, tag: str) -> Path:
        """Folder of a half-made environment; only the holder of the lock touches it."""
        return self._of("building", tag)

    def lock(self, tag: str) -> Path:
        """File whose flock the builder holds."""
        return self._of("building", tag, ".lock")

    def progress(self, tag: str) -> Path:
        """What the last build said."""
        return self._of("progress", tag, ".json")

    def log(self, tag: str) -> Path:
        """What the tools of a build print; kept if the build failed."""
        return self._of("progress", tag, ".log")

    @property
    def history(self) -> Path:
        """How long earlier builds took."""
        return self.root / "history.json"

    @property
    def catalogue(self) -> Path:
        """The last list of tags that the index gave."""
        return self.root / "catalogue.json"

    @property
    def wheels(self) -> Path:
        """Wheels of our own distributions, by content."""
        return self.root / "wheels"

    def make(self) -> None:
        """Create the folders, traversable by the users who will run what is in them."""
        for folder in ("ready", "building", "progress", "wheels"):
            make_folder(self.root / folder)

    def ready_tags(self) -> Iterator[str]:
        """Tags that have a ``current`` file."""
        try:
            entries = sorted((self.root / "ready").iterdir())
        except FileNotFoundError:
            return
        for entry in entries:
            if _SAFE.fullmatch(entry.name) and (entry / "current").exists():
                yield entry.name


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


def write_text(path: Path, text: str) -> None:
    """Replace a file as a whole: a reader sees the old text or the new, never half of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
            stream.flush()
            os.fchmod(stream.fileno(), 0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_record(path: Path, record: Mapping[str, object]) -> None:
    """Replace a JSON file as a whole."""
    write_text(path, json.dumps(record, indent=1, sort_keys=True) + "\n")
