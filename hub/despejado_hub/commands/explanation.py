"""What ``despejado explain`` says of a lab, wherever the lab runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """One lab: whether it is ``up``, what is known, and the end of its log."""

    server: str
    up: bool
    message: str
    advice: str | None = None
    log: tuple[str, ...] = ()
