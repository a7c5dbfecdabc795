"""What stops the demo from starting, in words for the person at the terminal."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot start or go on; the text says what happened and what to do."""
