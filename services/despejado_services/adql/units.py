"""Simple unit conversion for IN_UNIT (ADQL 2.1 §4.5): products and powers of linear units."""

from __future__ import annotations

import math
import re
from collections import Counter

_DEG = math.pi / 180
# scale to a base unit, and the base unit
_UNITS: dict[str, tuple[float, str]] = {
    "rad": (1.0, "rad"),
    "deg": (_DEG, "rad"),
    "arcmin": (_DEG / 60, "rad"),
    "arcsec": (_DEG / 3600, "rad"),
    "mas": (_DEG / 3.6e6, "rad"),
    "uas": (_DEG / 3.6e9, "rad"),
    "s": (1.0, "s"),
    "ms": (1e-3, "s"),
    "min": (60.0, "s"),
    "h": (3600.0, "s"),
    "d": (86400.0, "s"),
    "yr": (31557600.0, "s"),
    "a": (31557600.0, "s"),
    "m": (1.0, "m"),
    "nm": (1e-9, "m"),
    "um": (1e-6, "m"),
    "mm": (1e-3, "m"),
    "cm": (1e-2, "m"),
    "km": (1e3, "m"),
    "Angstrom": (1e-10, "m"),
    "AU": (1.495978707e11, "m"),
    "pc": (3.0856775814913673e16, "m"),
    "kpc": (3.0856775814913673e19, "m"),
    "Jy": (1.0, "Jy"),
    "mJy": (1e-3, "Jy"),
    "uJy": (1e-6, "Jy"),
    "nJy": (1e-9, "Jy"),
    "Hz": (1.0, "Hz"),
    "kHz": (1e3, "Hz"),
    "MHz": (1e6, "Hz"),
    "GHz": (1e9, "Hz"),
    "mag": (1.0, "mag"),
    "pix": (1.0, "pix"),
    "byte": (1.0, "byte"),
    "kbyte": (1e3, "byte"),
    "Mbyte": (1e6, "byte"),
}
_TERM = re.compile(r"([./]?)([A-Za-z]+)(?:\*\*|\^)?([+-]?\d+)?\Z")


class UnitError(ValueError):
    """A unit that is not understood, or two that do not measure the same thing."""


def _parse(unit: str) -> tuple[float, Counter[str]]:
    scale, dimensions = 1.0, Counter[str]()
    for part in re.findall(r"[./]?[^./]+", unit.replace(" ", "")):
        match = _TERM.match(part)
        if match is None or match[2] not in _UNITS:
            raise UnitError(f"the unit {unit!r} is not understood")
        factor, base = _UNITS[match[2]]
        power = int(match[3] or 1) * (-1 if match[1] == "/" else 1)
        scale *= factor**power
        dimensions[base] += power
    return scale, Counter({base: power for base, power in dimensions.items() if power})


def factor(source: str, target: str) -> float:
    """What a number in ``source`` has to be multiplied by to be in ``target``."""
    (from_scale, from_what), (to_scale, to_what) = _parse(source), _parse(target)
    if from_what != to_what:
        raise UnitError(f"{source} cannot be converted to {target}")
    return from_scale / to_scale
