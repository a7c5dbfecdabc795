"""Who a user is to the operating system: UID, GIDs and login name."""

from __future__ import annotations

from pathlib import Path

from despejado_hub.config import Platform
from despejado_hub.config.identity import source_class

from .source import IdentitySource

__all__ = ["IdentitySource", "source_of"]


def source_of(platform: Platform, state: Path) -> IdentitySource:
    """The source that the platform file names, with its own settings."""
    source: type[IdentitySource] = source_class(platform.identity.source)
    return source.of(platform.identity, state)
