"""Covers of sky regions by ranges of HEALPix pixels (nested scheme, order 29).

Own code, 100 lines, instead of cdshealpix: that one imports astropy, which costs the service
process 45 MB and 0.8 s at the first query. The tests compare both. Geometry of the pixels:
Gorski et al. 2005, ApJ 622, 759, §5.

A cover is found by descent: start with the twelve base pixels and throw away what cannot touch the
region, because the circle around a pixel does not. That is right at the poles, over RA 0/360 and
for any radius, and never loses a position; the exact test that follows removes the surplus.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from despejado_services.geometry.sphere import Circle, ConvexPolygon, Vector, dot

ORDER = 29
"""Order of the stored pixel column ``_healpix_29``."""
MAX_RANGES = 16
"""More ranges cost the store more than they save (measured on 10 million rows)."""

_RING = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4)
_TURN = (1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7)
_SLACK = (
    1e-9  # radians: 0.2 mas, far above the rounding of a pixel number, far below any pixel used
)

Range = tuple[int, int]
"""First and last pixel, both included."""


def _circumradius(order: int) -> float:
    """No point of a pixel is farther from its centre than this (radians)."""
    nside = 1 << order
    z1 = 1.0 - (1.0 - 1.0 / nside) ** 2 / 3.0
    a, b = math.acos(2.0 / 3.0), math.acos(min(1.0, z1))
    phi = math.pi / (4 * nside)
    # haversine of the two colatitudes: accurate for the smallest pixels
    h = math.sin((a - b) / 2) ** 2 + math.sin(a) * math.sin(b) * math.sin(phi / 2) ** 2
    return 2.0 * math.asin(min(1.0, math.sqrt(h)))


CIRCUMRADIUS = tuple(_circumradius(order) for order in range(ORDER + 1))


def pixel_centre(order: int, face: int, x: int, y: int) -> Vector:
    """Unit vector of the centre of the pixel at (x, y) of a base pixel."""
    nside = 1 << order
    ring = _RING[face] * nside - x - y - 1
    if ring < nside:
        width = ring
        depth = width * width / (3.0 * nside * nside)
        z, s = 1.0 - depth, math.sqrt(depth * (2.0 - depth))
    elif ring > 3 * nside:
        width = 4 * nside - ring
        depth = width * width / (3.0 * nside * nside)
        z, s = depth - 1.0, math.sqrt(depth * (2.0 - depth))
    else:
        width = nside
        z = (2 * nside - ring) * 2.0 / (3.0 * nside)
        s = math.sqrt((1.0 - z) * (1.0 + z))
    phi = (math.pi / 4.0) * (_TURN[face] * width + x - y) / width
    return (s * math.cos(phi), s * math.sin(phi), z)


def _chord2(angle: float) -> float:
    """Square of the chord that belongs to an angle in radians (a full sphere from pi on)."""
    return 4.0 * math.sin(min(max(angle, 0.0), math.pi) / 2.0) ** 2


def _distance2(a: Vector, b: Vector) -> float:
    return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2


def _work_order(radius: float) -> int:
    """The order whose pixels are about half a radius (radians) wide."""
    if radius <= 0:
        return ORDER
    return max(0, min(ORDER, math.ceil(math.log2(math.radians(58.6) / (radius / 2.0)))))


def cover_circle(circle: Circle) -> list[Range]:
    """At most ``MAX_RANGES`` sorted ranges of order-29 pixels that contain the circle."""
    radius = math.radians(circle.radius)
    return _cover(circle.centre, radius, _work_order(radius), lambda _centre, _pixel: True)


def cover_polygons(pieces: Sequence[ConvexPolygon]) -> list[Range]:
    """At most ``MAX_RANGES`` sorted ranges that contain all pieces."""
    found: list[Range] = []
    for piece in pieces:

        def touches(centre: Vector, pixel: float, piece: ConvexPolygon = piece) -> bool:
            limit = -math.sin(min(pixel, math.pi / 2))
            return all(dot(normal, centre) >= limit for normal in piece.normals)

        # one order deeper than for a circle: narrow polygons fill little of their circle
        order = min(ORDER, _work_order(piece.radius) + 1)
        found += _cover(piece.centre, piece.radius, order, touches)
    return merge(found)


def _cover(
    centre: Vector, radius: float, order: int, touches: Callable[[Vector, float], bool]
) -> list[Range]:
    cells = [(face, 0, 0, face) for face in range(12)]
    ranges: list[Range] = []
    for level in range(order + 1):
        pixel = CIRCUMRADIUS[level] + _SLACK
        outside = _chord2(radius + pixel)
        shift = 2 * (ORDER - level)
        kept = []
        for face, x, y, number in cells:
            middle = pixel_centre(level, face, x, y)
            if radius + pixel < math.pi and _distance2(middle, centre) > outside:
                continue
            if touches(middle, pixel):
                kept.append((face, x, y, number))
        if level == order:
            ranges = [(n << shift, ((n + 1) << shift) - 1) for _, _, _, n in kept]
        else:
            cells = [
                (face, 2 * x + (k & 1), 2 * y + (k >> 1), 4 * number + k)
                for face, x, y, number in kept
                for k in range(4)
            ]
    return merge(ranges)


def merge(ranges: list[Range], limit: int = MAX_RANGES) -> list[Range]:
    """Join what touches, then close the smallest gaps until ``limit`` ranges are left."""
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    if len(merged) <= limit:
        return merged
    gaps = sorted(range(1, len(merged)), key=lambda i: merged[i][0] - merged[i - 1][1])
    closed = set(gaps[: len(merged) - limit])
    fewer: list[Range] = []
    for i, (first, last) in enumerate(merged):
        if i in closed:
            fewer[-1] = (fewer[-1][0], last)
        else:
            fewer.append((first, last))
    return fewer
