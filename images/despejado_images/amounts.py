"""Amounts of bytes as people say them. Pure."""

from __future__ import annotations


def decimal_size(amount: int) -> str:
    """Bytes in decimal units: ``300 MB``, ``1.2 GB``; never less than ``1 MB``."""
    if amount >= 10**9:
        return f"{amount / 10**9:.1f} GB"
    return f"{max(1, round(amount / 10**6))} MB"
