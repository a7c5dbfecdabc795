"""Who a user is to the operating system: UID, GIDs and login name."""

from __future__ import annotations

from .registry import EmbeddedRegistry, RegistryError
from .source import IdentitySource

__all__ = ["EmbeddedRegistry", "IdentitySource", "RegistryError"]
