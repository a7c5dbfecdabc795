"""Sizes and times as operators write them: ``450m`` of a CPU, ``3Gi`` of memory, ``1h``."""

from __future__ import annotations

import re

from despejado_spawner import units

CPU_ALLOWED = "CPU cores with at most three decimals (1, 0.5) or millicores (500m), above zero"
MEMORY_ALLOWED = "bytes, or a number with K M G T (1000) or Ki Mi Gi Ti (1024): 3Gi, 512Mi"
DURATION_ALLOWED = "a time with its unit: 30s, 10m, 1h or 7d (a plain number is seconds)"

CPU_PATTERN = r"^([0-9]+(\.[0-9]{1,3})?|[0-9]+m)$"
MEMORY_PATTERN = r"^[0-9]+(\.[0-9]+)?([kKMGT]|[KMGT]i)?B?$"
DURATION_PATTERN = r"^[0-9]+[smhd]?$"

_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 20


def _written(value: object) -> str | None:
    """The text of a number or text short enough to be one; None otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()
    return text if len(text) <= _LONGEST else None


def _whole(value: object) -> str | None:
    """The same of whole numbers only, however Python writes them."""
    if isinstance(value, float):
        return _written(int(value)) if value.is_integer() else None
    return _written(value)


def parse_cpu(value: object) -> float:
    """Cores from ``1``, ``0.5`` or ``"450m"``; ValueError if it is not such a number above 0."""
    text = _written(value)
    try:
        cores = 0.0 if text is None else units.parse_cpu(text)
    except ValueError:
        cores = 0.0
    if cores <= 0:
        raise ValueError(CPU_ALLOWED)
    return cores


def parse_memory(value: object) -> int:
    """Bytes from ``12582912``, ``"12MiB"``, ``"1.5Gi"``; ValueError otherwise, and for zero."""
    text = _whole(value)
    try:
        size = 0 if text is None else units.parse_memory(text)
    except ValueError:
        size = 0
    if size <= 0:
        raise ValueError(MEMORY_ALLOWED)
    return size


def parse_duration(value: object) -> int:
    """Seconds from ``90``, ``"10m"``, ``"7d"``; ValueError otherwise."""
    text = _whole(value)
    match = None if text is None else _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(DURATION_ALLOWED)
    return int(match[1]) * _SECONDS[match[2]]


def format_duration(seconds: int) -> str:
    """The shortest exact notation, ``1h`` for 3600."""
    for unit in "dhm":
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"
