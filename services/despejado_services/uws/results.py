"""Result files of jobs: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from pathlib import Path

_PART = ".part"


class ResultFiles:
    """One folder, one file a job; a file without the ending ``.part`` is complete."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, job_id: str) -> Path:
        """Where the job's result is or will be."""
        return self._folder / job_id

    def write(self, job_id: str, pieces: Iterable[bytes]) -> int:
        """Write the result and return its size in bytes.

        It appears under its name only when it is complete and on the disk. Whatever goes wrong
        leaves no file and is raised again; a full disk is an ``OSError``.
        """
        part = self._folder / f"{job_id}{_PART}"
        try:
            with part.open("wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
            part.rename(self.path(job_id))
        finally:
            part.unlink(missing_ok=True)
        return size

    def remove(self, job_id: str) -> None:
        """Remove the result, if there is one."""
        self.path(job_id).unlink(missing_ok=True)

    def sweep(self, keep: Collection[str]) -> None:
        """Remove half-written results and those of jobs that are not in ``keep``."""
        for found in self._folder.iterdir():
            if found.name not in keep:
                found.unlink(missing_ok=True)
