"""How long starts took lately, to say how long the next one may take."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import tempfile
from pathlib import Path

_KEPT = 20


class StartHistory:
    """Seconds of the last starts in one small file; losing it loses nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def expected(self) -> float | None:
        """The median of the last starts in seconds; None if there was none."""
        seconds = self._read()
        return statistics.median(seconds) if seconds else None

    def add(self, seconds: float) -> None:
        """Note one more start; not noted when the disk refuses, as the lab runs all the same."""
        kept = [*self._read(), round(seconds, 3)][-_KEPT:]
        with contextlib.suppress(OSError):
            self._write(json.dumps(kept))

    def _write(self, text: str) -> None:
        descriptor, name = tempfile.mkstemp(prefix=".starts-", dir=self._path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise

    def _read(self) -> list[float]:
        try:
            document = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return []
        if not isinstance(document, list):
            return []
        return [float(value) for value in document if isinstance(value, int | float)]
