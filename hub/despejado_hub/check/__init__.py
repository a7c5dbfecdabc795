"""``despejado check``: try what a platform file names, and say what is wrong and what to do."""

from __future__ import annotations

from .result import Result, State, exit_code
from .runner import check_platform

__all__ = ["Result", "State", "check_platform", "exit_code"]
