"""CONTAINS, INTERSECTS and DISTANCE as SQL: pixel ranges first, then the exact test.

The pixel ranges only say sooner that a row is outside; the exact test alone is the meaning. So the
pair can stand anywhere, also under NOT or OR.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from despejado_services.adql.names import Source
from despejado_services.adql.shapes import Area, Point, Shape, number
from despejado_services.geometry.healpix import Range, cover_circle
from despejado_services.geometry.sphere import Circle


def contains(inner: Shape, outer: Shape) -> str | None:
    """SQL that is true where ``inner`` is in ``outer``; None where that is not supported."""
    if isinstance(outer, Point):
        if isinstance(inner, Point):
            return f"adql_hav({_pair(inner)}, {_pair(outer)}) = 0"
        return None
    if isinstance(inner, Point):
        return _point_in(inner, outer)
    if len(outer.parts) > 1:
        return None
    return _all([f"adql_within({part}, {outer.parts[0]})" for part in inner.parts])


def intersects(a: Shape, b: Shape) -> str | None:
    """SQL that is true where the two have a point in common."""
    if isinstance(a, Point):
        return contains(a, b)
    if isinstance(b, Point):
        return contains(b, a)
    return _any([f"adql_meet({p}, {q})" for p in a.parts for q in b.parts])


def distance(a: Point, b: Point) -> str:
    """The angle between two points in degrees."""
    return f"adql_distance({_pair(a)}, {_pair(b)})"


def distance_test(a: Point, operator: str, b: Point, limit: float) -> str:
    """``DISTANCE(a, b) <operator> limit`` for a constant limit in degrees.

    Compares the squares of the sines of the half angles: exact where cosines are not, and without
    an inverse function per row.
    """
    if limit < 0 or limit > 180:
        return f"{distance(a, b)} {operator} {number(limit)}"
    test = f"adql_hav({_pair(a)}, {_pair(b)}) {operator} {number(_half_sine2(limit))}"
    if operator in ("<", "<="):
        for point, centre in ((a, b), (b, a)):
            if point.source and centre.constant:
                return _with_ranges(
                    point.source, cover_circle(Circle(*centre.constant, limit)), test
                )
    return f"({test})"


def _point_in(point: Point, area: Area) -> str:
    if isinstance(area.constant, Circle):
        circle = area.constant
        centre = Point(number(circle.ra), number(circle.dec), (circle.ra, circle.dec))
        return distance_test(point, "<=", centre, circle.radius)
    if area.circle:
        centre, size = area.circle
        limit = f"pow(sin(radians(least({size}, 180)) / 2), 2)"
        return f"({size} >= 0 AND adql_hav({_pair(point)}, {_pair(centre)}) <= {limit})"
    if area.constant:
        exact = _any([_inside(point, [*piece.normals]) for piece in area.constant])
        cover = area.cover
        if point.source and cover:
            return _with_ranges(point.source, cover, exact)
        return exact
    return _any([f"adql_region_has({part}, {point.xyz})" for part in area.parts])


def _inside(point: Point, normals: Sequence[tuple[float, float, float]]) -> str:
    x, y, z = (f"adql_{axis}({_pair(point)})" for axis in "xyz")
    tests = [
        f"{number(n[0])} * {x} + {number(n[1])} * {y} + {number(n[2])} * {z} >= 0" for n in normals
    ]
    return _all(tests)


def _with_ranges(source: Source, ranges: list[Range], exact: str) -> str:
    table = source.table
    if table is None or table.position is None:
        return f"({exact})"
    return f"({pixel_test(source.reference(table.position.healpix), ranges)} AND {exact})"


def pixel_test(column: str, ranges: list[Range]) -> str:
    """A test that a sorted pixel column lies in ranges; the outer one lets blocks be skipped."""
    whole = f"{column} BETWEEN {ranges[0][0]} AND {ranges[-1][1]}"
    if len(ranges) == 1:
        return whole
    return whole + " AND " + _any([f"{column} BETWEEN {a} AND {b}" for a, b in ranges])


def _half_sine2(degrees: float) -> float:
    return math.sin(math.radians(degrees) / 2) ** 2


def _pair(point: Point) -> str:
    return f"{point.ra}, {point.dec}"


def _all(tests: list[str]) -> str:
    return tests[0] if len(tests) == 1 else "(" + " AND ".join(tests) + ")"


def _any(tests: list[str]) -> str:
    return tests[0] if len(tests) == 1 else "(" + " OR ".join(tests) + ")"
