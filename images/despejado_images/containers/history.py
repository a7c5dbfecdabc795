"""How long the parts of a build took here, for "about how long"."""

from __future__ import annotations

from pathlib import Path

from despejado_images.files import read_record, write_record


class History:
    """Seconds by the name of a step, in a file; the last one counts."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def expected(self, name: str) -> float | None:
        """Seconds that a step took the last time."""
        seconds = (read_record(self.file) or {}).get(name)
        return float(seconds) if isinstance(seconds, int | float) else None

    def add(self, name: str, seconds: float) -> None:
        """Remember a step. Two builds that end at one moment may lose one of two estimates."""
        write_record(self.file, {**(read_record(self.file) or {}), name: round(seconds, 1)})
