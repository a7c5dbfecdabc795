"""Unit vectors, circles and polygons on the sky. Angles in degrees unless a name says otherwise."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

Vector = tuple[float, float, float]


class RegionError(ValueError):
    """A region that has no inside as written; the message says what is wrong with it."""


def vector(ra: float, dec: float) -> Vector:
    """The unit vector of a position in degrees."""
    lon, lat = math.radians(ra), math.radians(dec)
    return (math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat))


def dot(a: Vector, b: Vector) -> float:
    """The scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """The vector product."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def unit(a: Vector) -> Vector:
    """The vector of length 1 in the same direction."""
    norm = math.sqrt(dot(a, a))
    return (a[0] / norm, a[1] / norm, a[2] / norm)


def separation(a: Vector, b: Vector) -> float:
    """The angle between two unit vectors in radians, accurate for the smallest and largest."""
    c = cross(a, b)
    return math.atan2(math.sqrt(dot(c, c)), dot(a, b))


@dataclass(frozen=True)
class Circle:
    """All positions within ``radius`` degrees of a centre, border included."""

    ra: float
    dec: float
    radius: float

    def __post_init__(self) -> None:
        check_position(self.ra, self.dec)
        if not 0 <= self.radius <= 180:
            raise RegionError(f"the radius {self.radius:g} is not between 0 and 180 degrees")

    @property
    def centre(self) -> Vector:
        """The centre as a unit vector."""
        return vector(self.ra, self.dec)


@dataclass(frozen=True)
class ConvexPolygon:
    """A convex region bounded by great circles; never larger than a hemisphere.

    ``normals[i]`` points to the inside and belongs to the edge from ``vertices[i]`` to the next.
    ``centre`` and ``radius`` (radians) are a circle that contains it.
    """

    vertices: tuple[Vector, ...]
    normals: tuple[Vector, ...]
    centre: Vector
    radius: float


def check_position(ra: float, dec: float) -> None:
    """Refuse what is no position. Right ascensions beyond one turn are folded by trigonometry."""
    if not (math.isfinite(ra) and math.isfinite(dec)):
        raise RegionError("a coordinate is not a finite number")
    if not -90 <= dec <= 90:
        raise RegionError(f"the declination {dec:g} is not between -90 and 90 degrees")
    if not -360 <= ra <= 720:
        raise RegionError(f"the right ascension {ra:g} is not an angle in degrees")


def polygon(corners: list[tuple[float, float]]) -> tuple[ConvexPolygon, ...]:
    """A polygon with these corners (degrees, either direction) as convex pieces.

    The inside is the smaller side (ADQL 2.1 §4.2.11 leaves the direction open). It has to fit into
    a circle of 89 degrees. A convex polygon is one piece; others are cut into triangles.
    """
    for ra, dec in corners:
        check_position(ra, dec)
    points = [vector(*corner) for corner in corners]
    if len(points) > 1 and separation(points[0], points[-1]) < 1e-14:
        points.pop()  # closed by repeating the first corner
    distinct = [p for i, p in enumerate(points) if separation(p, points[i - 1]) > 1e-14]
    if len(distinct) < 3:
        raise RegionError("a polygon needs at least three different corners")
    flat = _flatten(distinct)
    if _doubled_area(flat) < 0:
        distinct.reverse()
        flat.reverse()
    if _crosses_itself(flat):
        raise RegionError("the edges of the polygon cross each other")
    if _is_convex(flat):
        return (_convex(distinct),)
    return tuple(_convex([distinct[i] for i in piece]) for piece in _triangles(flat))


def box(ra: float, dec: float, width: float, height: float) -> ConvexPolygon:
    """An ADQL BOX: great circles at right angles across the ends of a cross (ADQL 2.1 §4.2.9)."""
    check_position(ra, dec)
    if not (0 < width < 178 and 0 < height < 178):
        raise RegionError("the sides of a box have to be between 0 and 178 degrees")
    x, y = math.tan(math.radians(width / 2)), math.tan(math.radians(height / 2))
    centre = vector(ra, dec)
    east, north = _tangents(ra, dec)
    corners = [
        unit(_sum(centre, _scale(east, sx * x), _scale(north, sy * y)))
        for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    return _convex(corners)


def solid_angle(piece: ConvexPolygon) -> float:
    """Steradians: the sum of the triangles from the first vertex (van Oosterom & Strackee 1983)."""
    a, *rest = piece.vertices
    total = 0.0
    for b, c in itertools.pairwise(rest):
        volume = dot(a, cross(b, c))
        total += 2 * math.atan2(volume, 1 + dot(a, b) + dot(b, c) + dot(c, a))
    return total


def _scale(a: Vector, factor: float) -> Vector:
    return (a[0] * factor, a[1] * factor, a[2] * factor)


def _sum(*terms: Vector) -> Vector:
    return (sum(t[0] for t in terms), sum(t[1] for t in terms), sum(t[2] for t in terms))


def _tangents(ra: float, dec: float) -> tuple[Vector, Vector]:
    """Unit vectors to the east and to the north of a position."""
    lon, lat = math.radians(ra), math.radians(dec)
    east = (-math.sin(lon), math.cos(lon), 0.0)
    north = (-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat))
    return east, north


def _convex(vertices: list[Vector]) -> ConvexPolygon:
    """Vertices in counterclockwise order, seen from outside the sphere."""
    pairs = zip(vertices, vertices[1:] + vertices[:1], strict=True)
    normals = tuple(unit(cross(a, b)) for a, b in pairs)
    centre = unit(_sum(*vertices))
    radius = max(separation(centre, v) for v in vertices)
    return ConvexPolygon(tuple(vertices), normals, centre, radius)


Flat = list[tuple[float, float]]


def _flatten(points: list[Vector]) -> Flat:
    """Gnomonic projection about the mean: great circles become straight lines."""
    total = _sum(*points)
    if dot(total, total) < 1e-20:
        raise RegionError("the polygon is larger than a hemisphere")
    centre = unit(total)
    ra = math.degrees(math.atan2(centre[1], centre[0]))
    dec = math.degrees(math.asin(max(-1.0, min(1.0, centre[2]))))
    east, north = _tangents(ra, dec)
    flat = []
    for p in points:
        depth = dot(p, centre)
        if depth < math.cos(math.radians(89)):
            raise RegionError("the polygon does not fit into a circle of 89 degrees")
        flat.append((dot(p, east) / depth, dot(p, north) / depth))
    if abs(_doubled_area(flat)) < 1e-24:
        raise RegionError("the corners of the polygon lie on one line")
    return flat


def _doubled_area(flat: Flat) -> float:
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(flat, flat[1:] + flat[:1], strict=True))


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _is_convex(flat: Flat) -> bool:
    return all(_turn(flat[i - 2], flat[i - 1], flat[i]) >= 0 for i in range(len(flat)))


def _crosses_itself(flat: Flat) -> bool:
    n = len(flat)
    for i in range(n):
        a, b = flat[i], flat[(i + 1) % n]
        for j in range(i + 2, n):
            if (j + 1) % n == i:
                continue
            c, d = flat[j], flat[(j + 1) % n]
            if _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0:
                return True
    return False


def _triangles(flat: Flat) -> list[tuple[int, int, int]]:
    """Ear clipping of a simple counterclockwise polygon; indices of the corners."""
    rest = list(range(len(flat)))
    pieces = []
    while len(rest) > 3:
        for k in range(len(rest)):
            i, j, m = rest[k - 1], rest[k], rest[(k + 1) % len(rest)]
            turn = _turn(flat[i], flat[j], flat[m])
            if turn < 0 or any(
                _turn(flat[i], flat[j], flat[p]) >= 0
                and _turn(flat[j], flat[m], flat[p]) >= 0
                and _turn(flat[m], flat[i], flat[p]) >= 0
                for p in rest
                if p not in (i, j, m)
            ):
                continue
            if turn > 0:
                pieces.append((i, j, m))
            rest.pop(k)
            break
        else:
            raise RegionError("the edges of the polygon touch each other")
    pieces.append((rest[0], rest[1], rest[2]))
    return pieces
