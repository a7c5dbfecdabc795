"""What a source of images tells its operator, in the hub's log."""

from __future__ import annotations

from collections.abc import Sequence
from logging import Logger, LoggerAdapter
from typing import Any

from despejado_images.image import ImageSource


class Notices:
    """Writes each sentence once, and again only after it had gone."""

    def __init__(self) -> None:
        self._told: Sequence[str] = ()

    def tell(self, log: Logger | LoggerAdapter[Any], source: ImageSource) -> None:
        """Log what has come since the last time."""
        now = (*((source.problem,) if source.problem else ()), *source.warnings)
        for sentence in now:
            if sentence not in self._told:
                log.warning("Images: %s", sentence)
        self._told = now
