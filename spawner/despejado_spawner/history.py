"""How long starts took lately, to say how long the next one may take."""

from __future__ import annotations

import contextlib
import functools
import json
import statistics
from pathlib import Path

from despejado_images.files import write_text

_KEPT = 20
_MOST_KEYS = 500


class StartHistory:
    """Seconds of the last starts in one small file; losing it loses nothing else.

    Durations may be noted under keys, such as a phase with its image and node. Without a file
    they are kept as long as this object.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._memory: dict[str, list[float]] = {}

    def expected(self, *keys: str) -> float | None:
        """The median of the last durations under the first key that has any; None if none has."""
        found = self._read()
        for key in keys or ("",):
            if found.get(key):
                return statistics.median(found[key])
        return None

    def add(self, seconds: float, *keys: str) -> None:
        """Note one more under each key; a disk that refuses costs the note and no lab."""
        found = self._read()
        for key in keys or ("",):
            found[key] = [*found.pop(key, []), round(seconds, 3)][-_KEPT:]
        while len(found) > _MOST_KEYS:
            del found[next(iter(found))]
        self._memory = found
        if self._path is not None:
            with contextlib.suppress(OSError):
                write_text(self._path, json.dumps(found), 0o600)

    def _read(self) -> dict[str, list[float]]:
        if self._path is None:
            return dict(self._memory)
        try:
            document = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        if isinstance(document, list):  # as it was when there was one kind of duration
            document = {"": document}
        if not isinstance(document, dict):
            return {}
        return {
            key: [float(value) for value in values if isinstance(value, int | float)]
            for key, values in document.items()
            if isinstance(values, list)
        }


@functools.cache
def shared_history(path: str) -> StartHistory:
    """The one history of a file, or of this process for the empty path."""
    return StartHistory(Path(path) if path else None)
