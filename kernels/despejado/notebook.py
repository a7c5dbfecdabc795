"""Putting something into the output of the cell that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast


class Shown(Protocol):
    """An output that can be replaced."""

    def update(self, obj: object) -> None:
        """Draw ``obj`` in place of what is there."""


def in_notebook() -> bool:
    """Whether there is an IPython to display in."""
    import IPython

    get_shell: Callable[[], Any] = IPython.get_ipython
    return get_shell() is not None


def display(thing: object) -> Shown:
    """Display something in the current cell."""
    import IPython.display

    show: Callable[..., Any] = IPython.display.display
    return cast(Shown, show(thing, display_id=True))
