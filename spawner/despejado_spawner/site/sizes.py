"""The sizes of labs from configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from despejado_spawner.models import Size
from despejado_spawner.units import parse_cpu, parse_memory


def parse_sizes(configured: Mapping[str, Mapping[str, Any]]) -> tuple[Size, ...]:
    """Sizes from configuration: name to ``cpu``, ``memory`` and optional guarantees.

    Raises
    ------
    ValueError
        Naming the size and the key that is unknown, missing or no amount, and for a guarantee
        above its limit.
    """
    if not configured:
        raise ValueError("At least one size is needed.")
    return tuple(_size(name, values) for name, values in configured.items())


def _size(name: str, values: Mapping[str, Any]) -> Size:
    known = {
        "cpu": parse_cpu,
        "memory": parse_memory,
        "cpu_guarantee": parse_cpu,
        "memory_guarantee": parse_memory,
    }
    if name != name.lower() or not name:
        raise ValueError(f"Size {name!r}: names of sizes are in lower case.")
    amounts: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            raise ValueError(f"Size {name!r}: {key!r} is unknown. Allowed: {', '.join(known)}.")
        try:
            amounts[key] = known[key](value)
        except ValueError as error:
            raise ValueError(f"Size {name!r}, {key}: {error}") from None
    for key in ("cpu", "memory"):
        if key not in amounts:
            raise ValueError(f"Size {name!r}: {key!r} is missing.")
        if amounts[key] <= 0:
            raise ValueError(f"Size {name!r}: {key!r} must be more than nothing.")
        if amounts.get(f"{key}_guarantee", 0) > amounts[key]:
            raise ValueError(f"Size {name!r}: {key}_guarantee is more than the limit {key}.")
    return Size(name, **amounts)
