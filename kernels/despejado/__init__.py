"""What astronomers import: TAP, Butler, images and tables in one call each.

Importing this module loads nothing else; each name below loads its part on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .display.show import show
    from .errors import DespejadoError
    from .magic import load_ipython_extension
    from .platform import discovery
    from .repository import butler
    from .service import sample, tap
    from .votable import read_fast

__version__ = "0.1.0"

__all__ = [
    "DespejadoError",
    "butler",
    "discovery",
    "load_ipython_extension",
    "read_fast",
    "sample",
    "show",
    "tap",
]

_HOME = {
    "DespejadoError": ".errors",
    "butler": ".repository",
    "discovery": ".platform",
    "load_ipython_extension": ".magic",
    "read_fast": ".votable",
    "sample": ".service",
    "show": ".display.show",
    "tap": ".service",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_HOME[name], __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
