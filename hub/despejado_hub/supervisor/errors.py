"""What stops a supervisor from starting, in words for the person at the terminal."""

from __future__ import annotations


class SupervisorError(Exception):
    """The platform cannot start or go on; the text says what happened and what to do."""
