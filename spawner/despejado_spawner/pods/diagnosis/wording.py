"""Amounts, names and counts as people write them (pure)."""

from __future__ import annotations

from despejado_spawner.units import parse_memory

_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi")


def memory_words(amount: str) -> str:
    """``16Gi`` -> ``16 GiB``, ``2000000000`` -> ``1.9 GiB``; other texts as they are."""
    try:
        left = float(parse_memory(amount))
    except ValueError:
        return amount
    unit = ""
    for each in _BINARY:
        if left < 1024:
            break
        left, unit = left / 1024, each
    return f"{left:.1f}".removesuffix(".0") + f" {unit}B"


def sentence(said: str) -> str:
    """One line that ends with a full stop."""
    words = " ".join(said.split())
    return words if words.endswith((".", "!", "?")) else f"{words}."
