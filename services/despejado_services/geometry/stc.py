"""Regions as text: what ``s_region`` holds (TAP 1.1 §6, STC-S subset; DALI keywords)."""

from __future__ import annotations

from collections.abc import Iterable

from despejado_services.geometry.sphere import Circle, ConvexPolygon, RegionError, box, polygon

_FRAMES = frozenset({"ICRS", "FK5", "J2000", "UNKNOWNFRAME"})
_FLAVOURS = frozenset(
    {"SPHERICAL2", "CARTESIAN2", "GEOCENTER", "BARYCENTER", "TOPOCENTER", "UNKNOWNREFPOS"}
)

Region = Circle | tuple[ConvexPolygon, ...]


def check_frame(words: Iterable[str]) -> None:
    """Raises :class:`RegionError` for frames whose numbers would have to be converted."""
    for word in words:
        if word.upper() not in _FRAMES and word.upper() not in _FLAVOURS:
            raise RegionError(
                f"{word} is not a known frame; positions are ICRS here, convert others before"
            )


def parse_region(text: str) -> Region:
    """``CIRCLE``, ``POLYGON`` or ``BOX`` with optional frame words, then degrees.

    FK5 is taken as ICRS (they differ by less than 0.1 arcsec). Raises :class:`RegionError`.
    """
    words = text.split()
    if not words:
        raise RegionError("the region is empty")
    shape = words.pop(0).upper()
    while words and words[0][:1].isalpha():
        check_frame([words.pop(0)])
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise RegionError(f"the region has something that is no number: {error}") from error
    if shape == "CIRCLE" and len(numbers) == 3:
        return Circle(*numbers)
    if shape == "BOX" and len(numbers) == 4:
        return (box(*numbers),)
    if shape == "POLYGON" and len(numbers) >= 6 and len(numbers) % 2 == 0:
        return polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))
    if shape in ("CIRCLE", "POLYGON", "BOX"):
        raise RegionError(f"{len(numbers)} numbers do not make a {shape}")
    raise RegionError(f"{shape} is not CIRCLE, POLYGON or BOX")
