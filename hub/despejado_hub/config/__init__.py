"""``platform.yaml``: the model, the loader, and what is derived from them."""

from __future__ import annotations

from .errors import Place, PlatformError, Problem
from .loader import load_platform
from .model import Platform
from .overlay import shipped_platforms

__all__ = [
    "Place",
    "Platform",
    "PlatformError",
    "Problem",
    "load_platform",
    "shipped_platforms",
]
