"""Where the files of a store are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from despejado_images.environments.errors import UnknownTagError
from despejado_images.files import make_folder
from despejado_images.tags import LEGAL_TAG

MANIFEST = "despejado-environment.json"
LOCK = "requirements.lock"


def folder_name(digest: str) -> str:
    """The folder of an environment below its tag: 12 digits of its digest."""
    return digest.removeprefix("sha256:")[:12]


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of a store at ``root``; a tag is checked before it becomes part of a path."""

    root: Path

    def _of(self, folder: str, tag: str, ending: str = "") -> Path:
        if not LEGAL_TAG.fullmatch(tag):
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
            if LEGAL_TAG.fullmatch(entry.name) and (entry / "current").exists():
                yield entry.name
