"""How long starts took lately, to say how long the next one may take."""

from __future__ import annotations

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
        """Note one more start."""
        kept = [*self._read(), round(seconds, 3)][-_KEPT:]
        descriptor, name = tempfile.mkstemp(prefix=".starts-", dir=self._path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(kept, stream)
        Path(name).replace(self._path)

    def _read(self) -> list[float]:
        try:
            document = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return []
        if not isinstance(document, list):
            return []
        return [float(value) for value in document if isinstance(value, int | float)]
