"""Former import paths that go on working, with a word on the new one."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module


def moved(old: str, new: str, names: Sequence[str]) -> Callable[[str], object]:
    """A module's ``__getattr__`` (PEP 562) for ``names`` that live in the module ``new`` now."""

    def find(name: str) -> object:
        if name not in names:
            raise AttributeError(f"module {old!r} has no attribute {name!r}")
        said = f"{old}.{name} has moved: import it from {new}."
        warnings.warn(said, DeprecationWarning, stacklevel=2)
        # A hub finds its spawner by name: Python shows nobody the warning then.
        logging.getLogger(__name__).warning(said)
        return getattr(import_module(new), name)

    return find
